// label_values.h -- the values of one label, and the streams that carry each.
//
// Shape:    a table from value to ids, and beside it a flat list of the values: most of it in order, what came last
//           behind it. So a list of all values is one walk over memory that lies together.
// Lifetime: a value stays where it is as long as this lives: views of it may be kept.
// Threads:  as any container; its owner locks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace kvasir::index {

using StreamId = std::uint32_t;

class LabelValues {
 public:
  using Ids = std::vector<StreamId>;
  struct Value {
    std::string_view text;
    StreamId first;   // of the ids; most values have one
    const Ids* ids;   // ascending
  };

  /// REQUIRES: ids come ascending.
  void add(std::string_view value, StreamId id);
  /// Null: no stream carries it.
  const Ids* find(std::string_view value) const;
  /// All of them, in no order.
  std::span<const Value> all() const { return list_; }
  bool in_order() const { return in_order_ == list_.size(); }
  /// Puts all() in ascending order, until the next new value.
  void put_in_order();

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, Ids, TextHash, std::equal_to<>> ids_of_;  // its nodes stay where they are
  std::vector<Value> list_;
  std::size_t in_order_ = 0;  // from the front
};

}  // namespace kvasir::index
