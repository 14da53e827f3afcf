// query_generator.h -- random rows and random queries over them, for tests that compare two ways to an answer.
//
// Shape:    few names and few values, so that filters hit, groups meet and labels collide.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "tests/property/naive_evaluator.h"

namespace kvasir::logql {

inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;
inline constexpr int kSpanSeconds = 60;  // rows lie in [0, kSpanSeconds]

class QueryGenerator {
 public:
  explicit QueryGenerator(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::string pick(std::initializer_list<const char*> items) { return *(items.begin() + below(items.size())); }
  std::string number(std::size_t n) { return std::to_string(below(n)); }

  /// In order of arrival, some of them twice.
  std::vector<NaiveRow> rows();
  std::string log_query();
  /// A log query with `order by` and what may follow it.
  std::string ordered_query();
  std::string stats_query();
  /// Anything with a value, `let` and `variants` included.
  std::string metric_query();

 private:
  std::string line();
  std::string word();
  std::string selector();
  std::string pipeline(bool errors_pass);
  std::string parser();
  std::string line_filter();
  std::string label_filter();
  std::string format();
  std::string log_range(bool unwrapped);
  std::string range();
  std::string grouping();
  std::string aggregate(const std::string& by);
  std::string vector(int depth);
  std::string binary(int depth);
  std::string let_query();

  std::mt19937_64 random_;
};

}  // namespace kvasir::logql
