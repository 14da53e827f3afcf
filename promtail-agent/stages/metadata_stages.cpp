// The stages that write structured metadata: structured_metadata (alias non_indexed_labels), structured_metadata_drop.
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/line_regex.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

class StructuredMetadataStage final : public Stage {
 public:
  StructuredMetadataStage(std::vector<TextPair> pairs, LabelSetTable* sets) : pairs_(std::move(pairs)), sets_(sets) {}
  std::string_view name() const override { return "structured_metadata"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const LabelSetPtr before = entry.labels();
    NumberText scratch;
    for (const TextPair& pair : pairs_) {
      const Value value = entry.extracted().get(pair.value);
      const auto label = before->labels.get(pair.value);
      if (!value.has_text() && !label) continue;
      const std::string_view text = value.has_text() ? value_text(value, scratch) : *label;
      if (!is_utf8_line(text)) continue;
      entry.set_metadata(pair.name, text);
      if (label && *label == text) entry.set_labels(sets_->without(entry.labels(), pair.value));
    }
    return Verdict::kPass;
  }

 private:
  std::vector<TextPair> pairs_;  // metadata name, source
  LabelSetTable* sets_;
};

class StructuredMetadataDropStage final : public Stage {
 public:
  explicit StructuredMetadataDropStage(std::vector<std::string> names) : names_(std::move(names)) {}
  std::string_view name() const override { return "structured_metadata_drop"; }

  Verdict process(Entry& entry, EntrySink&) override {
    for (const std::string& name : names_) entry.erase_metadata(name);
    return Verdict::kPass;
  }

 private:
  std::vector<std::string> names_;
};

}  // namespace

StageResult make_structured_metadata_stage(const YamlNode& node, BuildContext& context) {
  KVASIR_TRY(auto pairs, read_named_pairs(node, context, is_label_name));
  if (pairs.empty()) return invalid("structured_metadata stage config cannot be empty");
  for (TextPair& pair : pairs) {
    if (pair.value.empty()) pair.value = pair.name;
  }
  return std::make_unique<StructuredMetadataStage>(std::move(pairs), context.stage.label_sets);
}

StageResult make_structured_metadata_drop_stage(const YamlNode& node, BuildContext&) {
  KVASIR_TRY(auto names, read_texts(node));
  if (names.empty()) return invalid("structured_metadata_drop stage config cannot be empty");
  return std::make_unique<StructuredMetadataDropStage>(std::move(names));
}

}  // namespace kvasir::agent
