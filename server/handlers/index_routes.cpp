#include "server/handlers/index_routes.h"

#include <algorithm>
#include <map>
#include <set>

#include "common/json_writer.h"
#include "common/number.h"
#include "logql/syntax/parser.h"
#include "server/answer.h"
#include "server/encode_result.h"
#include "server/handlers/metadata_request.h"
#include "server/query_service.h"
#include "server/tenants_source.h"
#include "server/visible_store.h"
#include "server/volume.h"

namespace kvasir::server {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;

net::HttpResponse index_stats(const Services& services, QueryExchange& exchange) {
  const auto range = metadata_range(services, exchange);
  if (!range) return bare_error(range.error());
  const auto matchers = metadata_selector(exchange.params.value_or_empty("query"), SelectorPresence::kRequired);
  if (!matchers) return bare_error(matchers.error());
  MetadataContext context(services, exchange);
  const auto total = VisibleStore(services.store, exchange.tenants).stats(*matchers, *range, context.get());
  if (!total) return bare_error(total.error());
  std::string body;
  JsonWriter w(body);
  w.begin_object().key("streams").unsigned_integer(total->streams).key("chunks").unsigned_integer(total->chunks);
  w.key("bytes").unsigned_integer(total->bytes).key("entries").unsigned_integer(total->entries).end_object();
  body += '\n';
  return json_answer(exchange.request, std::move(body), false);
}

/// How much of the fingerprints' range goes to one shard, as bytes fill it up.
struct Shard {
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  IndexStats stats;
};

/// Streams in the order of their fingerprints, cut where a shard has enough bytes. The shards cover every fingerprint
/// there can be.
std::vector<Shard> cut_shards(const std::map<std::uint64_t, IndexStats>& streams, std::uint64_t target_bytes) {
  std::vector<Shard> shards(1);
  for (const auto& [fingerprint, stats] : streams) {
    if (shards.back().stats.bytes > 0 && shards.back().stats.bytes + stats.bytes > target_bytes) {
      shards.back().max = fingerprint - 1;
      shards.push_back({fingerprint, 0, {}});
    }
    auto& total = shards.back().stats;
    total.streams += 1;
    total.chunks += stats.chunks;
    total.bytes += stats.bytes;
    total.entries += stats.entries;
  }
  shards.back().max = std::numeric_limits<std::uint64_t>::max();
  return shards;
}

net::HttpResponse index_shards(const Services& services, QueryExchange& exchange) {
  const auto range = metadata_range(services, exchange);
  if (!range) return bare_error(range.error());
  const auto matchers = metadata_selector(exchange.params.value_or_empty("query"), SelectorPresence::kRequired);
  if (!matchers) return bare_error(matchers.error());
  const auto target = parse_byte_size(exchange.params.value_or_empty("targetBytesPerShard"));
  if (!target || *target == 0) return bare_error(400, "targetBytesPerShard must be a positive value");
  MetadataContext context(services, exchange);
  std::map<std::uint64_t, IndexStats> streams;
  const auto volumes = VisibleStore(services.store, exchange.tenants)
                           .volumes({"", *matchers, *range, range->begin, Duration(0)}, context.get());
  if (!volumes) return bare_error(volumes.error());
  for (const auto& volume : *volumes) {
    auto& stats = streams[volume.stream->fingerprint.value];
    stats.chunks += volume.chunks;
    stats.bytes += volume.bytes.front();
    stats.entries += volume.entries;
  }
  std::string body;
  JsonWriter w(body);
  w.begin_object().key("shards").begin_array();
  for (const auto& shard : cut_shards(streams, *target)) {
    w.begin_object()
        .key("bounds")
        .begin_object()
        .key("min")
        .unsigned_integer(shard.min)
        .key("max")
        .unsigned_integer(shard.max)
        .end_object();
    w.key("stats").begin_object().key("streams").unsigned_integer(shard.stats.streams);
    w.key("chunks").unsigned_integer(shard.stats.chunks).key("bytes").unsigned_integer(shard.stats.bytes);
    w.key("entries").unsigned_integer(shard.stats.entries).end_object().end_object();
  }
  w.end_array().end_object();
  body += '\n';
  return json_answer(exchange.request, std::move(body), services.config.querier.compress_responses);
}

struct VolumeQuery {
  TimeBounds bounds;
  Duration step{0};  // 0: one bucket
  std::vector<LabelMatcher> matchers;
  VolumeGrouping grouping;
};

Result<std::uint64_t> volume_limit(const net::HttpParams& params) {
  if (params.value_or_empty("limit") == "0") return kDefaultLimit;
  return parse_limit(params, "limit", kDefaultLimit);
}

Result<VolumeQuery> parse_volume(const Services& services, const QueryExchange& exchange, bool ranged) {
  const auto& params = exchange.params;
  VolumeQuery query;
  KVASIR_TRY(query.bounds, metadata_bounds(services, exchange));
  if (ranged) {
    KVASIR_TRY(query.step, parse_step(params, query.bounds));
  }
  KVASIR_TRY(query.grouping.limit, volume_limit(params));
  const auto text = params.value_or_empty("query");
  if (text != "{}") {
    KVASIR_TRY(query.matchers, metadata_selector(text, SelectorPresence::kRequired));
  }
  for (const auto& matcher : query.matchers) query.grouping.matcher_names.push_back(matcher.name());
  const auto aggregate = params.value_or_empty("aggregateBy");
  query.grouping.by_labels = aggregate == "labels";
  if (!aggregate.empty() && aggregate != "labels" && aggregate != "series") {
    return fail(ErrorCode::kInvalidArgument, "invalid aggregation option");
  }
  const std::string targets(params.value_or_empty("targetLabels"));
  for (std::size_t at = 0; at < targets.size();) {
    const std::size_t comma = std::min(targets.find(',', at), targets.size());
    if (comma > at) query.grouping.target_labels.push_back(targets.substr(at, comma - at));
    at = comma + 1;
  }
  query.grouping.series_max = effective_settings(exchange.tenants).volume_max_series;
  return query;
}

Result<std::vector<VolumeSeries>> read_volumes(const Services& services, const QueryExchange& exchange,
                                               const VolumeQuery& query) {
  MetadataContext context(services, exchange);
  VolumeRequest request;
  request.matchers = query.matchers;
  request.range = {query.bounds.start, query.bounds.end + Duration(1)};
  request.first_bucket = query.bounds.start;
  request.step = query.step;
  if (query.step.count() > 0) {
    const std::int64_t step = query.step.count();
    const std::int64_t start = query.bounds.start.value;
    request.first_bucket = {start - ((start % step) + step) % step};
  }
  const VisibleStore store(services.store, exchange.tenants);
  KVASIR_TRY(const auto volumes, store.volumes(std::move(request), context.get()));
  return group_volumes(volumes, query.grouping);
}

std::int64_t rounded_up_ms(TimestampNs t) { return (t.value + kMillisecond - 1) / kMillisecond; }

/// A point per bucket with bytes, at the bucket's last millisecond; the last bucket's at `end`.
std::vector<logql::Series> volume_points(const std::vector<VolumeSeries>& volumes, const VolumeQuery& query) {
  std::vector<logql::Series> out;
  const std::int64_t step = query.step.count();
  const std::int64_t end = rounded_up_ms(query.bounds.end);
  for (const auto& volume : volumes) {
    logql::Series series{volume.labels, {}};
    for (std::size_t i = 0; i < volume.bytes.size(); ++i) {
      if (volume.bytes[i] == 0) continue;
      std::int64_t at = end;
      if (step > 0) {
        const std::int64_t start = query.bounds.start.value;
        const std::int64_t first = start - ((start % step) + step) % step;
        at = std::min(end, (first + (static_cast<std::int64_t>(i) + 1) * step) / kMillisecond - 1);
      }
      series.points.push_back({at, static_cast<double>(volume.bytes[i])});
    }
    out.push_back(std::move(series));
  }
  return out;
}

net::HttpResponse index_volume(const Services& services, QueryExchange& exchange, bool ranged) {
  if (!effective_settings(exchange.tenants).volume_enabled) return bare_error(404, "not found");
  const auto query = parse_volume(services, exchange, ranged);
  if (!query) return bare_error(query.error());
  const auto volumes = read_volumes(services, exchange, *query);
  if (!volumes) return bare_error(volumes.error());
  const auto series = volume_points(*volumes, *query);
  const bool matrix = std::any_of(series.begin(), series.end(), [](const auto& s) { return s.points.size() > 1; });
  std::string body;
  const logql::QueryResult result =
      matrix ? logql::QueryResult(logql::Matrix{series}) : logql::QueryResult(logql::Vector{series});
  append_query_answer(body, result, StatsSummary{}, EncodeOptions{});
  return json_answer(exchange.request, std::move(body), services.config.querier.compress_responses);
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) return false;
  }
  return true;
}

