// value.h -- what a Go template computes with: nil, booleans, numbers, strings, times, lists and maps.
//
// Shape:    Value is small and trivially copied; strings, times, lists and maps live elsewhere: in the caller's data,
//           in the template (its literals) or in the Heap of the execution.
// Lifetime: a Value is good until Heap::reset() or the end of what it points into.
// Threads:  a Heap belongs to one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/go_time.h"
#include "logql/pipeline/arena.h"

namespace kvasir::gotemplate {

class Value;
using List = std::vector<Value>;

/// A map with string keys, as templates see it. Implement it to give a template data without building a map.
class MapSource {
 public:
  virtual ~MapSource() = default;
  /// Empty if there is no such key.
  virtual std::optional<Value> find(std::string_view key) const = 0;
  /// What a missing key reads as: nil for a map of anything, "" for a map of strings.
  virtual Value missing() const = 0;
  /// Every pair, ascending by key.
  virtual void each(const std::function<bool(std::string_view, const Value&)>& visit) const = 0;
  virtual std::size_t size() const = 0;
};

class Value {
 public:
  enum class Kind : std::uint8_t { kNil, kBool, kInt, kFloat, kString, kTime, kList, kMap };

  Value() = default;
  static Value boolean(bool value);
  static Value integer(std::int64_t value);
  static Value real(double value);
  static Value string(std::string_view text);
  static Value time(const GoTime* time);
  static Value list(const List* list);
  static Value map(const MapSource* map);

  Kind kind() const { return kind_; }
  bool is_nil() const { return kind_ == Kind::kNil; }
  bool is_string() const { return kind_ == Kind::kString; }

  // REQUIRES: the kind.
  bool as_bool() const { return integer_ != 0; }
  std::int64_t as_int() const { return integer_; }
  double as_real() const { return real_; }
  std::string_view as_string() const { return {text_, size_}; }
  const GoTime& as_time() const { return *time_; }
  const List& as_list() const { return *list_; }
  const MapSource& as_map() const { return *map_; }

  /// False, 0, "", nil and empty collections are false.
  bool truth() const;
  /// Go's name of the type: string, int, float64, bool, time.Time, []interface {}, map[string]interface {}.
  std::string_view type_name() const;
  /// As `{{ }}` and print show it.
  void append_to(std::string& out) const;

 private:
  Kind kind_ = Kind::kNil;
  std::size_t size_ = 0;
  union {
    std::int64_t integer_ = 0;
    double real_;
    const char* text_;
    const GoTime* time_;
    const List* list_;
    const MapSource* map_;
  };
};

/// A map that owns its pairs, ascending by key.
class OwnedMap : public MapSource {
 public:
  void set(std::string_view key, Value value);  // the key must outlive the map
  void erase(std::string_view key);
  std::optional<Value> find(std::string_view key) const override;
  Value missing() const override { return Value(); }
  void each(const std::function<bool(std::string_view, const Value&)>& visit) const override;
  std::size_t size() const override { return pairs_.size(); }

 private:
  std::vector<std::pair<std::string_view, Value>> pairs_;
};

/// Owns what an execution makes.
class Heap {
 public:
  Value string(std::string_view text) { return Value::string(arena_.copy(text)); }
  Value time(GoTime time);
  List& list();
  OwnedMap& map();
  void reset();

 private:
  logql::Arena arena_;
  std::deque<GoTime> times_;
  std::deque<List> lists_;
  std::deque<OwnedMap> maps_;
};

}  // namespace kvasir::gotemplate
