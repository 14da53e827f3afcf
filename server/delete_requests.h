// delete_requests.h -- what was asked to be deleted: kept in the manifests, hidden from queries at once, erased later.
//
// Meaning:  an entry is deleted when its stream matches, start <= timestamp <= end, and it passes the query's stages.
// Lifetime: compiled requests are shared and immutable.
// Threads:  any.
// Errors:   create: invalid_argument, worded as clients of Loki know it; io. cancel: not_found, invalid_argument, io.
// Source:   http API section 5.6; docs/formats/manifest-v1.md
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chunks/block.h"
#include "common/clock.h"
#include "common/matcher.h"
#include "common/mutex.h"
#include "common/result.h"
#include "ingest/storage.h"
#include "logql/log_source.h"
#include "logql/pipeline/pipeline.h"

namespace kvasir::server {

class CompiledDelete {
 public:
  /// Errors: invalid_argument `invalid query expression`.
  static Result<std::shared_ptr<const CompiledDelete>> compile(ingest::DeleteRequest request);

  const ingest::DeleteRequest& request() const { return request_; }
  bool touches(const Labels& stream, TimestampNs first, TimestampNs last) const;
  /// The matchers and the time range decide alone.
  bool whole_rows() const { return pipeline_->empty(); }
  const std::shared_ptr<const logql::Pipeline>& pipeline() const { return pipeline_; }
  bool in_range(std::int64_t timestamp) const {
    return request_.start.value <= timestamp && timestamp <= request_.end.value;
  }

 private:
  ingest::DeleteRequest request_;
  std::vector<LabelMatcher> matchers_;
  std::shared_ptr<const logql::Pipeline> pipeline_;
};
using DeletePtr = std::shared_ptr<const CompiledDelete>;

/// Clears the rows of a block that are deleted.
Result<void> clear_deleted(const CompiledDelete& request, logql::LogBlock& block, logql::RowSet& rows);
Result<void> clear_deleted(const CompiledDelete& request, const Labels& stream, chunks::Block& block,
                           chunks::RowBits rows);

/// The block without its deleted rows. REQUIRES: some request touches it.
Result<std::unique_ptr<logql::LogBlock>> hide_deleted(std::unique_ptr<logql::LogBlock> block,
                                                      std::span<const DeletePtr> requests);

class DeleteRequests {
 public:
  DeleteRequests(ingest::Storage& storage, const Clock& clock) : storage_(storage), clock_(clock) {}

  /// The id of the new request. Equal requests are different ones.
  Result<std::string> create(std::string_view tenant, std::string query, TimestampNs start, TimestampNs end);
  /// In order of creation.
  std::vector<ingest::DeleteRequest> list(std::string_view tenant) const;
  /// `cancel_period`: how long after its creation a request may be taken back without `force`.
  Result<void> cancel(std::string_view tenant, std::string_view id, bool force, Duration cancel_period);
  Result<void> set_progress(std::string_view tenant, const std::string& id, std::uint32_t percent,
                            std::uint64_t flushed_floor);
  /// Those that are not processed yet.
  std::vector<DeletePtr> active(std::string_view tenant);

 private:
  std::string new_id(std::string_view tenant) const;

  ingest::Storage& storage_;
  const Clock& clock_;
  Mutex mutex_;
  std::map<std::pair<std::string, std::string>, DeletePtr> compiled_ KVASIR_GUARDED_BY(mutex_);  // by tenant and id
};

}  // namespace kvasir::server
