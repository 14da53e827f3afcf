// limits.h -- the write-path half of one tenant's limits_config, with Loki's names and defaults.
//
// Units:    rates and sizes in bytes (ingestion_rate_mb and ingestion_burst_size_mb: MiB, as Loki counts them); 0 turns
//           a limit off where the comment says so.
// Lifetime: values; a push uses one snapshot from start to end.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/matcher.h"
#include "common/time.h"
#include "ingest/wire/otlp_config.h"

namespace kvasir::ingest {

/// A stream selector and its weight: of several policies that match, the one with the highest priority counts.
struct PolicyMapping {
  std::vector<LabelMatcher> selector;
  int priority = 0;
};

struct TenantLimits {
  double ingestion_rate_mb = 4;
  double ingestion_burst_size_mb = 6;
  std::uint64_t per_stream_rate_limit = 3 << 20;
  std::uint64_t per_stream_rate_limit_burst = 15 << 20;
  std::uint64_t max_global_streams_per_user = 5000;    // 0: off; enforced by the head
  std::uint64_t max_streams_per_user = 0;              // 0: off; enforced by the head
  std::uint64_t max_returned_stream_errors = 10;       // from the ingester block

  std::uint64_t max_label_name_length = 1024;
  std::uint64_t max_label_value_length = 2048;
  std::uint64_t max_label_names_per_series = 15;
  std::vector<std::string> discover_service_name = default_service_name_labels();
  std::vector<std::string> enforced_labels;
  std::map<std::string, std::vector<std::string>> policy_enforced_labels;

  bool reject_old_samples = true;
  Duration reject_old_samples_max_age = std::chrono::hours(7 * 24);
  Duration creation_grace_period = std::chrono::minutes(10);
  std::uint64_t max_line_size = 256 * 1024;            // 0: off
  bool max_line_size_truncate = false;
  std::string max_line_size_truncate_identifier;
  bool increment_duplicate_timestamp = false;

  bool allow_structured_metadata = true;
  std::uint64_t max_structured_metadata_size = 64 * 1024;        // 0: off
  std::uint64_t max_structured_metadata_entries_count = 128;     // 0: off
  bool discover_log_levels = true;
  std::vector<std::string> log_level_fields = default_level_fields();
  std::uint64_t log_level_from_json_max_depth = 2;               // 0: any
  std::map<std::string, std::vector<std::string>> discover_generic_fields;
  OtlpConfig otlp_config;

  std::optional<TimestampNs> block_ingestion_until;
  int block_ingestion_status_code = 260;
  std::map<std::string, TimestampNs> block_ingestion_policy_until;
  std::map<std::string, std::vector<PolicyMapping>> policy_stream_mapping;

  static std::vector<std::string> default_service_name_labels();
  static std::vector<std::string> default_level_fields();
};

}  // namespace kvasir::ingest
