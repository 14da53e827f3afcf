#include "server/encode_result.h"

#include <charconv>

#include "common/json_writer.h"
#include "common/number.h"
#include "logql/log_pages.h"

namespace kvasir::server {
namespace {

void append_integer(std::string& out, std::int64_t value) {
  char buffer[24];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out.append(buffer, end);
}

void append_streams(std::string& out, const logql::Streams& streams, const EncodeOptions& options) {
  out += "{\"resultType\":\"streams\",";
  if (!options.encoding_flags.empty()) {
    append_flags(out, options.encoding_flags);
    out += ',';
  }
  out += "\"result\":[";
  bool first = true;
  for (const auto& stream : streams.streams) {
    out += first ? "{\"stream\":" : ",{\"stream\":";
    first = false;
    append_labels(out, stream.labels);
    out += ",\"values\":[";
    for (std::size_t i = 0; i < stream.entries.size(); ++i) {
      if (i > 0) out += ',';
      append_entry(out, stream.entries[i], options.categorize);
    }
    out += "]}";
  }
  out += ']';
}

/// Rows of `| stats` for clients that only know streams, vectors and matrices.
void append_table(std::string& out, const logql::Table& table) {
  out += "{\"resultType\":\"table\",\"columns\":[";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, table.columns[i]);
  }
  out += "],\"result\":[";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    out += r > 0 ? ",[" : "[";
    for (std::size_t c = 0; c < table.rows[r].size(); ++c) {
      if (c > 0) out += ',';
      append_json_string(out, table.rows[r][c]);
    }
    out += ']';
  }
  out += ']';
}

void append_data(std::string& out, const logql::QueryResult& result, const EncodeOptions& options) {
  if (const auto* streams = std::get_if<logql::Streams>(&result)) return append_streams(out, *streams, options);
  if (const auto* table = std::get_if<logql::Table>(&result)) return append_table(out, *table);
  if (const auto* matrix = std::get_if<logql::Matrix>(&result)) {
    out += "{\"resultType\":\"matrix\",\"result\":";
    return append_matrix(out, matrix->series);
  }
  if (const auto* vector = std::get_if<logql::Vector>(&result)) {
    out += "{\"resultType\":\"vector\",\"result\":";
    return append_vector(out, vector->series);
  }
  out += "{\"resultType\":\"scalar\",\"result\":";
  append_point(out, std::get<logql::Scalar>(result).point);
}

}  // namespace

void append_flags(std::string& out, const std::vector<std::string>& flags) {
  out += "\"encodingFlags\":[";
  for (std::size_t i = 0; i < flags.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, flags[i]);
  }
  out += ']';
}

void append_warnings(std::string& out, const std::vector<std::string>& warnings) {
  if (warnings.empty()) return;
  out += ",\"warnings\":[";
  for (std::size_t i = 0; i < warnings.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, warnings[i]);
  }
  out += ']';
}

void StatsSummary::add(const StatsSummary& other) {
  exec_seconds += other.exec_seconds;
  queue_seconds += other.queue_seconds;
  bytes_processed += other.bytes_processed;
  lines_processed += other.lines_processed;
  post_filter_lines += other.post_filter_lines;
  entries_returned += other.entries_returned;
  blocks_selected += other.blocks_selected;
  blocks_opened += other.blocks_opened;
  bytes_decompressed += other.bytes_decompressed;
}

StatsSummary summarise(const logql::QueryStats& stats, Duration exec, Duration queue) {
  StatsSummary summary;
  summary.exec_seconds = static_cast<double>(exec.count()) / 1e9;
  summary.queue_seconds = static_cast<double>(queue.count()) / 1e9;
  summary.bytes_processed = stats.line_bytes_processed;
  summary.lines_processed = stats.lines_processed;
  summary.post_filter_lines = stats.lines_matched;
  summary.entries_returned = stats.entries_returned;
  summary.blocks_selected = stats.blocks_selected;
  summary.blocks_opened = stats.blocks_opened;
  summary.bytes_decompressed = stats.bytes_decompressed;
  return summary;
}

void append_labels(std::string& out, const Labels& labels) {
  out += '{';
  bool first = true;
  for (const auto& label : labels) {
    if (!first) out += ',';
    first = false;
    append_json_string(out, label.name);
    out += ':';
    append_json_string(out, label.value);
  }
  out += '}';
}

