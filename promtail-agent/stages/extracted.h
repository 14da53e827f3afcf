// extracted.h -- the map of values that stages hand to each other while an entry is in a pipeline.
//
// Model:    a key is missing, present with null, or present with a string, a number or a bool; missing and null differ.
//           At the start of a pipeline (and of every nested one) the entry's labels are filled in, over values of the
//           same name.
// Lifetime: keys and values are views: into the configuration, the label set, the line or the entry's arena. All
//           outlive the pass of the entry through its pipeline.
// Threads:  one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "promtail-agent/stages/label_set.h"

namespace kvasir::agent {

class Arena;

enum class ValueKind : std::uint8_t { kMissing, kNull, kString, kNumber, kBool };

struct Value {
  ValueKind kind = ValueKind::kMissing;
  bool boolean = false;
  double number = 0;
  /// kString: the text. kNumber: the digits as written when they say more than the double (large integers); else empty.
  std::string_view text;

  static Value null() { return {ValueKind::kNull, false, 0, {}}; }
  static Value of(std::string_view text) { return {ValueKind::kString, false, 0, text}; }
  static Value of(double number, std::string_view digits = {}) { return {ValueKind::kNumber, false, number, digits}; }
  static Value of_bool(bool boolean) { return {ValueKind::kBool, boolean, 0, {}}; }

  bool missing() const { return kind == ValueKind::kMissing; }
  /// Neither missing nor null.
  bool has_text() const { return kind > ValueKind::kNull; }
};

/// Any decimal or boolean text fits: the longest shortest-decimal double without an exponent has under 350 characters.
using NumberText = char[384];

/// The value as text: shortest decimal without exponent for numbers, true/false. REQUIRES: has_text(). The view is into
/// the value's own text or into `scratch`.
std::string_view value_text(const Value& value, NumberText& scratch);

class Extracted {
 public:
  /// Forgets everything, then sees one string for each label.
  void begin(const LabelSetPtr& labels);
  /// The fill at the start of a nested pipeline: labels overwrite, everything else stays.
  void refill(const LabelSetPtr& labels);

  /// kMissing if the key is not there.
  Value get(std::string_view key) const;
  /// The views must live as long as the entry's pass.
  void set(std::string_view key, const Value& value);
  void erase(std::string_view key);

  /// Calls f(key, value) for each key that is present (null too), in no order.
  template <class F>
  void for_each(F f) const {
    for (const Item& item : items_)
      if (!item.value.missing()) f(item.key, item.value);
    for (const Label& label : filled_->labels)
      if (find(label.name) == nullptr) f(std::string_view(label.name), Value::of(label.value));
  }

  /// Moves every view into `arena`, for an entry that is held back.
  void own(Arena& arena);

 private:
  struct Item {
    std::string_view key;
    Value value;  // kMissing: erased, hides the label of that name
  };
  const Item* find(std::string_view key) const {
    for (const Item& item : items_)
      if (item.key == key) return &item;
    return nullptr;
  }

  std::vector<Item> items_;
  LabelSetPtr filled_;                  // labels that count as extracted unless an item hides them
  std::vector<LabelSetPtr> pinned_;     // earlier fills whose texts items_ still refer to
};

}  // namespace kvasir::agent
