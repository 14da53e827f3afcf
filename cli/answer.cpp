#include "cli/answer.h"

#include <cmath>

#include <simdjson.h>

#include "common/number.h"

namespace kvasir::cli {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

Unexpected malformed(std::string_view what) {
  return fail(ErrorCode::kCorruption, "the server's answer is malformed: " + std::string(what));
}

// The parser owns the parsed tree; elements live as long as it does.
Result<element> parse_json(simdjson::dom::parser& parser, std::string_view json) {
  element root;
  if (parser.parse(simdjson::padded_string(json)).get(root) != simdjson::SUCCESS) return malformed("it is not JSON");
  return root;
}

Result<Labels> read_labels(element from) {
  object fields;
  if (from.get(fields) != simdjson::SUCCESS) return malformed("labels are not an object");
  std::vector<Label> pairs;
  for (const auto field : fields) {
    std::string_view value;
    if (field.value.get(value) != simdjson::SUCCESS) return malformed("a label value is not a string");
    pairs.push_back({std::string(field.key), std::string(value)});
  }
  return Labels::from_unsorted(std::move(pairs));
}

Result<logql::Point> read_point(element from) {
  array pair;
  double seconds = 0;
  std::string_view text;
  const bool shaped = from.get(pair) == simdjson::SUCCESS && pair.at(0).get(seconds) == simdjson::SUCCESS &&
                      pair.at(1).get(text) == simdjson::SUCCESS;
  const auto value = shaped ? parse_go_float(text) : std::nullopt;
  if (!value) return malformed("a sample is not [seconds, \"value\"]");
  return logql::Point{static_cast<std::int64_t>(std::llround(seconds * 1000)), *value};
}

Result<logql::ResultEntry> read_entry(element from) {
  array pair;
  std::string_view time, line;
  const bool shaped = from.get(pair) == simdjson::SUCCESS && pair.at(0).get(time) == simdjson::SUCCESS &&
                      pair.at(1).get(line) == simdjson::SUCCESS;
  const auto timestamp = shaped ? parse_int64(time) : std::nullopt;
  if (!timestamp) return malformed("an entry is not [\"nanoseconds\", \"line\"]");
  logql::ResultEntry entry;
  entry.timestamp = {*timestamp};
  entry.line = line;
  return entry;
}

Result<std::vector<logql::ResultStream>> read_streams(element from) {
  array items;
  if (from.get(items) != simdjson::SUCCESS) return malformed("streams are not a list");
  std::vector<logql::ResultStream> streams;
  for (const element item : items) {
    element labels;
    array values;
    if (item["stream"].get(labels) != simdjson::SUCCESS || item["values"].get(values) != simdjson::SUCCESS) {
      return malformed("a stream lacks `stream` or `values`");
    }
    logql::ResultStream stream;
    KVASIR_TRY(stream.labels, read_labels(labels));
    for (const element value : values) {
      KVASIR_TRY(auto entry, read_entry(value));
      stream.entries.push_back(std::move(entry));
    }
    streams.push_back(std::move(stream));
  }
  return streams;
}

Result<logql::Series> read_one_series(element item) {
  logql::Series series;
  element labels, value;
  if (item["metric"].get(labels) != simdjson::SUCCESS) return malformed("a series lacks `metric`");
  KVASIR_TRY(series.labels, read_labels(labels));
  if (item["value"].get(value) == simdjson::SUCCESS) {
    KVASIR_TRY(auto point, read_point(value));
    series.points.push_back(point);
    return series;
  }
  array values;
  if (item["values"].get(values) != simdjson::SUCCESS) return malformed("a series lacks `value` or `values`");
  for (const element sample : values) {
    KVASIR_TRY(auto point, read_point(sample));
    series.points.push_back(point);
  }
  return series;
}

Result<std::vector<logql::Series>> read_series(element from) {
  array items;
  if (from.get(items) != simdjson::SUCCESS) return malformed("series are not a list");
  std::vector<logql::Series> all;
  for (const element item : items) {
    KVASIR_TRY(auto series, read_one_series(item));
    all.push_back(std::move(series));
  }
  return all;
}

Result<logql::Table> read_table(element data) {
  logql::Table table;
  array columns, rows;
  if (data["columns"].get(columns) != simdjson::SUCCESS || data["result"].get(rows) != simdjson::SUCCESS) {
    return malformed("a table lacks `columns` or `result`");
  }
  const auto read_texts = [](array from, std::vector<std::string>& texts) {
    std::string_view text;
    for (const element item : from) {
      if (item.get(text) != simdjson::SUCCESS) return false;
      texts.emplace_back(text);
    }
    return true;
  };
  bool shaped = read_texts(columns, table.columns);
  for (const element row : rows) {
    array cells;
    shaped = shaped && row.get(cells) == simdjson::SUCCESS && read_texts(cells, table.rows.emplace_back()) &&
             table.rows.back().size() == table.columns.size();
  }
  if (!shaped) return malformed("a row of a table does not fit its columns");
  return table;
}

Result<logql::QueryResult> read_result(std::string_view type, element from) {
  if (type == "streams") {
    KVASIR_TRY(auto streams, read_streams(from));
    return logql::QueryResult(logql::Streams{std::move(streams)});
  }
  if (type == "scalar") {
    KVASIR_TRY(auto point, read_point(from));
    return logql::QueryResult(logql::Scalar{point});
  }
  KVASIR_TRY(auto series, read_series(from));
  if (type == "vector") return logql::QueryResult(logql::Vector{std::move(series)});
  if (type == "matrix") return logql::QueryResult(logql::Matrix{std::move(series)});
  return malformed("unknown result type " + std::string(type));
}

// The list of strings under `key`; a missing or null one is empty.
Result<std::vector<std::string>> read_strings(std::string_view json, const char* key) {
  simdjson::dom::parser parser;
  KVASIR_TRY(const element root, parse_json(parser, json));
  std::vector<std::string> values;
  element data;
  if (root[key].get(data) != simdjson::SUCCESS || data.is_null()) return values;
  array items;
  if (data.get(items) != simdjson::SUCCESS) return malformed(std::string(key) + " is not a list");
  for (const element item : items) {
    std::string_view value;
    if (item.get(value) != simdjson::SUCCESS) return malformed("an item of " + std::string(key) + " is not a string");
    values.emplace_back(value);
  }
  return values;
}

Result<DetectedField> read_detected_field(element from) {
  std::string_view name, type;
  DetectedField field;
  const bool shaped = from["label"].get(name) == simdjson::SUCCESS && from["type"].get(type) == simdjson::SUCCESS &&
                      from["cardinality"].get(field.cardinality) == simdjson::SUCCESS;
  if (!shaped) return malformed("a field lacks `label`, `type` or `cardinality`");
  field.name = name;
  field.type = type;
  array parsers;
  if (from["parsers"].get(parsers) != simdjson::SUCCESS) return field;
  for (const element parser : parsers) {
    std::string_view text;
    if (parser.get(text) != simdjson::SUCCESS) return malformed("a parser is not a string");
    field.parsers += (field.parsers.empty() ? "" : ",") + std::string(text);
  }
  return field;
}

Result<DeleteRequest> read_delete_request(element from) {
  std::string_view id, query, status;
  double start = 0, end = 0;
  const bool shaped =
      from["request_id"].get(id) == simdjson::SUCCESS && from["query"].get(query) == simdjson::SUCCESS &&
      from["status"].get(status) == simdjson::SUCCESS && from["start_time"].get(start) == simdjson::SUCCESS &&
      from["end_time"].get(end) == simdjson::SUCCESS;
  if (!shaped) return malformed("a delete request lacks `request_id`, `query`, `status`, `start_time` or `end_time`");
  const auto time = [](double seconds) { return TimestampNs{std::llround(seconds * 1000) * 1'000'000}; };
  return DeleteRequest{std::string(id), std::string(query), std::string(status), time(start), time(end)};
}

}  // namespace

