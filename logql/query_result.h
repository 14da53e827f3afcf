// query_result.h -- what a query gives back, before it is written as JSON, a table or lines.
//
// Units:    metric timestamps are milliseconds since the epoch, entry timestamps nanoseconds.
// Order:    as reference clients expect: streams by label text, series by labels, points ascending; sorted queries keep
//           theirs.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/entry.h"
#include "common/labels.h"
#include "common/time.h"

namespace kvasir::logql {

struct ResultEntry {
  TimestampNs timestamp;
  std::uint64_t sequence = 0;
  std::string line;
  // Filled only when categorised labels were asked for.
  Labels structured_metadata;
  Labels parsed;
};

struct ResultStream {
  Labels labels;
  std::vector<ResultEntry> entries;  // in the direction of the query
};

struct Streams {
  std::vector<ResultStream> streams;
};

struct Point {
  std::int64_t timestamp_ms = 0;
  double value = 0;
};

struct Series {
  Labels labels;
  std::vector<Point> points;  // ascending; exactly one in a Vector
};

struct Vector {
  std::vector<Series> series;
};

struct Matrix {
  std::vector<Series> series;
};

struct Scalar {
  Point point;
};

/// Rows of `| stats`: named columns, labels first; what a terminal shows. Beside it `stats` also answers as Vector or
/// Matrix.
struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

using QueryResult = std::variant<Streams, Vector, Matrix, Scalar, Table>;

}  // namespace kvasir::logql
