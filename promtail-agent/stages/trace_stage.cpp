// The trace stage (ours): the ids of the trace and the span a line belongs to, as structured metadata.
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/source_text.h"
#include "promtail-agent/stages/stage_options.h"
#include "promtail-agent/stages/trace_ids.h"

namespace kvasir::agent {
namespace {

struct TraceNames {
  std::string trace;
  std::string span;
};

class TraceStage final : public Stage {
 public:
  TraceStage(SourceText source, TraceNames names) : source_(std::move(source)), names_(std::move(names)) {}
  std::string_view name() const override { return "trace"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const auto text = source_.read(entry);
    if (!text) return Verdict::kPass;
    TraceIds ids = find_trace_ids(*text);
    // A source that is nothing but the header's value has no key in front.
    if (ids.trace.empty() && !source_.is_line()) ids = bare(*text);
    if (!ids.trace.empty()) entry.set_metadata(names_.trace, ids.trace.view());
    if (!ids.span.empty()) entry.set_metadata(names_.span, ids.span.view());
    return Verdict::kPass;
  }

 private:
  static TraceIds bare(std::string_view text) {
    if (text.find(':') != std::string_view::npos) return parse_jaeger(text);
    const TraceIds parent = parse_traceparent(text);
    if (!parent.trace.empty()) return parent;
    const TraceIds b3 = parse_b3(text);
    return b3.trace.empty() ? TraceIds{HexId::from_hex(text), {}} : b3;
  }

  SourceText source_;
  TraceNames names_;
};

}  // namespace

StageResult make_trace_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  KVASIR_TRY(auto source, SourceText::create(options.text("source")));
  TraceNames names{options.text("trace_name", "trace_id"), options.text("span_name", "span_id")};
  KVASIR_CHECK_OK(options.finish());
  for (const std::string& name : {names.trace, names.span})
    if (!is_label_name(name)) return invalid("invalid label name: " + name);
  return std::make_unique<TraceStage>(std::move(source), std::move(names));
}

}  // namespace kvasir::agent
