// evidence.h -- the lines behind an alert: the log query inside a rule's expression, narrowed to one alert's labels.
//
// Model:    the first selector of the expression counts, left to right (the left side of a comparison), with its stages
//           and the window it looked at. Labels that label_replace made do not narrow: no line carries them.
// Errors:   not_found: the expression reads no lines (`vector(1)`).
// Threads:  any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/labels.h"
#include "common/result.h"
#include "common/time.h"

namespace kvasir::alerts {

inline constexpr std::size_t kEvidenceLinesMax = 20;
inline constexpr std::size_t kEvidenceLineBytesMax = 1024;  // receivers have limits of their own; a longer line is cut

struct EvidenceQuery {
  std::string query;
  TimestampNs start;  // the window is [start, end)
  TimestampNs end;
};

Result<EvidenceQuery> evidence_query(std::string_view expr, const Labels& labels, TimestampNs slot);

/// A line fit for an annotation: at most kEvidenceLineBytesMax bytes, cut between characters and marked with `…`.
std::string evidence_line(std::string_view line);

/// Trace ids that stand in the lines (`"trace_id": "<32 hex>"`, trace_id=..., traceparent), each once, in order; no
/// all-zero ones.
std::vector<std::string> trace_ids(const std::vector<std::string>& lines);

}  // namespace kvasir::alerts