void append_seconds(std::string& out, std::int64_t timestamp_ms) {
  const bool negative = timestamp_ms < 0;
  const auto magnitude =
      negative ? 0 - static_cast<std::uint64_t>(timestamp_ms) : static_cast<std::uint64_t>(timestamp_ms);
  if (negative) out += '-';
  out += std::to_string(magnitude / 1000);
  if (const auto rest = magnitude % 1000; rest != 0) {
    std::string decimals = std::to_string(1000 + rest).substr(1);
    while (decimals.back() == '0') decimals.pop_back();
    out += '.';
    out += decimals;
  }
}

void append_point(std::string& out, const logql::Point& point) {
  out += '[';
  append_seconds(out, point.timestamp_ms);
  out += ",\"";
  append_sample_value(out, point.value);
  out += "\"]";
}

void append_entry(std::string& out, const logql::ResultEntry& entry, bool categorize) {
  out += "[\"";
  append_integer(out, entry.timestamp.value);
  out += "\",";
  append_json_string(out, entry.line);
  if (categorize) {
    out += ",{";
    if (!entry.structured_metadata.empty()) {
      out += "\"structuredMetadata\":";
      append_labels(out, entry.structured_metadata);
    }
    if (!entry.parsed.empty()) {
      out += entry.structured_metadata.empty() ? "\"parsed\":" : ",\"parsed\":";
      append_labels(out, entry.parsed);
    }
    out += '}';
  }
  out += ']';
}

void append_entry_object(std::string& out, const logql::ResultEntry& entry, const Labels& labels, EntryObject form) {
  out += "{\"timestamp\":\"";
  append_integer(out, entry.timestamp.value);
  out += "\",\"line\":";
  append_json_string(out, entry.line);
  out += ",\"stream\":";
  append_labels(out, labels);
  if (form.categorize) {
    out += ",\"structuredMetadata\":";
    append_labels(out, entry.structured_metadata);
    out += ",\"parsed\":";
    append_labels(out, entry.parsed);
  }
  if (form.cursor) out += ",\"cursor\":\"" + logql::format_cursor({entry.timestamp, entry.sequence}) + '"';
  out += '}';
}

/// `{"metric":{...},"value":[...]}` with the last point.
static void append_sample(std::string& out, const logql::Series& series) {
  out += "{\"metric\":";
  append_labels(out, series.labels);
  out += ",\"value\":";
  append_point(out, series.points.back());
  out += '}';
}

/// `{"metric":{...},"values":[...]}`.
static void append_samples(std::string& out, const logql::Series& series) {
  out += "{\"metric\":";
  append_labels(out, series.labels);
  out += ",\"values\":[";
  for (std::size_t i = 0; i < series.points.size(); ++i) {
    if (i > 0) out += ',';
    append_point(out, series.points[i]);
  }
  out += "]}";
}

void append_vector(std::string& out, const std::vector<logql::Series>& series) {
  out += '[';
  bool first = true;
  for (const auto& one : series) {
    if (one.points.empty()) continue;
    if (!first) out += ',';
    first = false;
    append_sample(out, one);
  }
  out += ']';
}

void append_matrix(std::string& out, const std::vector<logql::Series>& series) {
  out += '[';
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (i > 0) out += ',';
    append_samples(out, series[i]);
  }
  out += ']';
}

