#include "promtail-agent/builtin_metrics.h"

namespace kvasir::agent {

namespace {

constexpr const char* kCounters[] = {"logentry_dropped_lines_by_label_total",
                                     "logentry_dropped_lines_total",
                                     "loki_internal_log_messages_total",
                                     "loki_log_messages_total",
                                     "process_cpu_seconds_total",
                                     "promtail_batch_retries_total",
                                     "promtail_compressed_files_as_lines_total",
                                     "promtail_config_reload_fail_total",
                                     "promtail_config_reload_success_total",
                                     "promtail_dropped_bytes_total",
                                     "promtail_dropped_entries_total",
                                     "promtail_encoded_bytes_total",
                                     "promtail_encoding_failures_total",
                                     "promtail_files_rotated_total",
                                     "promtail_files_truncated_total",
                                     "promtail_logfmt_errors_total",
                                     "promtail_metric_errors_total",
                                     "promtail_mutated_bytes_total",
                                     "promtail_mutated_entries_total",
                                     "promtail_overlong_lines_total",
                                     "promtail_read_lines_total",
                                     "promtail_sent_bytes_total",
                                     "promtail_sent_entries_total",
                                     "promtail_skipped_nul_bytes_total",
                                     "promtail_spool_damaged_total",
                                     "promtail_spool_dropped_entries_total",
                                     "promtail_spool_errors_total",
                                     "promtail_state_damaged_total",
                                     "promtail_targets_failed_total",
                                     "promtail_timestamp_failures_total"};
constexpr const char* kGauges[] = {"inflight_requests",
                                   "process_max_fds",
                                   "process_open_fds",
                                   "process_resident_memory_bytes",
                                   "process_start_time_seconds",
                                   "process_virtual_memory_bytes",
                                   "promtail_acked_bytes",
                                   "promtail_build_info",
                                   "promtail_file_bytes_total",
                                   "promtail_files_active_total",
                                   "promtail_queue_bytes",
                                   "promtail_queue_oldest_seconds",
                                   "promtail_read_bytes_total",
                                   "promtail_spool_bytes",
                                   "promtail_targets_active_total",
                                   "tcp_connections",
                                   "tcp_connections_limit"};
constexpr const char* kHistograms[] = {"promtail_push_request_duration_seconds", "promtail_request_duration_seconds",
                                       "request_duration_seconds", "request_message_bytes", "response_message_bytes"};

}  // namespace

void register_builtin_names(MetricRegistry& metrics) {
  for (const char* name : kCounters) metrics.register_builtin(name, MetricType::kCounter, "");
  for (const char* name : kGauges) metrics.register_builtin(name, MetricType::kGauge, "");
  for (const char* name : kHistograms) metrics.register_builtin(name, MetricType::kHistogram, "");
}

}  // namespace kvasir::agent
