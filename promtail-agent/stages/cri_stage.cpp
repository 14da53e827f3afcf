// The cri stage: `<time> stdout|stderr <flags> <text>` as container runtimes write it; P in the flags says that more
// follows.
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/partial_lines.h"
#include "promtail-agent/stages/stage_options.h"
#include "promtail-agent/stages/timestamp_fudge.h"
#include "common/number.h"
#include "promtail-agent/stages/cri_line.h"

namespace kvasir::agent {
namespace {

class CriStage final : public Stage {
 public:
  CriStage(PartialOptions options, bool partial_tags, const StageContext& context)
      : partial_(options, *context.clock), partial_tags_(partial_tags), sets_(context.label_sets) {}
  std::string_view name() const override { return "cri"; }

  Verdict process(Entry& entry, EntrySink& next) override {
    entry.extracted().refill(entry.labels());
    const auto cri = split_cri_line(entry.line());
    if (!cri) {
      fudge_.apply(entry, std::nullopt);
      return partial_.process(entry, false, next);
    }
    Extracted& extracted = entry.extracted();
    extracted.set("time", Value::of(cri->time));
    extracted.set("stream", Value::of(cri->stream));
    extracted.set("flags", Value::of(cri->flags));
    extracted.set("content", Value::of(cri->content));
    entry.set_labels(sets_->with(entry.labels(), "stream", cri->stream));
    fudge_.apply(entry, read_rfc3339(cri->time));
    entry.set_line(cri->content);
    const bool partial = cri->flags == "P" || (partial_tags_ && cri->flags.starts_with("P:"));
    return partial_.process(entry, partial, next);
  }

  void tick(EntrySink& next) override { partial_.tick(next); }
  Duration deadline() const override { return partial_.deadline(); }

 private:
  PartialLines partial_;
  bool partial_tags_;
  LabelSetTable* sets_;
  TimestampFudge fudge_;
};

}  // namespace

std::optional<CriLine> split_cri_line(std::string_view line) {
  CriLine out;
  const auto word = [&line](std::string_view& to) {
    const std::size_t end = line.find_first_of(" \t\n\f\r");
    if (end == 0 || end == std::string_view::npos || line[end] != ' ') return false;
    to = line.substr(0, end);
    line.remove_prefix(end + 1);
    return true;
  };
  if (!word(out.time) || !word(out.stream) || (out.stream != "stdout" && out.stream != "stderr") || !word(out.flags))
    return std::nullopt;
  out.content = line;
  return out;
}

StageResult make_cri_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  PartialOptions partial;
  const auto max_lines = options.integer("max_partial_lines", 0);
  const auto max_size = options.text("max_partial_line_size");
  partial.truncate = options.flag("max_partial_line_size_truncate");
  const auto timeout = options.text("partial_timeout");
  const bool partial_tags = options.flag("partial_tags", true);
  if (max_lines > 0) partial.max_sets = static_cast<std::size_t>(max_lines);
  if (max_size) {
    const auto bytes = parse_base2_size(*max_size);
    if (bytes) partial.truncate_bytes = *bytes;
    else
      options.fault("max_partial_line_size",
                    "'max_partial_line_size' expected a number of bytes, got '" + *max_size + "'");
  }
  if (timeout) {
    const auto parsed = parse_go_duration(*timeout);
    if (parsed) partial.timeout = *parsed;
    else options.fault("partial_timeout", "'partial_timeout' expected a duration, got '" + *timeout + "'");
  }
  KVASIR_CHECK_OK(options.finish());
  for (const char* name : {"time", "stream", "flags", "content"}) context.produced.insert(name);
  return std::make_unique<CriStage>(partial, partial_tags, context.stage);
}

}  // namespace kvasir::agent