/// Labels whose values are all numbers or all UUIDs are ids, not things to choose from.
bool worth_showing(const std::string& name, const std::set<std::string>& values) {
  static const std::set<std::string> kAlways = {"cluster", "namespace", "instance", "pod"};
  if (kAlways.count(name) > 0) return true;
  const bool flags = values.size() <= 2 &&
                     std::all_of(values.begin(), values.end(), [](const auto& v) { return v == "0" || v == "1"; });
  if (flags) return true;
  const bool numbers =
      std::all_of(values.begin(), values.end(), [](const auto& v) { return parse_go_float(v).has_value(); });
  return !numbers && !std::all_of(values.begin(), values.end(), [](const auto& v) { return is_uuid(v); });
}

net::HttpResponse detected_labels(const Services& services, QueryExchange& exchange) {
  const auto range = metadata_range(services, exchange);
  if (!range) return bare_error(range.error());
  const auto text = exchange.params.value_or_empty("query");
  const auto matchers = metadata_selector(text == "{}" ? "" : text, SelectorPresence::kOptional);
  if (!matchers) return bare_error(matchers.error());
  const auto series = VisibleStore(services.store, exchange.tenants).series(*matchers, *range);
  if (!series) return bare_error(series.error());
  std::map<std::string, std::set<std::string>> values;
  for (const auto& labels : *series) {
    for (const auto& label : *labels) values[label.name].insert(label.value);
  }
  if (exchange.tenants.several) values.erase(std::string(kTenantLabel));
  std::erase_if(values, [](const auto& item) { return !worth_showing(item.first, item.second); });
  std::string body;
  JsonWriter w(body);
  w.begin_object();
  if (!values.empty()) {
    w.key("detectedLabels").begin_array();
    for (const auto& [name, set] : values) {
      w.begin_object().key("label").string(name).key("cardinality").unsigned_integer(set.size()).end_object();
    }
    w.end_array();
  }
  w.end_object();
  body += '\n';
  return json_answer(exchange.request, std::move(body), false);
}

}  // namespace

void add_index_routes(net::HttpServer& server, const Services& services) {
  add_metadata_route(server, services, "/loki/api/v1/index/stats",
                     [&services](QueryExchange& exchange) { return index_stats(services, exchange); });
  add_metadata_route(server, services, "/loki/api/v1/index/shards",
                     [&services](QueryExchange& exchange) { return index_shards(services, exchange); });
  add_metadata_route(server, services, "/loki/api/v1/index/volume",
                     [&services](QueryExchange& exchange) { return index_volume(services, exchange, false); });
  add_metadata_route(server, services, "/loki/api/v1/index/volume_range",
                     [&services](QueryExchange& exchange) { return index_volume(services, exchange, true); });
  add_metadata_route(server, services, "/loki/api/v1/detected_labels",
                     [&services](QueryExchange& exchange) { return detected_labels(services, exchange); });
}

}  // namespace kvasir::server
