// testing_pipeline.h -- runs lines through a pipeline written as YAML and shows what comes out; for tests.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/yaml.h"
#include "promtail-agent/stages/metric_registry.h"
#include "promtail-agent/stages/pipeline_builder.h"

namespace kvasir::agent {

/// 2024-06-01T00:00:00Z
inline constexpr TimestampNs kTestNow{1'717'200'000'000'000'000};

struct SeenEntry {
  std::string labels;
  TimestampNs timestamp;
  std::string line;
  std::string metadata;
  std::vector<SourceRange> sources;
};

class TestingPipeline final : public EntrySink {
 public:
  explicit TestingPipeline(std::string_view yaml) { rebuild(yaml); }

  void rebuild(std::string_view yaml) {
    StageContext context;
    context.clock = &clock;
    context.metrics = &registry;
    context.wait = [this](Duration time) { waited += time; };
    context.job = "j";
    context.metrics_schema = schema;
    context.observer = observer;
    const auto node = parse_yaml(yaml);
    if (!node) {
      error = node.error().message();
      return;
    }
    auto built = build_pipeline(*node, context, diagnostics);
    if (built) pipeline = std::move(*built);
    else error = built.error().message();
  }

  /// Gives a line of the label set {job="j"}, or of another.
  void feed(std::string_view line, const LabelSetPtr& labels = nullptr) {
    const std::string text(line);
    entry_.begin(labels ? labels : base, clock.now(), text, {1, offset, offset + line.size() + 1});
    offset += line.size() + 1;
    pipeline->process(entry_, *this);
  }

  void accept(Entry& entry) override {
    SeenEntry out{entry.labels()->labels.to_string(), entry.timestamp(), std::string(entry.line()), {}, {}};
    for (const LabelView& pair : entry.metadata()) {
      if (!out.metadata.empty()) out.metadata += ' ';
      out.metadata += std::string(pair.name) + "=" + std::string(pair.value);
    }
    out.sources.assign(entry.sources().begin(), entry.sources().end());
    settle(entry);
    seen.push_back(std::move(out));
  }
  void dropped(Entry& entry) override {
    ++drops;
    settle(entry);
  }

  /// Lines that came out, divided by `|`.
  std::string lines() const {
    std::string out;
    for (const SeenEntry& entry : seen) out += (out.empty() ? "" : "|") + entry.line;
    return out;
  }

  std::string metrics_text() { return registry.render(MetricsFormat::kPrometheus); }
  bool shows(std::string_view sample) {
    return ("\n" + metrics_text()).find("\n" + std::string(sample) + "\n") != std::string::npos;
  }

  ManualClock clock{kTestNow};
  MetricRegistry registry{clock};
  StageContext::MetricsSchema schema = StageContext::MetricsSchema::kAuto;
  StageObserver* observer = nullptr;
  Diagnostics diagnostics;
  std::string error;
  std::unique_ptr<Pipeline> pipeline;
  LabelSetPtr base = make_label_set(Labels{{"job", "j"}});
  std::vector<SeenEntry> seen;
  int drops = 0;
  std::uint64_t offset = 0;
  std::uint64_t settled = 0;  // bytes of source ranges given back
  Duration waited{0};

 private:
  void settle(const Entry& entry) {
    for (const SourceRange& range : entry.sources()) settled += range.end - range.begin;
  }
  Entry entry_;
};

/// What one line becomes; "(dropped)" and "(held)" if nothing comes out.
inline std::string run_line(std::string_view yaml, std::string_view line) {
  TestingPipeline test(yaml);
  if (!test.error.empty()) return "error: " + test.error;
  test.feed(line);
  if (test.drops > 0) return "(dropped)";
  return test.seen.empty() ? "(held)" : test.seen.front().line;
}

/// The labels one line ends with.
inline std::string run_labels(std::string_view yaml, std::string_view line) {
  TestingPipeline test(yaml);
  if (!test.error.empty()) return "error: " + test.error;
  test.feed(line);
  return test.seen.empty() ? "(none)" : test.seen.front().labels;
}

}  // namespace kvasir::agent
