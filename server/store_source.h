// store_source.h -- what queries and label requests read: the head and the segments of a tenant behind one face.
//
// Shape:    select() gives one handle per block (sealed in a segment, or a frozen view of a head chunk); each entry is
//           in exactly one of them. Label requests are answered from the in-memory index, counts from block statistics
//           where these are exact.
// Lifetime: handles and blocks keep their segment or chunk alive; the source must not outlive the ingester and the
//           storage.
// Threads:  any.
// Errors:   corruption and io from segments; the errors of QueryContext::check().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/matcher.h"
#include "common/result.h"
#include "common/time.h"
#include "ingest/ingester.h"
#include "ingest/storage.h"
#include "logql/log_source.h"
#include "server/block_cache.h"

namespace kvasir::server {

class DeleteRequests;

/// /index/stats
struct IndexStats {
  std::uint64_t streams = 0;
  std::uint64_t chunks = 0;   // blocks
  std::uint64_t bytes = 0;    // lines and metadata
  std::uint64_t entries = 0;
};

/// What one stream has in the range; its bytes per step: bucket i covers [begin + i * step, begin + (i + 1) * step) cut
/// to the range.
struct StreamVolume {
  std::shared_ptr<const logql::StreamIdentity> stream;
  std::vector<std::uint64_t> bytes;
  std::uint64_t chunks = 0;   // blocks with an entry in the range
  std::uint64_t entries = 0;
};

struct VolumeRequest {
  std::string tenant;
  std::vector<LabelMatcher> matchers;
  TimeRange range;
  TimestampNs first_bucket;   // <= range.begin; where bucket 0 begins
  Duration step{0};           // 0: one bucket for all
};

class StoreSource final : public logql::LogSource {
 public:
  /// `deletes` may be null: nothing is hidden then. `cache` may be null: a small one is made.
  StoreSource(ingest::Storage& storage, const ingest::Ingester& ingester, DeleteRequests* deletes = nullptr,
              std::shared_ptr<BlockCache> cache = nullptr);
  ~StoreSource() override;

  Result<std::vector<std::unique_ptr<logql::BlockHandle>>> select(const logql::SelectRequest& request,
                                                                  logql::QueryContext& context) override;
  bool has_stream_label(std::string_view tenant, std::string_view name) override;

  /// Errors: corruption, if the tenant has a segment in the range that cannot be read. The labels and series below do
  /// not know its streams.
  Result<void> check_readable(std::string_view tenant, TimeRange range) const;

  /// Sorted. Streams count when they have data on a day that the range touches.
  std::vector<std::string> label_names(std::string_view tenant, std::span<const LabelMatcher> matchers,
                                       TimeRange range);
  /// The views live as long as the storage.
  std::vector<std::string_view> label_values(std::string_view tenant, std::string_view name,
                                             std::span<const LabelMatcher> matchers, TimeRange range);
  /// Label sets of the streams that match, in no order (the union over selectors is the caller's).
  std::vector<std::shared_ptr<const Labels>> series(std::string_view tenant, std::span<const LabelMatcher> matchers,
                                                    TimeRange range);
  Result<IndexStats> stats(std::string_view tenant, const std::vector<LabelMatcher>& matchers, TimeRange range,
                           logql::QueryContext& context);
  /// Streams without bytes in the range are left out.
  Result<std::vector<StreamVolume>> volumes(const VolumeRequest& request, logql::QueryContext& context);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kvasir::server
