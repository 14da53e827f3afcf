// stats_groups.h -- the groups of a `stats` while rows are read: a key of texts, and a state per column.
//
// Meaning:  a missing field is an empty text. Aggregates skip rows whose field is missing or no number; durations and
//           byte sizes are numbers too (seconds, bytes). Without `by` there is one group, even if no row came.
// Limits:   bytes() is counted as groups grow; the owner charges it.
// Threads:  one thread; merge_from() when the others are done.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "logql/exec/stats_table.h"

namespace kvasir::logql {

/// A number, a duration in seconds, or a size in bytes. NaN is no number.
std::optional<double> stats_number(std::string_view text);
/// True if the function reads numbers, not texts.
bool stats_reads_numbers(StatsFunction function);

/// One field of a row. `number` is only looked at where the function reads numbers.
struct StatsField {
  std::string_view text;
  std::optional<double> number;
};

class StatsGroups {
 public:
  explicit StatsGroups(const Stats& stats) : stats_(&stats) {}

  /// The number of the group with this key; made if there is none.
  std::uint32_t find(std::span<const std::string_view> key);
  void add(std::uint32_t group, std::size_t column, const StatsField& field);
  void merge_from(StatsGroups& other);

  std::size_t size() const { return groups_.size(); }
  std::uint64_t bytes() const { return bytes_; }
  /// Rows in the order of their keys. The groups are used up.
  StatsTable finish();

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Texts = boost::unordered_flat_set<std::string, TextHash, std::equal_to<>>;
  struct State {
    std::uint64_t count = 0;
    double sum = 0;
    double min = 0;
    double max = 0;
    std::vector<double> values;
    Texts distinct;

    void take(double number, bool keep);
    void merge(State& other);
    StatsCell finish(const StatsColumn& column);
    std::uint64_t heap_bytes() const { return values.capacity() * sizeof(double); }
  };
  struct Group {
    std::vector<std::string> key;
    std::vector<State> states;
  };

  static std::string joined(std::span<const std::string_view> key);

  const Stats* stats_;
  std::vector<Group> groups_;
  boost::unordered_flat_map<std::string, std::uint32_t, TextHash, std::equal_to<>> index_;  // by the joined key
  std::uint64_t bytes_ = 0;
};

}  // namespace kvasir::logql
