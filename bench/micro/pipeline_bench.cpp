// How many bytes of log a second one core takes through each pipeline stage, over the workload that all benchmarks
// share.
//
// Every stage runs over the lines it is meant for (json over JSON lines and so on); the labels that reach the end are
// counted into the result's hash, so nothing is optimised away and a changed answer shows.
#include <benchmark/benchmark.h>

#include <optional>

#include "bench/data/workload.h"
#include "logql/pipeline/pipeline.h"
#include "logql/syntax/parser.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

constexpr std::size_t kLines = 20000;

struct Corpus {
  std::vector<std::string> lines;
  std::size_t bytes = 0;
};

enum class Source { kJson, kLogfmt, kNginx, kAll };

bool fits(Source source, bench::LineKind kind) {
  switch (source) {
    case Source::kJson: return kind == bench::LineKind::kJsonGo || kind == bench::LineKind::kJsonPython;
    case Source::kLogfmt: return kind == bench::LineKind::kLogfmt;
    case Source::kNginx: return kind == bench::LineKind::kNginx;
    case Source::kAll: break;
  }
  return true;
}

const Corpus& corpus(Source source) {
  static Corpus corpora[4];
  Corpus& corpus = corpora[static_cast<int>(source)];
  if (!corpus.lines.empty()) return corpus;
  bench::Workload workload({});
  while (corpus.lines.size() < kLines) {
    const auto line = workload.next();
    if (!fits(source, workload.streams()[line.stream].kind)) continue;
    corpus.lines.emplace_back(line.line);
    corpus.bytes += line.line.size();
  }
  return corpus;
}

struct Case {
  const char* name;
  Source source;
  const char* pipeline;
  std::vector<std::string> by;  // not empty: grouped, only these labels are needed
  std::optional<Unwrap> unwrap = std::nullopt;
};

void run_case(benchmark::State& state, const Case& bench_case) {
  const Corpus& lines = corpus(bench_case.source);
  const auto query = parse_log_query(std::string("{a=\"b\"} ") + bench_case.pipeline);
  if (!query) return state.SkipWithError(query.error().message().c_str());
  PipelineOptions options;
  if (!bench_case.by.empty()) {
    options.grouping = {ResultGrouping::Kind::kBy, bench_case.by};
    options.only_needed_labels = true;
    options.needs_line = false;
  }
  const Unwrap* unwrap = bench_case.unwrap ? &*bench_case.unwrap : nullptr;
  const auto pipeline = Pipeline::compile(query->stages, unwrap, options);
  if (!pipeline) return state.SkipWithError(pipeline.error().message().c_str());
  PipelineRunner runner(*pipeline);
  const Labels stream{{"cluster", "eu-1"}, {"namespace", "shop"}, {"pod", "cart-0"}, {"service", "cart"}};
  runner.bind(stream);
  const std::vector<LabelView> metadata{{"detected_level", "info"}};
  std::size_t kept = 0;
  std::uint64_t hash = 0;
  for (auto _ : state) {
    kept = 0;
    hash = 0;
    for (const std::string& line : lines.lines) {
      if (!runner.process(TimestampNs{1'767'225'600'000'000'000}, line, metadata)) continue;
      ++kept;
      hash += runner.result_hash();
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(lines.bytes * state.iterations()));
  state.SetItemsProcessed(static_cast<std::int64_t>(lines.lines.size() * state.iterations()));
  state.counters["kept"] = static_cast<double>(kept);
  state.counters["hash"] = static_cast<double>(hash % 1000003);
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"no_stage", Source::kAll, "", {}},
      {"contains_hit", Source::kAll, R"(|= "a")", {}},
      {"contains_miss", Source::kAll, R"(|= "4bf92f3577b34da6a3ce929d0e0e4736")", {}},
      {"not_contains_two", Source::kAll, R"(!= "zzzz" != "yyyy")", {}},
      {"caseless_miss", Source::kAll, R"(|~ "(?i)OutOfMemory")", {}},
      {"regex_with_literal", Source::kAll, R"(|~ "took 8[0-9]{2}ms")", {}},
      {"regex_without_literal", Source::kAll, R"(|~ "[a-f]{3}[0-9]{5}z")", {}},
      {"pattern_filter", Source::kAll, R"(|> "<_>GET <_> 200<_>")", {}},
      {"ip_filter", Source::kNginx, R"(|= ip("10.0.0.0/8"))", {}},
      {"json_all", Source::kJson, "| json", {}},
      {"json_by_level", Source::kJson, "| json", {"level"}},
      {"json_status_by_level", Source::kJson, "| json | status >= 500", {"level"}},
      {"json_expression", Source::kJson, R"(| json s="status", l="level")", {}},
      {"logfmt_all", Source::kLogfmt, "| logfmt", {}},
      {"logfmt_by_level", Source::kLogfmt, "| logfmt", {"level"}},
      {"logfmt_duration_by_level", Source::kLogfmt, "| logfmt | duration > 500ms", {"level"}},
      {"pattern", Source::kNginx, R"(| pattern `<ip> - - [<_>] "<method> <path> <_>" <status> <_>`)", {}},
      {"pattern_by_path", Source::kNginx, R"(| pattern `<ip> - - [<_>] "<method> <path> <_>" <status> <_>`)", {"path"}},
      {"regexp", Source::kNginx, R"(| regexp `"(?P<method>[A-Z]+) (?P<path>\S+) .*" (?P<status>[0-9]{3})`)", {}},
      {"line_format_fields", Source::kJson, "| json | line_format `{{.level}} {{.msg}}`", {}},
      {"line_format_functions", Source::kJson, "| json | line_format `{{.level | ToUpper}} {{.msg | trunc 20}}`", {}},
      {"label_format", Source::kLogfmt, "| logfmt | label_format lvl=level, x=`{{.service}}-{{.level}}`", {}},
      {"decolorize_plain", Source::kAll, "| decolorize", {}},
      {"keep", Source::kJson, "| json | keep level, status", {}},
      {"drop", Source::kJson, "| json | drop level, status", {}},
      {"unpack", Source::kJson, "| unpack", {}},
      {"regex_label_filter", Source::kLogfmt, "| logfmt | level=~`err.*|warn`", {"level"}},
      {"ip_label_filter", Source::kNginx, R"(| pattern `<addr> - <_>` | addr = ip("10.0.0.0/8"))", {"addr"}},
      {"bytes_label_filter", Source::kJson, "| json | status > 1KB", {"level"}},
      {"json_unwrap", Source::kJson, "| json", {"service"}, Unwrap{"duration_ms", UnwrapConversion::kNone, {}}},
      {"logfmt_unwrap_duration", Source::kLogfmt, "| logfmt", {"service"},
       Unwrap{"duration", UnwrapConversion::kDuration, {}}},
  };
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  for (const Case& bench_case : cases()) {
    benchmark::RegisterBenchmark(bench_case.name,
                                 [&bench_case](benchmark::State& state) { run_case(state, bench_case); });
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
