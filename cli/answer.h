// answer.h -- reads the JSON answers of a Loki-compatible server into values.
//
// Errors:   corruption: the answer is not JSON or not of the documented shape; the message names what was missing.
// Source:   docs/http-api.md (query answers, label answers, tail frames).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/labels.h"
#include "common/result.h"
#include "logql/query_result.h"

namespace kvasir::cli {

struct QueryAnswer {
  logql::QueryResult result;
  std::vector<std::string> warnings;
  std::string statistics;  // the stats object as JSON text; empty if there was none
  std::optional<std::string> cursor;  // where the next page begins, "" at the end; none: the server knows no cursors
};

Result<QueryAnswer> read_query_answer(std::string_view json);

/// `{"status":"success","data":["a","b"]}`.
Result<std::vector<std::string>> read_list_answer(std::string_view json);

/// `{"status":"success","data":[{"a":"b"}]}`.
Result<std::vector<Labels>> read_series_answer(std::string_view json);

struct DetectedField {
  std::string name;
  std::string type;
  std::int64_t cardinality = 0;
  std::string parsers;  // joined by commas; empty for structured metadata
};

/// `{"fields":[{"label":"status","type":"int","cardinality":2,"parsers":["json"]}]}`.
Result<std::vector<DetectedField>> read_detected_fields(std::string_view json);
/// `{"values":["200"]}`.
Result<std::vector<std::string>> read_field_values(std::string_view json);

struct DeleteRequest {
  std::string id;
  std::string query;
  std::string status;
  TimestampNs start;
  TimestampNs end;
};

/// `[{"request_id":"a","start_time":1795250000,"end_time":1795253600,"query":"{}","status":"received"}]`.
Result<std::vector<DeleteRequest>> read_delete_requests(std::string_view json);

struct TailFrame {
  std::vector<logql::ResultStream> streams;
  std::size_t dropped_entries = 0;
};

Result<TailFrame> read_tail_frame(std::string_view json);

}  // namespace kvasir::cli
