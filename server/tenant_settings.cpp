#include "server/tenant_settings.h"

#include <algorithm>
#include <array>

#include "common/number.h"
#include "logql/syntax/parser.h"
#include "server/push_settings.h"

namespace kvasir::server {
namespace {

Unexpected bad(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

Result<std::string> text_of(const YamlNode& map, std::string_view key) {
  const YamlNode* node = map.find(key);
  if (node == nullptr) return std::string();
  const auto text = node->as_text();
  if (!text) return bad(std::string(key) + " must be text");
  return *text;
}

Result<BlockedQuery> read_blocked_query(const YamlNode& node) {
  BlockedQuery blocked;
  KVASIR_TRY(blocked.pattern, text_of(node, "pattern"));
  if (const YamlNode* regex = node.find("regex")) blocked.regex = regex->as_bool().value_or(false);
  KVASIR_TRY(const std::string types, text_of(node, "types"));
  for (std::size_t at = 0; at < types.size();) {
    const std::size_t comma = std::min(types.find(',', at), types.size());
    std::string type = types.substr(at, comma - at);
    std::erase(type, ' ');
    if (!type.empty()) blocked.types.push_back(std::move(type));
    at = comma + 1;
  }
  if (const YamlNode* hash = node.find("hash")) {
    const auto value = parse_uint64(hash->as_text().value_or(""));
    if (!value || *value > 0xffffffff) return bad("hash must be a 32-bit number");
    if (*value != 0) blocked.hash = static_cast<std::uint32_t>(*value);
  }
  if (const YamlNode* tags = node.find("query_tags")) {
    for (const auto& entry : tags->entries) blocked.query_tags[entry.key] = entry.value.as_text().value_or("");
  }
  return blocked;
}

std::string print_blocked_queries(const std::vector<BlockedQuery>& list) {
  std::string out = "[";
  for (const auto& blocked : list) {
    if (out.size() > 1) out += ", ";
    out += "{pattern: " + yaml_scalar(blocked.pattern) + ", regex: " + (blocked.regex ? "true" : "false");
    std::string types;
    for (const auto& type : blocked.types) types += (types.empty() ? "" : ",") + type;
    out += ", types: " + yaml_scalar(types);
    if (blocked.hash) out += ", hash: " + std::to_string(*blocked.hash);
    out += "}";
  }
  return out + "]";
}

Result<RetentionRule> read_retention_rule(const YamlNode& node) {
  RetentionRule rule;
  KVASIR_TRY(rule.selector, text_of(node, "selector"));
  auto selector = logql::parse_selector(rule.selector);
  if (!selector) return bad("retention_stream: selector " + rule.selector + ": " + selector.error().message());
  rule.matchers = std::move(selector->matchers);
  if (const YamlNode* priority = node.find("priority")) rule.priority = priority->as_integer().value_or(0);
  KVASIR_TRY(const std::string period, text_of(node, "period"));
  const auto duration = parse_duration(period);
  if (!duration) return bad("retention_stream: cannot read \"" + period + "\" as duration");
  if (*duration < std::chrono::hours(24)) {
    return bad("retention period must be >= 24h was " + format_prometheus_duration(*duration));
  }
  rule.period = *duration;
  return rule;
}

std::string print_retention_rules(const std::vector<RetentionRule>& rules) {
  std::string out = "[";
  for (const auto& rule : rules) {
    if (out.size() > 1) out += ", ";
    out += "{selector: " + yaml_scalar(rule.selector) + ", priority: " + std::to_string(rule.priority) +
           ", period: " + format_prometheus_duration(rule.period) + "}";
  }
  return out + "]";
}

/// A list of maps read item by item.
template <class Item>
CustomTarget list_of(std::vector<Item>* list, Result<Item> (*read)(const YamlNode&),
                     std::string (*print)(const std::vector<Item>&)) {
  return {[list, read](const YamlNode& node) -> Result<void> {
            if (!node.is_sequence() && !node.is_null()) return bad("must be a list");
            std::vector<Item> items;
            for (const auto& item : node.items) {
              KVASIR_TRY(Item value, read(item));
              items.push_back(std::move(value));
            }
            *list = std::move(items);
            return {};
          },
          [list, print] { return print(*list); }};
}

void add_query_settings(QuerySettings& q, std::vector<Setting>& t) {
  t.insert(
      t.end(),
      {{"max_query_length", &q.max_query_length,
        "longest time range of a query (end - start, with range and offset); 0 is no limit", "store.max-query-length"},
       {"max_query_range", &q.max_query_range, "widest [range] of a metric query; 0 is no limit",
        "querier.max-query-range"},
       {"max_query_lookback", &q.max_query_lookback, "start of a query is moved to now minus this; 0 is no limit",
        "querier.max-query-lookback"},
       {"max_query_series", &q.max_query_series, "series that one metric query may return", "querier.max-query-series"},
       {"max_entries_limit_per_query", &q.max_entries_limit_per_query, "largest `limit` of a log query; 0 is no limit",
        "validation.max-entries-limit"},
       {"max_streams_matchers_per_query", &q.max_streams_matchers_per_query, "label matchers in one query",
        "querier.max-streams-matcher-per-query"},
       {"max_concurrent_tail_requests", &q.max_concurrent_tail_requests,
        "live tails at one time; -1 is no limit, 0 refuses all", "querier.max-concurrent-tail-requests"},
       {"max_query_bytes_read", BytesTarget{&q.max_query_bytes_read},
        "bytes of lines a query may have to read; 0 is no limit", "frontend.max-query-bytes-read"},
       {"max_querier_bytes_read", BytesTarget{&q.max_querier_bytes_read},
        "bytes of lines one process may have to read; 0 is no limit", "frontend.max-querier-bytes-read"},
       {"max_query_parallelism", &q.max_query_parallelism,
        "0 refuses queries of the tenant; other values have no effect here", "querier.max-query-parallelism"},
       {"query_timeout", &q.query_timeout, "a query that takes longer is answered 504", "querier.query-timeout"},
       {"required_labels", &q.required_labels, "label names that every selector must match on",
        "validation.required-labels"},
       {"minimum_labels_number", &q.minimum_labels_number, "least number of matchers in a selector",
        "validation.minimum-labels-number"},
       {"blocked_queries", list_of(&q.blocked_queries, read_blocked_query, print_blocked_queries),
        "queries to refuse: {pattern, regex, types, hash, query_tags}"},
       {"volume_enabled", &q.volume_enabled, "serve the volume endpoints", "limits.volume-enabled"},
       {"volume_max_series", &q.volume_max_series, "series that a volume answer may count", "limits.volume-max-series"},
       {"enable_multi_variant_queries", &q.enable_multi_variant_queries, "allow variants(...) queries",
        "limits.enable-multi-variant-queries"},
       {"split_queries_by_interval", &q.split_queries_by_interval,
        "0: steps of a range query begin at its start; any other value: at multiples of the step. Nothing is split",
        "querier.split-queries-by-interval"},
       {"disabled_pushdowns", &q.disabled_pushdowns,
        "for tests: block_statistics, prune_literals, narrow_literals, field_columns, regex_literals, early_stop or all are "
        "not used; answers stay the same (not in Loki)"},
       {"field_selectors", &q.field_selectors,
        "a positive matcher on a name that no stream carries selects by parsed or metadata field (not in Loki)"},
       {"allow_empty_selector", &q.allow_empty_selector, "{} selects every stream (not in Loki)"}});
}

}  // namespace

std::vector<Setting> tenant_settings_table(TenantSettings& settings, const std::string& prefix) {
  std::vector<Setting> table;
  add_push_settings(settings.write, table);
  add_query_settings(settings.query, table);
  auto& r = settings.retention;
  auto& ruler = settings.ruler;
  table.insert(
      table.end(),
      {{"retention_period", &r.retention_period, "how long entries are kept; 0 is for ever", "store.retention"},
       {"retention_stream", list_of(&r.retention_stream, read_retention_rule, print_retention_rules),
        "other periods by selector: {selector, priority, period}"},
       {"deletion_mode", &r.deletion_mode, "disabled, filter-only or filter-and-delete", "compactor.deletion-mode"},
       {"ruler_max_rules_per_rule_group", &ruler.max_rules_per_rule_group, "rules in one group; 0 is no limit",
        "ruler.max-rules-per-rule-group"},
       {"ruler_max_rule_groups_per_tenant", &ruler.max_rule_groups_per_tenant,
        "rule groups of the tenant; 0 is no limit", "ruler.max-rule-groups-per-tenant"}});
  if (!prefix.empty()) {
    for (auto& setting : table) setting.path = prefix + "." + setting.path;
  }
  return table;
}

std::span<const std::string_view> ignored_limits() {
  static constexpr std::array<std::string_view, 60> kIgnored = {
      "split_metadata_queries_by_interval",
      "split_recent_metadata_queries_by_interval",
      "split_instant_metric_queries_by_interval",
      "split_ingester_queries_by_interval",
      "recent_metadata_query_window",
      "tsdb_max_query_parallelism",
      "tsdb_max_bytes_per_shard",
      "tsdb_sharding_strategy",
      "tsdb_precompute_chunks",
      "min_sharding_lookback",
      "max_queriers_per_tenant",
      "max_query_capacity",
      "max_cache_freshness_per_query",
      "max_stats_cache_freshness",
      "max_metadata_cache_freshness",
      "query_ready_index_num_days",
      "shard_streams",
      "index_gateway_shard_size",
      "index_gateway_max_capacity",
      "shard_aggregations",
      "max_chunks_per_query",
      "cardinality_limit",
      "allow_deletes",
      "ruler_alertmanager_config",
      "ruler_remote_write_disabled",
      "ruler_remote_write_url",
      "ruler_remote_write_timeout",
      "ruler_remote_write_headers",
      "ruler_remote_write_relabel_configs",
      "ruler_remote_write_queue_capacity",
      "ruler_remote_write_config",
      "ruler_tenant_shard_size",
      "ruler_enable_wal_replay",
      "ruler_remote_evaluation_timeout",
      "ruler_remote_evaluation_max_response_size",
      "metric_aggregation_enabled",
      "pattern_persistence_enabled",
      "pattern_ingester_tokenizable_json_fields_default",
      "pattern_ingester_tokenizable_json_fields_append",
      "pattern_ingester_tokenizable_json_fields_delete",
      "pattern_rate_threshold",
      "per_tenant_override_config",
      "per_tenant_override_period",
      "s3_sse_type",
      "s3_sse_kms_key_id",
      "s3_sse_kms_encryption_context",
      "use_owned_stream_count",
      "simulated_push_latency",
      "bloom_gateway_enable_filtering",
      "bloom_creation_enabled",
      "bloom_build_max_builders",
      "bloom_ngram_length",
      "bloom_ngram_skip",
      "bloom_block_encoding",
      "bloom_prefetch_blocks",
      "policy_override_limits",
      "ingestion_partitions_tenant_shard_size",
      "log_push_request",
      "ingestion_rate_strategy",
      "unordered_writes",
  };
  return kIgnored;
}

}  // namespace kvasir::server
