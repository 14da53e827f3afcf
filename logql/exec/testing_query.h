// testing_query.h -- runs queries over lines in memory and prints the answers on one line each; for tests.
//
// Units:    times are seconds.
#pragma once

#include <string>
#include <vector>

#include "common/clock.h"
#include "logql/engine.h"
#include "logql/exec/memory_source.h"

namespace kvasir::logql {

struct TestingOptions {
  double start = 0;
  double end = 0;
  double step = 1;
  std::uint32_t limit = 1000;
  Direction direction = Direction::kForward;
  double interval = 0;
  bool categorize = false;
  Pushdowns pushdowns;
  QueryLimits limits;
  std::uint64_t memory = 0;  // bytes; 0 = no limit
};

class TestingQueries {
 public:
  explicit TestingQueries(MemorySourceOptions options = {}) : source_(options) {}

  void add(const Labels& stream, double seconds, std::string_view line, std::vector<Label> metadata = {});
  MemorySource& source() { return source_; }

  Result<QueryResult> run(std::string_view query, const TestingOptions& options, bool instant, bool as_table = false);

  /// `{a="b"} 1:2.5 2:3` per series, one a line; the text of the error if there is one.
  std::string range(std::string_view query, const TestingOptions& options);
  std::string instant(std::string_view query, double time, TestingOptions options = {});
  /// `{a="b"} 1:"line"` per stream.
  std::string logs(std::string_view query, const TestingOptions& options);
  /// `col1,col2` and then rows.
  std::string table(std::string_view query, const TestingOptions& options);

 private:
  SystemClock clock_;
  MemorySource source_;
};

/// The same text for any kind of result.
std::string testing_text(const Result<QueryResult>& result);

}  // namespace kvasir::logql