void append_stats(std::string& out, const StatsSummary& s) {
  const double seconds = s.exec_seconds > 0 ? s.exec_seconds : 1e-9;
  const auto per_second = [&](std::uint64_t value) {
    return static_cast<std::uint64_t>(static_cast<double>(value) / seconds);
  };
  JsonWriter w(out);
  const auto zeros = [&](std::initializer_list<const char*> keys) {
    for (const char* key : keys) w.key(key).integer(0);
  };
  const auto store = [&](bool with_numbers) {
    w.key("store").begin_object();
    w.key("totalChunksRef").unsigned_integer(with_numbers ? s.blocks_selected : 0);
    w.key("totalChunksDownloaded").unsigned_integer(with_numbers ? s.blocks_opened : 0);
    zeros({"chunksDownloadTime"});
    w.key("queryReferencedStructuredMetadata").boolean(false).key("queryUsedV2Engine").boolean(false);
    w.key("chunk").begin_object();
    zeros({"headChunkBytes", "headChunkLines"});
    w.key("decompressedBytes").unsigned_integer(with_numbers ? s.bytes_processed : 0);
    w.key("decompressedLines").unsigned_integer(with_numbers ? s.lines_processed : 0);
    w.key("compressedBytes").unsigned_integer(with_numbers ? s.bytes_decompressed : 0);
    zeros({"totalDuplicates"});
    w.key("postFilterLines").unsigned_integer(with_numbers ? s.post_filter_lines : 0);
    zeros({"headChunkStructuredMetadataBytes", "decompressedStructuredMetadataBytes"});
    w.end_object();
    zeros({"chunkRefsFetchTime", "congestionControlLatency", "pipelineWrapperFilteredLines"});
    w.key("dataobj").begin_object();
    zeros({"prePredicateDecompressedRows", "prePredicateDecompressedBytes",
           "prePredicateDecompressedStructuredMetadataBytes", "postPredicateRows", "postPredicateDecompressedBytes",
           "postPredicateStructuredMetadataBytes", "postFilterRows", "pagesScanned", "pagesDownloaded",
           "pagesDownloadedBytes", "pageBatches", "totalRowsAvailable", "totalPageDownloadTime"});
    w.end_object().end_object();
  };
  w.begin_object().key("summary").begin_object();
  w.key("bytesProcessedPerSecond").unsigned_integer(per_second(s.bytes_processed));
  w.key("linesProcessedPerSecond").unsigned_integer(per_second(s.lines_processed));
  w.key("totalBytesProcessed")
      .unsigned_integer(s.bytes_processed)
      .key("totalLinesProcessed")
      .unsigned_integer(s.lines_processed);
  w.key("execTime").number(s.exec_seconds).key("queueTime").number(s.queue_seconds).key("subqueries").integer(0);
  w.key("totalEntriesReturned").unsigned_integer(s.entries_returned).key("splits").integer(0).key("shards").integer(0);
  w.key("totalPostFilterLines")
      .unsigned_integer(s.post_filter_lines)
      .key("totalStructuredMetadataBytesProcessed")
      .integer(0);
  w.end_object().key("querier").begin_object();
  store(true);
  w.key("querierExecTime").number(s.exec_seconds).end_object();
  w.key("ingester").begin_object().key("totalReached").integer(1);
  zeros({"totalChunksMatched", "totalBatches"});
  w.key("totalLinesSent").unsigned_integer(s.entries_returned);
  store(false);
  w.key("recvWaitTime").number(0).end_object().key("cache").begin_object();
  for (const char* cache : {"chunk", "index", "result", "statsResult", "volumeResult", "seriesResult", "labelResult",
                            "instantMetricResult"}) {
    w.key(cache).begin_object();
    zeros({"entriesFound", "entriesRequested", "entriesStored", "bytesReceived", "bytesSent", "requests",
           "downloadTime", "queryLengthServed"});
    w.end_object();
  }
  w.end_object().key("index").begin_object();
  w.key("totalChunks").unsigned_integer(s.blocks_selected).key("postFilterChunks").unsigned_integer(s.blocks_opened);
  zeros({"shardsDuration"});
  w.key("usedBloomFilters").boolean(false);
  zeros({"totalStreams", "chunkRefsLookupTime", "bloomFilterTime"});
  w.end_object().end_object();
}

void append_ndjson(std::string& out, const logql::QueryResult& result) {
  if (const auto* scalar = std::get_if<logql::Scalar>(&result)) {
    out += "{\"value\":";
    append_point(out, scalar->point);
    out += "}\n";
  } else if (const auto* vector = std::get_if<logql::Vector>(&result)) {
    for (const auto& series : vector->series) {
      if (!series.points.empty()) append_sample(out, series), out += '\n';
    }
  } else if (const auto* matrix = std::get_if<logql::Matrix>(&result)) {
    for (const auto& series : matrix->series) append_samples(out, series), out += '\n';
  } else if (const auto* table = std::get_if<logql::Table>(&result)) {
    for (const auto& row : table->rows) {
      JsonWriter w(out);
      w.begin_object();
      for (std::size_t c = 0; c < row.size(); ++c) w.key(table->columns[c]).string(row[c]);
      w.end_object();
      out += '\n';
    }
  }
}

void append_query_answer(std::string& out, const logql::QueryResult& result, const StatsSummary& stats,
                         const EncodeOptions& options) {
  const bool streams = std::holds_alternative<logql::Streams>(result);
  out += "{\"status\":\"success\"";
  if (streams) append_warnings(out, options.warnings);
  out += ",\"data\":";
  append_data(out, result, options);
  out += ",\"stats\":";
  append_stats(out, stats);
  if (options.cursor) {
    out += ",\"cursor\":";
    append_json_string(out, *options.cursor);
  }
  out += '}';
  if (!streams) append_warnings(out, options.warnings);
  out += streams ? "}\n" : "}";
}

}  // namespace kvasir::server
