// The logfmt stage: chosen keys of key=value text.
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/logfmt_parser.h"
#include "promtail-agent/stages/metric_registry.h"
#include "promtail-agent/stages/source_text.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

class LogfmtStage final : public Stage {
 public:
  LogfmtStage(SourceText source, std::vector<TextPair> mapping, MetricRegistry* metrics)
      : source_(std::move(source)), mapping_(std::move(mapping)), metrics_(metrics) {}

  std::string_view name() const override { return "logfmt"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const auto text = source_.read(entry);
    if (!text) return Verdict::kPass;
    LogfmtParser parser(*text, entry.arena());
    LogfmtPair pair;
    while (parser.next(pair)) {
      for (const TextPair& wanted : mapping_)
        if (wanted.value == pair.key) entry.extracted().set(wanted.name, Value::of(pair.value));
    }
    if (parser.errors() > 0) count_errors(parser.errors());
    return Verdict::kPass;
  }

 private:
  void count_errors(int errors) {
    if (metrics_ == nullptr) return;
    if (!errors_)
      errors_ = metrics_->counter("promtail_logfmt_errors_total", "Records that are not logfmt from some point on");
    errors_->add(errors);
  }

  SourceText source_;
  std::vector<TextPair> mapping_;  // name: the extracted key; value: the logfmt key
  MetricRegistry* metrics_;
  SeriesPtr errors_;
};

}  // namespace

StageResult make_logfmt_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  auto mapping = options.pairs("mapping");
  auto source = SourceText::create(options.text("source"));
  if (!source) options.fault("source", source.error().message());
  if (mapping.empty() && !options.faulty()) options.fault("mapping", "logfmt mapping is required");
  KVASIR_CHECK_OK(options.finish());
  for (TextPair& pair : mapping) {
    if (pair.value.empty()) pair.value = pair.name;
    context.produced.insert(pair.name);
  }
  return std::make_unique<LogfmtStage>(std::move(*source), std::move(mapping), context.stage.metrics);
}

}  // namespace kvasir::agent
