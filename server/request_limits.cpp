#include "server/request_limits.h"

#include <simdjson.h>

#include <algorithm>

#include "common/number.h"

namespace kvasir::server {
namespace {

using Element = simdjson::dom::element;

Unexpected bad(std::string_view key) {
  return fail(ErrorCode::kInvalidArgument, "X-Loki-Query-Limits: " + std::string(key) + " cannot be read");
}

/// 0 means no limit.
template <class T>
void keep_tighter(T& limit, T given) {
  if (given > T{} && (limit <= T{} || given < limit)) limit = given;
}

Result<void> tighten_duration(Duration& limit, std::string_view key, Element value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return bad(key);
  const auto given = parse_prometheus_duration(text);
  if (!given) return bad(key);
  keep_tighter(limit, *given);
  return {};
}

Result<void> tighten_number(std::uint64_t& limit, std::string_view key, Element value) {
  std::uint64_t number = 0;
  std::string_view text;
  if (value.get(number) != simdjson::SUCCESS) {
    const auto size = value.get(text) == simdjson::SUCCESS ? parse_byte_size(text) : std::nullopt;
    if (!size) return bad(key);
    number = *size;
  }
  keep_tighter(limit, number);
  return {};
}

Result<void> add_labels(std::vector<std::string>& labels, std::string_view key, Element value) {
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS) return bad(key);
  for (const auto item : list) {
    std::string_view name;
    if (item.get(name) != simdjson::SUCCESS) return bad(key);
    labels.emplace_back(name);
  }
  return {};
}

Result<void> tighten_one(QuerySettings& settings, std::string_view key, Element value) {
  if (key == "maxQueryLength") return tighten_duration(settings.max_query_length, key, value);
  if (key == "maxQueryInterval") return tighten_duration(settings.max_query_range, key, value);
  if (key == "maxQueryLookback") return tighten_duration(settings.max_query_lookback, key, value);
  if (key == "maxQueryTime") return tighten_duration(settings.query_timeout, key, value);
  if (key == "maxEntriesLimitPerQuery") return tighten_number(settings.max_entries_limit_per_query, key, value);
  if (key == "maxQueryBytesRead") return tighten_number(settings.max_query_bytes_read, key, value);
  if (key == "requiredLabels") return add_labels(settings.required_labels, key, value);
  if (key == "minimumLabelsNumber") {
    std::uint64_t number = 0;
    if (value.get(number) != simdjson::SUCCESS || number > 1000) return bad(key);
    settings.minimum_labels_number = std::max(settings.minimum_labels_number, static_cast<std::uint32_t>(number));
  }
  return {};
}

}  // namespace

Result<void> tighten(QuerySettings& settings, std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::object fields;
  if (parser.parse(simdjson::padded_string(json)).get(fields) != simdjson::SUCCESS) return bad("its value");
  for (const auto field : fields) KVASIR_CHECK_OK(tighten_one(settings, field.key, field.value));
  return {};
}

}  // namespace kvasir::server
