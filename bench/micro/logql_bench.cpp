// The twelve queries of the comparison table over blocks in memory: what the engine costs without a store under it.
//
// Shape:    64 MiB of the shared workload; each query runs with columns (as sealed blocks offer them) and without (as a
//           plain row store). Columns are made before the clock starts. Bytes a second are raw line bytes of everything
//           selected.
// Checked:  both ways must give the same answer before anything is timed.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "bench/data/workload.h"
#include "common/clock.h"
#include "logql/engine.h"
#include "logql/exec/memory_source.h"
#include "logql/exec/testing_query.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

constexpr std::uint64_t kCorpusBytes = 64 << 20;
constexpr auto kSpan = std::chrono::hours(2);

struct Corpus {
  MemorySource columns{{.rows_per_block = 16384}};
  MemorySource rows{{.rows_per_block = 16384, .fast_paths = false}};
  std::string trace_id;
  std::uint64_t bytes = 0;
  TimestampNs start;

  Corpus() {
    bench::WorkloadOptions options;
    options.lines_expected = kCorpusBytes / 200;
    start = options.start;
    bench::Workload workload(options);
    while (bytes < kCorpusBytes) {
      const auto line = workload.next();
      const Labels& labels = workload.streams()[line.stream].labels;
      columns.add(labels, line.timestamp, line.line);
      rows.add(labels, line.timestamp, line.line);
      bytes += line.line.size();
    }
    trace_id = workload.sample_trace_id();
  }
};

Corpus& corpus() {
  static Corpus corpus;
  return corpus;
}

struct NamedQuery {
  const char* name;
  std::string text;
  bool metric = true;
  Duration step = std::chrono::minutes(1);
};

std::vector<NamedQuery> queries() {
  const std::string all = R"({cluster="eu-1")";
  return {
      {"needle", all + "} |= \"" + corpus().trace_id + "\"", false},
      {"needle_absent", all + "} |= \"ffffffffffffffffffffffffffffffff\"", false},
      {"rare_word", "sum(count_over_time(" + all + "} |= \"OOMKilled\" [2h]))", true, kSpan},
      {"count_by_service", "sum by (service)(count_over_time(" + all + "}[1m]))"},
      {"error_rate", "sum by (service)(rate(" + all + "} |= \"error\" [1m]))"},
      {"json_status_by_level",
       "sum by (level)(count_over_time(" + all + ", format=\"json\"} | json | status >= 500 [1m]))"},
      {"p99_duration",
       "quantile_over_time(0.99, " + all + ", format=\"json\"} | json | unwrap duration_ms [5m]) by (service)", true,
       std::chrono::minutes(5)},
      {"regex_count", "sum(count_over_time(" + all + "} |~ \"took 8[0-9]{2}ms\" [2h]))", true, kSpan},
      {"logfmt_slow_by_level",
       "sum by (level)(count_over_time(" + all + ", format=\"logfmt\"} | logfmt | duration > 500ms [1m]))"},
      {"top_paths",
       "topk(10, sum by (path)(count_over_time(" + all +
           ", format=\"nginx\"} | pattern `<_> - - [<_>] \"<_> <path> <_>\" <status> <_>` [5m])))",
       true, std::chrono::minutes(5)},
      {"newest_100", R"({service="checkout"})", false},
      {"bytes_by_namespace", "sum by (namespace)(bytes_over_time(" + all + "}[1m]))"},
  };
}

Result<QueryResult> run(const NamedQuery& query, MemorySource& source) {
  static SystemClock clock;
  MemoryBudget budget("bench", 0);
  QueryContext context(clock, clock.steady() + std::chrono::minutes(5), {}, budget, {});
  const QueryParams params{.query = query.text,
                           .tenant = "bench",
                           .start = corpus().start,
                           .end = corpus().start + kSpan,
                           .step = query.step,
                           .limit = 100,
                           .direction = Direction::kBackward};
  return run_query(params, source, context);
}

void bench_query(benchmark::State& state, const NamedQuery& query, bool with_columns) {
  const std::string answer = testing_text(run(query, corpus().columns));
  if (answer.starts_with("error") || answer != testing_text(run(query, corpus().rows))) {
    state.SkipWithError("answers differ");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(run(query, with_columns ? corpus().columns : corpus().rows));
  state.SetBytesProcessed(static_cast<std::int64_t>(corpus().bytes) * state.iterations());
}

const bool kRegistered = [] {
  for (const bool with_columns : {true, false}) {
    for (const auto& query : queries()) {
      const std::string name = std::string(query.name) + (with_columns ? "/columns" : "/rows");
      benchmark::RegisterBenchmark(name.c_str(),
                                   [=](benchmark::State& state) { bench_query(state, query, with_columns); })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
