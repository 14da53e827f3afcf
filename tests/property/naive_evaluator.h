// naive_evaluator.h -- LogQL evaluated the slow and obvious way, to judge the engine by.
//
// Shape:    rows in a vector; every query looks at every row at every step. No blocks, no hints, no partial aggregates,
//           no threads: what is written here should be the definition of the language, readable beside
//           docs/logql-extensions.md. naive_evaluator.cpp has the expressions, naive_rows.cpp what reads rows.
// Shares:   the parser and the pipeline (unhinted) with the engine; those have judges of their own.
// Errors:   a sample with an error fails the query, as in the engine; so does vector matching that is not unique.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "common/labels.h"
#include "common/result.h"
#include "logql/log_source.h"
#include "logql/pipeline/pipeline.h"
#include "logql/syntax/ast.h"

namespace kvasir::logql {

struct NaiveRow {
  Labels stream;
  TimestampNs timestamp;
  std::uint64_t sequence = 0;
  std::string line;
  std::vector<Label> metadata;
};

struct NaiveSample {
  Labels labels;
  double value = 0;
};
using NaiveVector = std::vector<NaiveSample>;  // two samples may have equal labels
using NaiveValue = std::variant<double, NaiveVector>;

struct NaiveEntry {
  Labels labels;
  TimestampNs timestamp;
  std::string line;
  Labels metadata;  // of categorised answers, as `parsed`
  Labels parsed;
  friend bool operator==(const NaiveEntry&, const NaiveEntry&) = default;
};

/// Rows of a `stats`: cells are text or numbers.
struct NaiveTable {
  using Cell = std::variant<std::string, double>;
  std::vector<std::string> columns;
  std::size_t by_count = 0;
  std::vector<std::vector<Cell>> rows;
};

struct NaiveOptions {
  bool field_selectors = false;
  /// A line that json or logfmt cannot read is a sample like any other: what a query may do that needs no label of it.
  bool forgive_parsers = false;
  Duration stats_window{0};
  /// Entries are grouped by the labels of their stream, and carry the others.
  bool categorize = false;
  /// Entries in order of time stand at least so far apart; the limit counts before.
  Duration interval{0};
};

class NaiveEvaluator {
 public:
  /// Rows in order of arrival; of equal (stream, timestamp, line) the first one counts.
  explicit NaiveEvaluator(std::vector<NaiveRow> rows);
  void set(const NaiveOptions& options) { options_ = options; }

  /// A metric expression at one instant.
  Result<NaiveValue> evaluate(const Expr& expr, TimestampNs at) const { return evaluate(expr, at, {}); }
  /// The first `limit` entries of [begin, end) in the direction, or in the order that the query asks for.
  Result<std::vector<NaiveEntry>> entries(const LogQuery& query, TimeRange range, Direction direction,
                                          std::size_t limit) const;
  /// The rows of a query with `stats` over [begin, end).
  Result<NaiveTable> table(const LogQuery& query, TimeRange range) const;

 private:
  struct Sample {
    TimestampNs timestamp;
    double value = 0;
  };
  using Samples = std::map<Labels, std::vector<Sample>>;
  /// What `let` makes of a name in a piece of arithmetic: it is first grouped by these labels.
  using PinnedNames = std::map<std::string, std::vector<std::string>>;
  /// A row that passed, and what its stages made of it.
  struct Processed {
    const NaiveRow* row = nullptr;
    Labels labels;
    Labels stream, metadata, parsed;  // the labels by category
    std::string line;
    double value = 0;
    std::string error;
  };

  Result<NaiveValue> evaluate(const Expr& expr, TimestampNs at, const PinnedNames& pinned) const;
  Result<NaiveVector> vector_of(const Expr& expr, TimestampNs at, const PinnedNames& pinned) const;
  Result<NaiveVector> range(const RangeAggregation& aggregation, TimestampNs at) const;
  Result<NaiveVector> aggregate(const VectorAggregation& aggregation, TimestampNs at) const;
  Result<NaiveValue> binary(const BinaryOperation& operation, TimestampNs at, const PinnedNames& pinned) const;
  Result<NaiveVector> replace_label(const LabelReplace& node, TimestampNs at) const;
  Result<NaiveVector> variants(const Variants& node, TimestampNs at) const;
  Result<NaiveValue> variable(const LetVariable& node, TimestampNs at, const PinnedNames& pinned) const;
  NaiveVector stats_vector(const NaiveTable& table) const;

  bool selects(const Selector& selector, const NaiveRow& row) const;
  bool selects_by_field(const LabelMatcher& matcher, const NaiveRow& row) const;
  Result<std::vector<Processed>> process(const Selector& selector, const std::vector<Stage>& stages,
                                         const Unwrap* unwrap, TimeRange range) const;
  Result<Samples> samples(const RangeAggregation& aggregation, TimestampNs at) const;

  std::vector<NaiveRow> rows_;
  NaiveOptions options_;
};

/// Order of two field texts: numbers by value, a number before a text.
int naive_compare(const std::string& a, const std::string& b);

}  // namespace kvasir::logql
