// log_scan.h -- the first `limit` entries of a log query over all streams.
//
// Shape:    workers take units in the order of the direction and offer what survives to one bounded heap; a unit that can no
//           longer improve the heap is not opened, and a block is left as soon as its rows cannot.
// Order:    by (timestamp, sequence) in the direction, or by the keys of `order by` first.
// Errors:   those of the scan; limit_exceeded from the memory budget.
#pragma once

#include <string>
#include <vector>

#include "logql/exec/scan.h"

namespace kvasir::logql {

/// An entry with its labels, and the texts of the fields that it is ordered by.
struct LogRow {
  ResultEntry entry;
  Labels labels;
  std::vector<std::string> keys;
};

struct LogScanRequest {
  ScanRequest scan;
  std::vector<OrderKey> order;     // empty: by time in the direction
  std::vector<LabelFilter> filters;  // of `order by ... | filter`, over the final labels
  std::size_t limit = 0;
  bool categorize = false;
};

/// In order.
Result<std::vector<LogRow>> scan_logs(const LogScanRequest& request, const QueryParams& params, LogSource& source,
                                      QueryContext& context);

/// Numbers compare as numbers if both sides are; a number is less than a text; an empty text comes last in either direction.
std::strong_ordering compare_field_texts(std::string_view a, std::string_view b);

}  // namespace kvasir::logql
