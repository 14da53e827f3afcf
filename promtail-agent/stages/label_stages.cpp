// The stages that change nothing but labels: labels, static_labels, labeldrop, labelallow, tenant.
#include <algorithm>

#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/line_regex.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

class LabelsStage final : public Stage {
 public:
  LabelsStage(std::vector<TextPair> pairs, LabelSetTable* sets) : pairs_(std::move(pairs)), sets_(sets) {}
  std::string_view name() const override { return "labels"; }

  Verdict process(Entry& entry, EntrySink&) override {
    NumberText scratch;
    for (const TextPair& pair : pairs_) {
      const Value value = entry.extracted().get(pair.value);
      if (!value.has_text()) continue;
      const std::string_view text = value_text(value, scratch);
      if (is_utf8_line(text)) entry.set_labels(sets_->with(entry.labels(), pair.name, text));
    }
    return Verdict::kPass;
  }

 private:
  std::vector<TextPair> pairs_;  // label, extracted key
  LabelSetTable* sets_;
};

class StaticLabelsStage final : public Stage {
 public:
  StaticLabelsStage(std::vector<TextPair> pairs, LabelSetTable* sets) : pairs_(std::move(pairs)), sets_(sets) {}
  std::string_view name() const override { return "static_labels"; }

  Verdict process(Entry& entry, EntrySink&) override {
    for (const TextPair& pair : pairs_) entry.set_labels(sets_->with(entry.labels(), pair.name, pair.value));
    return Verdict::kPass;
  }

 private:
  std::vector<TextPair> pairs_;
  LabelSetTable* sets_;
};

class LabelDropStage final : public Stage {
 public:
  LabelDropStage(std::vector<std::string> names, LabelSetTable* sets) : names_(std::move(names)), sets_(sets) {}
  std::string_view name() const override { return "labeldrop"; }

  Verdict process(Entry& entry, EntrySink&) override {
    for (const std::string& name : names_) entry.set_labels(sets_->without(entry.labels(), name));
    return Verdict::kPass;
  }

 private:
  std::vector<std::string> names_;
  LabelSetTable* sets_;
};

class LabelAllowStage final : public Stage {
 public:
  LabelAllowStage(std::vector<std::string> names, LabelSetTable* sets) : names_(std::move(names)), sets_(sets) {}
  std::string_view name() const override { return "labelallow"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const LabelSetPtr before = entry.labels();
    for (const Label& label : before->labels) {
      const bool allowed = std::find(names_.begin(), names_.end(), label.name) != names_.end();
      if (!allowed) entry.set_labels(sets_->without(entry.labels(), label.name));
    }
    return Verdict::kPass;
  }

 private:
  std::vector<std::string> names_;
  LabelSetTable* sets_;
};

class TenantStage final : public Stage {
 public:
  enum class From { kSource, kLabel, kValue };
  TenantStage(From from, std::string text, LabelSetTable* sets) : from_(from), text_(std::move(text)), sets_(sets) {}
  std::string_view name() const override { return "tenant"; }

  Verdict process(Entry& entry, EntrySink&) override {
    NumberText scratch;
    const std::string_view tenant = read(entry, scratch);
    if (!tenant.empty() && is_utf8_line(tenant)) entry.set_labels(sets_->with(entry.labels(), kTenantLabel, tenant));
    return Verdict::kPass;
  }

 private:
  std::string_view read(Entry& entry, NumberText& scratch) const {
    if (from_ == From::kValue) return text_;
    if (from_ == From::kLabel) return entry.labels()->labels.value_or_empty(text_);
    const Value value = entry.extracted().get(text_);
    return value.has_text() ? value_text(value, scratch) : std::string_view();
  }

  From from_;
  std::string text_;
  LabelSetTable* sets_;
};

void warn_internal(const std::string& name, BuildContext& context) {
  if (!name.starts_with("__")) return;
  context.diagnostics.warnings.push_back(
      context.place.text() + ": label \"" + name +
      "\" starts with two underscores, yet it will be sent: stages run after relabelling");
}

// Shared by labeldrop and labelallow.
template <class StageType>
StageResult make_name_list_stage(const YamlNode& node, BuildContext& context, const std::string& stage) {
  KVASIR_TRY(auto names, read_texts(node));
  if (names.empty()) return invalid(stage + " stage config cannot be empty");
  return std::make_unique<StageType>(std::move(names), context.stage.label_sets);
}

}  // namespace

StageResult make_labels_stage(const YamlNode& node, BuildContext& context) {
  KVASIR_TRY(auto pairs, read_named_pairs(node, context, is_label_name));
  if (pairs.empty()) return invalid("label stage config cannot be empty");
  for (TextPair& pair : pairs) {
    if (pair.value.empty()) pair.value = pair.name;
    warn_internal(pair.name, context);
  }
  return std::make_unique<LabelsStage>(std::move(pairs), context.stage.label_sets);
}

StageResult make_static_labels_stage(const YamlNode& node, BuildContext& context) {
  const auto is_name = [](std::string_view name) { return !name.empty() && is_utf8_line(name); };
  KVASIR_TRY(auto pairs, read_named_pairs(node, context, is_name));
  if (pairs.empty()) return invalid("static_labels stage config cannot be empty");
  for (const TextPair& pair : pairs) warn_internal(pair.name, context);
  std::erase_if(pairs, [](const TextPair& pair) { return pair.value.empty(); });
  return std::make_unique<StaticLabelsStage>(std::move(pairs), context.stage.label_sets);
}

StageResult make_labeldrop_stage(const YamlNode& node, BuildContext& context) {
  return make_name_list_stage<LabelDropStage>(node, context, "labeldrop");
}

StageResult make_labelallow_stage(const YamlNode& node, BuildContext& context) {
  return make_name_list_stage<LabelAllowStage>(node, context, "labelallow");
}

StageResult make_tenant_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  const auto source = options.text("source", "");
  const auto label = options.text("label", "");
  const auto value = options.text("value", "");
  KVASIR_CHECK_OK(options.finish());
  const int given = !source.empty() + !label.empty() + !value.empty();
  if (given == 0) return invalid("label, source or value config are required");
  if (given > 1)
    return invalid("label, source and value are mutually exclusive: you should set source, value or label but not all");
  using From = TenantStage::From;
  const From from = !source.empty() ? From::kSource : !label.empty() ? From::kLabel : From::kValue;
  return std::make_unique<TenantStage>(from, source + label + value, context.stage.label_sets);
}

}  // namespace kvasir::agent