Result<QueryAnswer> read_query_answer(std::string_view json) {
  simdjson::dom::parser parser;
  KVASIR_TRY(const element root, parse_json(parser, json));
  element data, result;
  std::string_view type;
  if (root["data"].get(data) != simdjson::SUCCESS || data["resultType"].get(type) != simdjson::SUCCESS ||
      data["result"].get(result) != simdjson::SUCCESS) {
    return malformed("it lacks data.resultType or data.result");
  }
  QueryAnswer answer;
  if (type == "table") {
    KVASIR_TRY(answer.result, read_table(data));
  } else {
    KVASIR_TRY(answer.result, read_result(type, result));
  }
  array warnings;
  if (root["warnings"].get(warnings) == simdjson::SUCCESS) {
    for (const element warning : warnings) answer.warnings.push_back(std::string(std::string_view(warning)));
  }
  std::string_view cursor;
  if (data["cursor"].get(cursor) == simdjson::SUCCESS) answer.cursor = std::string(cursor);
  element statistics;
  if (data["stats"].get(statistics) == simdjson::SUCCESS) answer.statistics = simdjson::minify(statistics);
  return answer;
}

Result<std::vector<std::string>> read_list_answer(std::string_view json) { return read_strings(json, "data"); }

Result<std::vector<std::string>> read_field_values(std::string_view json) { return read_strings(json, "values"); }

Result<std::vector<DetectedField>> read_detected_fields(std::string_view json) {
  simdjson::dom::parser parser;
  KVASIR_TRY(const element root, parse_json(parser, json));
  std::vector<DetectedField> fields;
  array items;
  if (root["fields"].get(items) != simdjson::SUCCESS) return fields;
  for (const element item : items) {
    KVASIR_TRY(auto field, read_detected_field(item));
    fields.push_back(std::move(field));
  }
  return fields;
}

Result<std::vector<DeleteRequest>> read_delete_requests(std::string_view json) {
  simdjson::dom::parser parser;
  KVASIR_TRY(const element root, parse_json(parser, json));
  array items;
  if (root.get(items) != simdjson::SUCCESS) return malformed("delete requests are not a list");
  std::vector<DeleteRequest> requests;
  for (const element item : items) {
    KVASIR_TRY(auto request, read_delete_request(item));
    requests.push_back(std::move(request));
  }
  return requests;
}

Result<std::vector<Labels>> read_series_answer(std::string_view json) {
  simdjson::dom::parser parser;
  KVASIR_TRY(const element root, parse_json(parser, json));
  std::vector<Labels> all;
  array items;
  if (root["data"].get(items) != simdjson::SUCCESS) return malformed("data is not a list");
  for (const element item : items) {
    KVASIR_TRY(auto labels, read_labels(item));
    all.push_back(std::move(labels));
  }
  return all;
}

Result<TailFrame> read_tail_frame(std::string_view json) {
  simdjson::dom::parser parser;
  KVASIR_TRY(const element root, parse_json(parser, json));
  TailFrame frame;
  element streams;
  if (root["streams"].get(streams) == simdjson::SUCCESS && !streams.is_null()) {
    KVASIR_TRY(frame.streams, read_streams(streams));
  }
  array dropped;
  if (root["dropped_entries"].get(dropped) == simdjson::SUCCESS) frame.dropped_entries = dropped.size();
  return frame;
}

}  // namespace kvasir::cli
