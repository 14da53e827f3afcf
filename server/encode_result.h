// encode_result.h -- query results as the JSON that clients of Loki read, appended to one buffer.
//
// Shape:    {"status":"success","data":{"resultType":...,"result":[...],"stats":{...}}}; warnings after `status` for
//           streams and after `data` for the others; `encodingFlags` only with categorised streams.
// Units:    stream timestamps are decimal nanoseconds in strings, sample timestamps JSON numbers of seconds.
// Threads:  free functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "logql/query_context.h"
#include "logql/query_result.h"

namespace kvasir::server {

/// What the `stats` object tells. Sources keep more than this; the rest of its keys are zero.
struct StatsSummary {
  double exec_seconds = 0;
  double queue_seconds = 0;
  std::uint64_t bytes_processed = 0;
  std::uint64_t lines_processed = 0;
  std::uint64_t post_filter_lines = 0;
  std::uint64_t entries_returned = 0;
  std::uint64_t blocks_selected = 0;
  std::uint64_t blocks_opened = 0;
  std::uint64_t bytes_decompressed = 0;

  void add(const StatsSummary& other);
};
StatsSummary summarise(const logql::QueryStats& stats, Duration exec, Duration queue);

struct EncodeOptions {
  std::vector<std::string> encoding_flags;   // of the request's header, echoed
  bool categorize = false;
  std::vector<std::string> warnings;
  std::optional<std::string> cursor;  // ours, `"cursor":"..."` behind the statistics: where the next request goes on
};

void append_query_answer(std::string& out, const logql::QueryResult& result, const StatsSummary& stats,
                         const EncodeOptions& options);

/// One object per series or row and line: {"metric":...,"values":...}, {"metric":...,"value":...}, {"value":...},
/// {"column":"text"}.
/// REQUIRES: no Streams.
void append_ndjson(std::string& out, const logql::QueryResult& result);

void append_stats(std::string& out, const StatsSummary& stats);
/// `"encodingFlags":["a"]`
void append_flags(std::string& out, const std::vector<std::string>& flags);
/// `,"warnings":[...]`, or nothing.
void append_warnings(std::string& out, const std::vector<std::string>& warnings);
/// `{"a":"b"}`.
void append_labels(std::string& out, const Labels& labels);
/// `[sec,"v"]`.
void append_point(std::string& out, const logql::Point& point);
/// Seconds with up to three decimals.
void append_seconds(std::string& out, std::int64_t timestamp_ms);
/// `[["ts","line"],...]` element.
void append_entry(std::string& out, const logql::ResultEntry& entry, bool categorize);
/// {"timestamp":...,"line":...,"stream":{...},"structuredMetadata":{...},"parsed":{...},"cursor":"..."}: an entry by
/// itself.
struct EntryObject {
  bool categorize = false;   // with structuredMetadata and parsed
  bool cursor = false;       // with its place in the order of its tenant
};
void append_entry_object(std::string& out, const logql::ResultEntry& entry, const Labels& labels, EntryObject form);
/// The list of series of a vector or a matrix.
void append_vector(std::string& out, const std::vector<logql::Series>& series);
void append_matrix(std::string& out, const std::vector<logql::Series>& series);

}  // namespace kvasir::server
