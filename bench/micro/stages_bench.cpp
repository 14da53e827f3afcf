// How many bytes of log a second one core takes through the agent's pipelines, and that steady work allocates nothing.
//
// The lines are those of the workload that all benchmarks share; what comes out is counted, so that nothing is
// optimised away.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "bench/data/workload.h"
#include "bench/micro/allocation_count.h"
#include "common/yaml.h"
#include "promtail-agent/stages/metric_registry.h"
#include "promtail-agent/stages/pipeline_builder.h"

using namespace kvasir;
using namespace kvasir::agent;

namespace {

constexpr std::size_t kLines = 20'000;

struct Corpus {
  std::vector<std::string> lines;
  std::size_t bytes = 0;
};

enum class Source { kJson, kLogfmt, kNginx, kAll, kCri, kDocker };

bool fits(Source source, bench::LineKind kind) {
  switch (source) {
    case Source::kJson: return kind == bench::LineKind::kJsonGo || kind == bench::LineKind::kJsonPython;
    case Source::kLogfmt: return kind == bench::LineKind::kLogfmt;
    case Source::kNginx: return kind == bench::LineKind::kNginx;
    default: return true;
  }
}

std::string wrapped(Source source, std::string_view line) {
  if (source == Source::kCri) return "2026-01-01T00:00:00.123456789Z stdout F " + std::string(line);
  if (source != Source::kDocker) return std::string(line);
  std::string text = R"({"log":")";
  for (const char c : line) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + R"(\n","stream":"stdout","time":"2026-01-01T00:00:00.123456789Z"})";
}

const Corpus& corpus(Source source) {
  static Corpus corpora[6];
  Corpus& corpus = corpora[static_cast<int>(source)];
  if (!corpus.lines.empty()) return corpus;
  bench::Workload workload({});
  while (corpus.lines.size() < kLines) {
    const auto line = workload.next();
    if (!fits(source, workload.streams()[line.stream].kind)) continue;
    corpus.lines.push_back(wrapped(source, line.line));
    corpus.bytes += corpus.lines.back().size();
  }
  return corpus;
}

class CountingSink final : public EntrySink {
 public:
  void accept(Entry& entry) override { bytes += entry.line().size() + entry.labels()->id; }
  void dropped(Entry&) override { ++drops; }
  std::uint64_t bytes = 0;
  std::uint64_t drops = 0;
};

struct Case {
  const char* name;
  Source source;
  const char* yaml;
};

constexpr Case kCases[] = {
    {"plain", Source::kAll, "[]"},
    {"json", Source::kJson, "- json: {expressions: {level: , trace_id: , status: }}"},
    {"json_labels_two_metrics", Source::kJson, R"(
- json: {expressions: {level: , duration_ms: , status: }}
- labels: {level: }
- metrics:
    lines_total: {type: Counter, config: {match_all: true, action: inc}}
    duration_ms: {type: Histogram, source: duration_ms, config: {buckets: [1, 10, 100, 1000]}}
)"},
    {"json_labels_timestamp_metrics", Source::kJson, R"(
- json: {expressions: {level: , duration_ms: , ts: timestamp}}
- labels: {level: }
- timestamp: {source: ts, format: RFC3339Nano}
- metrics:
    lines_total: {type: Counter, config: {match_all: true, action: inc}}
)"},
    {"users_metrics", Source::kJson, R"(
- json: {expressions: {timestamp: , level: , message: , duration_ms: duration, status: }}
- metrics: {log_errors_total: {type: Counter, value: "1", match: 'level="error"'}}
- metrics: {request_duration_seconds: {type: Histogram, buckets: [0.01, 0.1, 1],
                                         value_name: duration_ms, value_type: milliseconds}}
- metrics: {memory_usage_bytes: {type: Gauge, value_name: memory_bytes}}
)"},
    {"jmespath", Source::kJson, "- json: {expressions: {level: 'level || severity', n: 'length(keys(@))'}}"},
    {"logfmt", Source::kLogfmt, "- logfmt: {mapping: {level: , msg: , duration: }}\n- labels: {level: }"},
    {"regex", Source::kNginx,
     R"(- regex: {expression: '^(?P<ip>\S+) \S+ \S+ \[[^\]]+\] "(?P<verb>\S+) (?P<path>\S+)[^"]*" (?P<code>\d+)'})"},
    {"cri", Source::kCri, "- cri:"},
    {"docker", Source::kDocker, "- docker:"},
    {"match_drop", Source::kAll, "- match: {selector: '{job=\"j\"} |= \"DEBUG\"', action: drop}"},
    {"multiline", Source::kAll, "- multiline: {firstline: '^[{0-9]'}"},
    {"template", Source::kJson,
     "- json: {expressions: {level: }}\n- template: {source: level, template: '{{ ToLower .Value }}'}"},
    {"trace", Source::kAll, "- trace:"},
};

void run_case(benchmark::State& state, const Case& bench_case) {
  const Corpus& lines = corpus(bench_case.source);
  MetricRegistry registry(system_clock());
  StageContext context;
  context.clock = &system_clock();
  context.metrics = &registry;
  Diagnostics diagnostics;
  const auto yaml = parse_yaml(bench_case.yaml);
  auto pipeline = build_pipeline(*yaml, context, diagnostics);
  if (!pipeline) return state.SkipWithError(pipeline.error().message().c_str());
  const LabelSetPtr base = make_label_set(Labels{{"filename", "/var/log/app.log"}, {"job", "j"}});
  CountingSink sink;
  Entry entry;
  std::uint64_t offset = 0;
  const auto pass = [&] {
    for (const std::string& line : lines.lines) {
      entry.begin(base, {0}, line, {1, offset, offset + line.size()});
      offset += line.size();
      (*pipeline)->process(entry, sink);
    }
  };
  pass();  // label sets, series and buffers come to be
  const std::uint64_t before = bench::allocation_count();
  for (auto _ : state) pass();
  const auto passes = static_cast<double>(state.iterations()) * static_cast<double>(lines.lines.size());
  benchmark::DoNotOptimize(sink.bytes);
  state.SetBytesProcessed(
      static_cast<std::int64_t>(static_cast<double>(lines.bytes) * static_cast<double>(state.iterations())));
  state.counters["ns/line"] =
      benchmark::Counter(passes / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["allocs/line"] = static_cast<double>(bench::allocation_count() - before) / passes;
}

const int kRegistered = [] {
  for (const Case& bench_case : kCases)
    benchmark::RegisterBenchmark(bench_case.name,
                                 [&bench_case](benchmark::State& state) { run_case(state, bench_case); });
  return 0;
}();

}  // namespace
