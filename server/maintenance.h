// maintenance.h -- the background work on segments: expiry, erasing what was deleted, merging small segments.
//
// Order:    one thread, tenant after tenant: expiry, deletes, merges. Each step is one manifest edit. Between them the
//           disk is looked at: too little room makes the ingester refuse pushes, so that flushes and merges can still
//           end.
// Threads:  start(), stop() and run_once() by the owner; a started one runs by itself.
// Errors:   logged and counted; a step that failed is tried again the next time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/clock.h"
#include "common/filesystem.h"
#include "common/mutex.h"
#include "ingest/ingester.h"
#include "ingest/rewrite.h"
#include "ingest/storage.h"
#include "ingest/work_budget.h"
#include "server/delete_requests.h"
#include "server/tenant_settings.h"

namespace kvasir::server {

struct MaintenanceOptions {
  bool retention_enabled = false;
  Duration retention_interval = std::chrono::minutes(10);
  Duration interval = std::chrono::seconds(15);              // size, deletes and merges
  std::uint64_t size_max = 0;                                // bytes of all segments; beyond it the oldest go; 0 = any
  std::uint64_t disk_reserve = 0;                            // with less free no pushes are taken; 0 = never
  std::function<Result<std::uint64_t>()> free_bytes;         // of the disk; empty: unknown
  Duration delete_cancel_period = std::chrono::hours(24);    // erasing waits so long; hiding does not
  ingest::MergeRules merge;
  ingest::WorkBudget merge_budget;                           // of merging, over the merges that follow each other
  std::function<RetentionSettings(std::string_view tenant)> retention;
};

struct MaintenanceCounters {
  std::uint64_t merges = 0, segments_expired = 0, rows_expired = 0, rows_erased = 0, requests_processed = 0,
                failures = 0;
  std::uint64_t merge_rows = 0, merge_rows_copied = 0;
  std::uint64_t merge_bytes = 0;   // as the budget counts them
  Duration merge_cpu{0};
};

/// How long the stream is kept: the matching rule of highest priority (of equal ones the shortest), else the tenant's
/// period.
/// 0: for ever.
Duration retention_of(const RetentionSettings& settings, const Labels& stream);

class Maintenance {
 public:
  Maintenance(MaintenanceOptions options, ingest::Storage& storage, ingest::Ingester& ingester, DeleteRequests& deletes,
              Filesystem& filesystem, const Clock& clock);
  ~Maintenance();   // stop()
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

  void start();
  void stop();
  /// All steps for every tenant, now.
  void run_once();
  /// Compares the room on the disk with the reserve.
  void check_disk();
  MaintenanceCounters counters() const;

 private:
  using SegmentPtr = std::shared_ptr<const ingest::Segment>;

  void run();
  void note(std::string_view step, const std::string& tenant, const Result<void>& result);
  Result<void> expire(ingest::TenantStorage& tenant);
  Result<void> expire_by_size();
  Result<void> expire_parts(ingest::TenantStorage& tenant, const SegmentPtr& segment,
                            const RetentionSettings& settings);
  void erase(ingest::TenantStorage& tenant);
  Result<void> erase_one(ingest::TenantStorage& tenant, const CompiledDelete& request);
  Result<void> merge(ingest::TenantStorage& tenant);
  /// For merges that follow each other on this thread: counts what they use, and waits as their budget says.
  std::function<void(std::uint64_t)> pace_of_merge();

  MaintenanceOptions options_;
  ingest::Storage& storage_;
  ingest::Ingester& ingester_;
  DeleteRequests& deletes_;
  Filesystem& filesystem_;
  const Clock& clock_;
  Duration next_retention_{0};
  bool low_on_disk_ = false;

  Mutex mutex_;
  Condition wake_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> merges_{0}, segments_expired_{0}, rows_expired_{0}, rows_erased_{0}, processed_{0},
      failures_{0}, merge_rows_{0}, merge_rows_copied_{0}, merge_bytes_{0}, merge_cpu_{0};
  std::thread thread_;
};

}  // namespace kvasir::server
