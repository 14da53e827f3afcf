// tenant_settings.h -- limits of one tenant: what may be pushed, what may be asked, how long it is kept.
//
// Shape:    the values of `limits_config`, overridden per tenant by the runtime file. 0 means "no limit" unless said
//           otherwise.
// Lifetime: immutable once published through TenantSettingsStore; a reload publishes new values.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/matcher.h"
#include "common/time.h"
#include "ingest/limits.h"
#include "server/config/settings_table.h"

namespace kvasir::server {

/// `blocked_queries`: a query that matches every given part is refused.
struct BlockedQuery {
  std::string pattern;
  bool regex = false;
  std::vector<std::string> types;                       // metric, filter, limited; empty: all
  std::optional<std::uint32_t> hash;                    // FNV-1 32 bit of the query text
  std::map<std::string, std::string> query_tags;        // all must be there
};

struct QuerySettings {
  Duration max_query_length = std::chrono::hours(721);
  Duration max_query_range{0};
  Duration max_query_lookback{0};
  std::uint32_t max_query_series = 500;
  std::uint64_t max_entries_limit_per_query = 5000;
  std::uint64_t max_streams_matchers_per_query = 1000;
  std::int64_t max_concurrent_tail_requests = -1;       // -1: as many as there is memory for; 0 refuses every tail
  std::uint64_t max_query_bytes_read = 0;
  std::uint64_t max_querier_bytes_read = std::uint64_t{150} << 30;
  std::uint32_t max_query_parallelism = 32;             // 0 refuses every query
  Duration query_timeout = std::chrono::minutes(1);
  std::vector<std::string> required_labels;
  std::uint32_t minimum_labels_number = 0;
  std::vector<BlockedQuery> blocked_queries;
  bool volume_enabled = true;
  std::uint64_t volume_max_series = 1000;
  bool enable_multi_variant_queries = false;
  Duration split_queries_by_interval = std::chrono::hours(1);  // only 0 matters: steps begin at the start of the query
  std::vector<std::string> disabled_pushdowns;          // ours, for tests: block_statistics, prune_literals, ...
  bool field_selectors = true;                          // ours: selectors on names that no stream carries read fields
  bool allow_empty_selector = true;                     // ours: {} selects every stream
};

/// `retention_stream`: the highest priority wins, of equal ones the shortest period.
struct RetentionRule {
  std::string selector;
  std::vector<LabelMatcher> matchers;
  std::int64_t priority = 0;
  Duration period{0};
};

struct RetentionSettings {
  Duration retention_period{0};                         // 0: for ever
  std::vector<RetentionRule> retention_stream;
  std::string deletion_mode = "filter-and-delete";      // disabled, filter-only, filter-and-delete
};

struct RulerTenantSettings {
  std::uint32_t max_rules_per_rule_group = 0;
  std::uint32_t max_rule_groups_per_tenant = 0;
};

struct TenantSettings {
  ingest::TenantLimits write;
  QuerySettings query;
  RetentionSettings retention;
  RulerTenantSettings ruler;
};

/// Below `prefix` ("limits_config", or "" for one tenant of the runtime file).
std::vector<Setting> tenant_settings_table(TenantSettings& settings, const std::string& prefix);

/// Keys of limits_config that are accepted without effect, without the prefix.
std::span<const std::string_view> ignored_limits();

}  // namespace kvasir::server
