// log_scan.h -- the first `limit` entries of a log query over all streams.
//
// Shape:    workers take units in the order of the direction and offer what survives to one bounded heap; a unit that
//           can no longer improve the heap is not opened, and a block is left as soon as its rows cannot.
// Order:    by (timestamp, sequence) in the direction, or by the keys of `order by` first.
// Limits:   `limit` rows; with `bytes_max` also that many bytes, but at least one row. What is left out comes after
//           what is given.
// Errors:   those of the scan; limit_exceeded from the memory budget.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "logql/exec/scan.h"

namespace kvasir::logql {

/// An entry with its labels (shared by rows that have the same), and the texts of the fields that it is ordered by.
struct LogRow {
  ResultEntry entry;
  std::shared_ptr<const Labels> labels;
  std::vector<std::string> keys;
  std::uint64_t bytes = 0;  // of memory that this row holds
};

struct LogScanRequest {
  ScanRequest scan;
  std::vector<OrderKey> order;     // empty: by time in the direction
  std::vector<LabelFilter> filters;  // of `order by ... | filter`, over the final labels
  std::size_t limit = 0;
  std::uint64_t bytes_max = 0;           // of the rows given; 0: no limit but the memory budget
  std::optional<EntryPosition> after;    // rows up to and with this place in the order were given before
  bool categorize = false;
};

struct LogScanResult {
  std::vector<LogRow> rows;  // in order
  bool full = false;         // a limit was reached: there may be more rows
};
Result<LogScanResult> scan_logs(const LogScanRequest& request, const QueryParams& params, LogSource& source,
                                      QueryContext& context);

/// Numbers compare as numbers if both sides are (durations in seconds, sizes in bytes, as stats reads them); a number
/// is less than a text. An empty text is for the caller to put last.
std::strong_ordering compare_field_texts(std::string_view a, std::string_view b);

}  // namespace kvasir::logql
