// naive_evaluator.h -- LogQL evaluated the slow and obvious way, to judge the engine by.
//
// Shape:    rows in a vector; every query looks at every row at every step. No blocks, no hints, no partial aggregates, no
//           threads: what is written here should be the definition of the language, readable beside its reference page.
// Shares:   the parser and the pipeline (unhinted) with the engine; those have judges of their own.
// Errors:   a sample with an error fails the query, as in the engine.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/labels.h"
#include "common/result.h"
#include "logql/log_source.h"
#include "logql/syntax/ast.h"

namespace kvasir::logql {

struct NaiveRow {
  Labels stream;
  TimestampNs timestamp;
  std::uint64_t sequence = 0;
  std::string line;
  std::vector<Label> metadata;
};

using NaiveVector = std::map<Labels, double>;

struct NaiveEntry {
  Labels labels;
  TimestampNs timestamp;
  std::string line;
  friend bool operator==(const NaiveEntry&, const NaiveEntry&) = default;
};

class NaiveEvaluator {
 public:
  /// Rows in order of arrival; of equal (stream, timestamp, line) the first one counts.
  explicit NaiveEvaluator(std::vector<NaiveRow> rows);

  /// A metric expression at one instant. Unsupported: expressions that the generator does not make.
  Result<NaiveVector> evaluate(const Expr& expr, TimestampNs at) const;
  /// The first `limit` entries of [begin, end) in the direction.
  Result<std::vector<NaiveEntry>> entries(const LogQuery& query, TimeRange range, Direction direction, std::size_t limit) const;

 private:
  struct Sample {
    TimestampNs timestamp;
    std::uint64_t sequence = 0;
    double value = 0;
  };
  using Samples = std::map<Labels, std::vector<Sample>>;

  Result<Samples> samples(const RangeAggregation& aggregation, TimestampNs at) const;
  Result<NaiveVector> range(const RangeAggregation& aggregation, TimestampNs at) const;
  Result<NaiveVector> vector(const VectorAggregation& aggregation, TimestampNs at) const;
  Result<NaiveVector> binary(const BinaryOperation& operation, TimestampNs at) const;

  std::vector<NaiveRow> rows_;
};

}  // namespace kvasir::logql
