// The regex stage: every named group of the first match becomes an extracted value.
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/line_regex.h"
#include "promtail-agent/stages/source_text.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

class RegexStage final : public Stage {
 public:
  RegexStage(LineRegex regex, SourceText source, LabelSetTable* labels)
      : regex_(std::move(regex)), source_(std::move(source)), labels_(labels) {}

  std::string_view name() const override { return "regex"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const auto text = source_.read(entry);
    if (!text || !regex_.search(*text, 0, groups_, scratch_)) return Verdict::kPass;
    for (const auto& [index, name] : regex_.named_groups()) {
      const std::string_view value = groups_[static_cast<std::size_t>(index)];
      entry.extracted().set(name, Value::of(value));
      if (labels_ != nullptr && is_utf8_line(value)) entry.set_labels(labels_->with(entry.labels(), name, value));
    }
    return Verdict::kPass;
  }

 private:
  LineRegex regex_;
  SourceText source_;
  LabelSetTable* labels_;  // set if groups become labels too
  std::vector<std::string_view> groups_;
  LineRegex::Scratch scratch_;
};

}  // namespace

StageResult make_regex_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  const auto expression = options.text("expression", "");
  auto source = SourceText::create(options.text("source"));
  if (!source) options.fault("source", source.error().message());
  const bool labels_too = options.flag("labels_from_groups");
  auto regex = LineRegex::compile(expression);
  if (expression.empty()) options.fault("expression", "expression is required");
  else if (!regex)
    options.fault("expression", "could not compile regular expression: " + regex.error().message());
  KVASIR_CHECK_OK(options.finish());
  for (const auto& group : regex->named_groups()) context.produced.insert(group.name);
  if (regex->named_groups().empty()) options.warn("the expression names no group, so nothing is extracted");
  return std::make_unique<RegexStage>(std::move(*regex), std::move(*source),
                                      labels_too ? context.stage.label_sets : nullptr);
}

}  // namespace kvasir::agent
