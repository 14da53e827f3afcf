#include "promtail-agent/stages/entry_template.h"

#include <algorithm>

#include "promtail-agent/stages/sprig/sprig.h"

namespace kvasir::agent {
namespace {

using TemplateValue = gotemplate::Value;

/// The extracted map as a template sees it.
class EntryMap final : public gotemplate::MapSource {
 public:
  EntryMap(const Entry& entry, const EntryTemplate::Data& data, gotemplate::Heap& heap)
      : entry_(entry), data_(data), heap_(heap) {}

  std::optional<TemplateValue> find(std::string_view key) const override {
    if (key == "Value") return data_.value ? std::optional(TemplateValue::string(*data_.value)) : std::nullopt;
    if (key == "Entry" && data_.line) return TemplateValue::string(entry_.line());
    return text_of(entry_.extracted().get(key));
  }

  TemplateValue missing() const override { return {}; }

  void each(const std::function<bool(std::string_view, const TemplateValue&)>& visit) const override {
    std::vector<std::string_view> keys = this->keys();
    std::sort(keys.begin(), keys.end());
    for (const std::string_view key : keys)
      if (const auto value = find(key); value && !visit(key, *value)) return;
  }

  std::size_t size() const override { return keys().size(); }

 private:
  std::vector<std::string_view> keys() const {
    std::vector<std::string_view> out;
    entry_.extracted().for_each([&](std::string_view key, const Value& value) {
      if (value.has_text() && key != "Value" && !(key == "Entry" && data_.line)) out.push_back(key);
    });
    if (data_.value) out.emplace_back("Value");
    if (data_.line) out.emplace_back("Entry");
    return out;
  }

  std::optional<TemplateValue> text_of(const Value& value) const {
    if (!value.has_text()) return std::nullopt;
    NumberText scratch;
    const std::string_view text = value_text(value, scratch);
    return value.kind == ValueKind::kString ? TemplateValue::string(text) : heap_.string(text);
  }

  const Entry& entry_;
  const EntryTemplate::Data& data_;
  gotemplate::Heap& heap_;
};

}  // namespace

EntryTemplate::EntryTemplate(gotemplate::Template program)
    : program_(std::move(program)), environment_(std::make_unique<gotemplate::Environment>()) {}

Result<EntryTemplate> EntryTemplate::parse(std::string_view text) {
  KVASIR_TRY(auto program, gotemplate::Template::parse("pipeline_template", text, agent_functions()));
  return EntryTemplate(std::move(program));
}

bool EntryTemplate::render(const Entry& entry, const Data& data, std::string& out) {
  environment_->heap.reset();
  environment_->line = entry.line();
  environment_->timestamp = entry.timestamp();
  const EntryMap map(entry, data, environment_->heap);
  return program_.execute(TemplateValue::map(&map), *environment_, out).has_value();
}

}  // namespace kvasir::agent
