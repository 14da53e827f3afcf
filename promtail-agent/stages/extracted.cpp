#include "promtail-agent/stages/extracted.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "promtail-agent/stages/arena.h"

namespace kvasir::agent {
namespace {

std::string_view number_text(double number, NumberText& scratch) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "+Inf" : "-Inf";
  const auto [end, error] = std::to_chars(scratch, scratch + sizeof scratch, number, std::chars_format::fixed);
  return error == std::errc() ? std::string_view(scratch, end - scratch) : std::string_view();
}

}  // namespace

std::string_view value_text(const Value& value, NumberText& scratch) {
  switch (value.kind) {
    case ValueKind::kString: return value.text;
    case ValueKind::kBool: return value.boolean ? "true" : "false";
    case ValueKind::kNumber: return value.text.empty() ? number_text(value.number, scratch) : value.text;
    default: return {};
  }
}

void Extracted::begin(const LabelSetPtr& labels) {
  items_.clear();
  pinned_.clear();
  filled_ = labels;
}

void Extracted::refill(const LabelSetPtr& labels) {
  std::erase_if(items_, [&](const Item& item) { return labels->labels.has(item.key); });
  if (filled_ == labels) return;
  // Labels that are gone by now stay extracted.
  for (const Label& label : filled_->labels)
    if (!labels->labels.has(label.name) && find(label.name) == nullptr)
      items_.push_back({label.name, Value::of(label.value)});
  pinned_.push_back(std::move(filled_));
  filled_ = labels;
}

Value Extracted::get(std::string_view key) const {
  if (const Item* item = find(key)) return item->value;
  if (const auto label = filled_->labels.get(key)) return Value::of(*label);
  return {};
}

void Extracted::set(std::string_view key, const Value& value) {
  for (Item& item : items_) {
    if (item.key != key) continue;
    item.value = value;
    return;
  }
  items_.push_back({key, value});
}

void Extracted::erase(std::string_view key) {
  if (filled_->labels.has(key)) return set(key, Value{});
  std::erase_if(items_, [&](const Item& item) { return item.key == key; });
}

void Extracted::own(Arena& arena) {
  for (Item& item : items_) {
    item.key = arena.copy(item.key);
    item.value.text = arena.copy(item.value.text);
  }
  pinned_.clear();
}

}  // namespace kvasir::agent
