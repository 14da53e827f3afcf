#include "server/store_source.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "chunks/block_pruner.h"
#include "common/mutex.h"
#include "server/store_blocks.h"

namespace kvasir::server {
namespace {

constexpr std::uint64_t kOwnCacheBytes = 64ULL << 20;
constexpr std::uint64_t kHandleBytes = 192;  // of a block that a query may open, with its places in the plan

using Handles = std::vector<std::unique_ptr<StoreBlockHandle>>;

/// The identities of a tenant's streams in the engine's form, made once per stream.
class Identities {
 public:
  StreamPtr get(const index::StreamIndex& index, index::StreamId id) {
    MutexLock lock(mutex_);
    if (known_.size() <= id) known_.resize(id + 1);
    auto& slot = known_[id];
    if (slot == nullptr) {
      slot = std::make_shared<const logql::StreamIdentity>(
          logql::StreamIdentity{*index.labels(id), index.fingerprint(id)});
    }
    return slot;
  }

 private:
  Mutex mutex_;
  std::vector<StreamPtr> known_ KVASIR_GUARDED_BY(mutex_);
};

/// Calls `take(position in ids, stream of the segment)` for streams that are in both; both ascend by id.
template <class Take>
void for_common_streams(std::span<const index::StreamId> ids, std::span<const ingest::Segment::Stream> streams,
                        const Take& take) {
  auto stream = streams.begin();
  for (const index::StreamId id : ids) {
    // Mostly it is the next one.
    if (stream != streams.end() && stream->id < id) ++stream;
    if (stream != streams.end() && stream->id < id) {
      stream = std::lower_bound(stream, streams.end(), id,
                                [](const auto& s, index::StreamId wanted) { return s.id < wanted; });
    }
    if (stream == streams.end()) return;
    if (stream->id == id) take(*stream);
  }
}

/// Blocks of one stream, by their beginnings; finds those that may share an entry.
class Overlaps {
 public:
  void start_stream() {
    reaching_.clear();
    crowded_until_.reset();
  }

  void add(StoreBlockHandle& block) {
    std::erase_if(reaching_, [&](const auto* other) { return other->last() < block.first(); });
    if (crowded_until_ && block.first() <= *crowded_until_) block.set_inexact();
    for (StoreBlockHandle* const other : reaching_) {
      if (block.is_apart(*other)) continue;
      block.set_inexact();
      other->set_inexact();
    }
    reaching_.push_back(&block);
    if (reaching_.size() > kReachingMax) give_up();
  }

 private:
  static constexpr std::size_t kReachingMax = 32;

  /// Too many to compare each with each.
  void give_up() {
    for (StoreBlockHandle* const other : reaching_) {
      other->set_inexact();
      crowded_until_ = std::max(crowded_until_.value_or(other->last()), other->last());
    }
    reaching_.clear();
  }

  std::vector<StoreBlockHandle*> reaching_;  // as far as the next block, perhaps
  std::optional<TimestampNs> crowded_until_;
};

/// Marks blocks of one stream whose time ranges touch: the same entry may be in two of them, unless it is known that
/// none is.
void mark_overlaps(Handles& handles) {
  struct Block {
    const logql::StreamIdentity* stream;
    TimestampNs first;
    StoreBlockHandle* handle;
  };
  std::vector<Block> blocks;
  blocks.reserve(handles.size());
  for (const auto& handle : handles) blocks.push_back({handle->stream().get(), handle->first(), handle.get()});
  std::sort(blocks.begin(), blocks.end(),
            [](const Block& a, const Block& b) { return std::tie(a.stream, a.first) < std::tie(b.stream, b.first); });
  Overlaps overlaps;
  const logql::StreamIdentity* of = nullptr;
  for (const auto& [stream, first, handle] : blocks) {
    if (std::exchange(of, stream) != stream) overlaps.start_stream();
    overlaps.add(*handle);
  }
}

void hide_deleted_rows(Handles& handles, std::span<const DeletePtr> requests) {
  if (requests.empty()) return;
  for (auto& handle : handles) {
    std::vector<DeletePtr> touching;
    for (const auto& request : requests) {
      if (request->touches(handle->stream()->labels, handle->first(), handle->last())) touching.push_back(request);
    }
    if (!touching.empty()) handle->hide(std::move(touching));
  }
}

std::uint64_t blocks_in_range(const chunks::SegmentReader& reader, std::span<const ingest::Segment::Stream> streams,
                              TimeRange range) {
  std::uint64_t count = 0;
  for (const auto& stream : streams) {
    const auto [begin, end] = reader.blocks_of(stream.ordinal);
    for (std::size_t block = begin; block < end; ++block) {
      const auto& entry = reader.blocks()[block];
      count += range.overlaps(entry.first.timestamp, entry.last.timestamp) ? 1 : 0;
    }
  }
  return count;
}

bool inside(const logql::BlockHandle& block, TimeRange range) {
  return range.contains(block.first()) && range.contains(block.last());
}

std::uint64_t row_bytes(logql::LogBlock& block, std::size_t row) {
  std::uint64_t bytes = block.line_lengths()[row];
  if (!block.has_metadata()) return bytes;
  for (const auto& label : block.metadata(row)) bytes += label.name.size() + label.value.size();
  return bytes;
}

}  // namespace

struct StoreSource::State {
  State(ingest::Storage& storage_in, const ingest::Ingester& ingester_in, DeleteRequests* deletes_in,
        std::shared_ptr<BlockCache> cache_in)
      : storage(storage_in), ingester(ingester_in), deletes(deletes_in), cache(std::move(cache_in)) {}

  Identities& identities(const std::string& tenant) {
    MutexLock lock(mutex);
    auto& slot = identities_of[tenant];
    if (slot == nullptr) slot = std::make_unique<Identities>();
    return *slot;
  }
  Result<Handles> handles(const logql::SelectRequest& request, logql::QueryContext& context);
  void note_segments(const std::string& tenant, const std::shared_ptr<const ingest::SegmentSet>& set);
  Result<void> add_segment(const std::shared_ptr<const ingest::Segment>& segment, std::span<const index::StreamId> ids,
                           const logql::SelectRequest& request, const index::StreamIndex& index,
                           logql::QueryContext& context, Handles& out);

  ingest::Storage& storage;
  const ingest::Ingester& ingester;
  DeleteRequests* deletes;
  std::shared_ptr<BlockCache> cache;
  Mutex mutex;
  std::map<std::string, std::weak_ptr<const ingest::SegmentSet>> last_set_of KVASIR_GUARDED_BY(mutex);  // by tenant
  std::map<std::string, std::unique_ptr<Identities>> identities_of KVASIR_GUARDED_BY(mutex);
};

StoreSource::StoreSource(ingest::Storage& storage, const ingest::Ingester& ingester, DeleteRequests* deletes,
                         std::shared_ptr<BlockCache> cache)
    : state_(std::make_unique<State>(
          storage, ingester, deletes,
          cache != nullptr ? std::move(cache) : std::make_shared<BlockCache>(kOwnCacheBytes))) {}
StoreSource::~StoreSource() = default;

Result<void> StoreSource::State::add_segment(const std::shared_ptr<const ingest::Segment>& segment,
                                             std::span<const index::StreamId> ids, const logql::SelectRequest& request,
                                             const index::StreamIndex& index, logql::QueryContext& context,
                                             Handles& out) {
  std::vector<ingest::Segment::Stream> wanted;
  for_common_streams(ids, segment->streams(), [&](const ingest::Segment::Stream& stream) {
    if (request.range.overlaps(stream.first, stream.last)) wanted.push_back(stream);
  });
  if (wanted.empty()) return {};
  KVASIR_TRY(const auto reader, segment->reader());
  chunks::PruneQuery prune{.range = request.range, .literals = {}, .ids = {}};
  if (request.pushdowns.prune_literals) {
    prune.literals = request.literals;
    prune.ids = request.tokens;
  }
  const chunks::BlockPruner pruner(*reader, std::move(prune));
  if (pruner.nothing_matches()) {
    if (context.profile() != nullptr) context.stats().blocks_pruned += blocks_in_range(*reader, wanted, request.range);
    return {};
  }
  auto& known = identities(request.tenant);
  const auto queried = std::make_shared<const QueriedSegment>(segment, reader, cache, context.budget());
  for (const auto& stream : wanted) {
    const auto [begin, end] = reader->blocks_of(stream.ordinal);
    const StreamPtr identity = known.get(index, stream.id);
    for (std::size_t block = begin; block < end; ++block) {
      const auto& entry = reader->blocks()[block];
      if (!request.range.overlaps(entry.first.timestamp, entry.last.timestamp)) continue;
      if (pruner.cannot_match(block)) {
        ++context.stats().blocks_pruned;
        continue;
      }
      out.push_back(make_segment_handle(identity, queried, block));
    }
  }
  return {};
}

/// Blocks of segments that were merged away or expired must not keep their files.
void StoreSource::State::note_segments(const std::string& tenant,
                                       const std::shared_ptr<const ingest::SegmentSet>& set) {
  {
    MutexLock lock(mutex);
    auto& last = last_set_of[tenant];
    if (last.lock() == set) return;
    last = set;
  }
  cache->drop_stale();
}

Result<Handles> StoreSource::State::handles(const logql::SelectRequest& request, logql::QueryContext& context) {
  Handles out;
  const ingest::TenantStorage* tenant = storage.find(request.tenant);
  if (tenant == nullptr || request.range.empty()) return out;
  KVASIR_CHECK_OK(tenant->segments()->check_readable(request.range));
  const auto& index = tenant->index();
  const auto ids = index.with_data(index.select(request.matchers), request.range);
  if (ids.empty()) return out;
  const auto snapshot = ingester.snapshot(request.tenant, ids, request.range);
  note_segments(request.tenant, snapshot.segments);
  auto& known = identities(request.tenant);
  for (const auto& block : snapshot.head)
    out.push_back(make_head_handle(known.get(index, block.stream), block.chunk, context.budget()));
  for (const auto& segment : snapshot.segments->segments) {
    KVASIR_CHECK_OK(context.check());
    if (!request.range.overlaps(segment->info().first, segment->info().last)) continue;
    KVASIR_CHECK_OK(add_segment(segment, ids, request, index, context, out));
  }
  mark_overlaps(out);
  KVASIR_CHECK_OK(context.keep_bytes(out.size() * kHandleBytes));
  if (deletes != nullptr) hide_deleted_rows(out, deletes->active(request.tenant));
  return out;
}

Result<std::vector<std::unique_ptr<logql::BlockHandle>>> StoreSource::select(const logql::SelectRequest& request,
                                                                             logql::QueryContext& context) {
  KVASIR_TRY(auto handles, state_->handles(request, context));
  std::vector<std::unique_ptr<logql::BlockHandle>> out;
  out.reserve(handles.size());
  for (auto& handle : handles) out.push_back(std::move(handle));
  return out;
}

bool StoreSource::has_stream_label(std::string_view tenant, std::string_view name) {
  const auto* stored = state_->storage.find(tenant);
  return stored != nullptr && stored->index().has_label(name);
}

Result<void> StoreSource::check_readable(std::string_view tenant, TimeRange range) const {
  const auto* stored = state_->storage.find(tenant);
  return stored == nullptr ? Result<void>() : stored->segments()->check_readable(range);
}

std::vector<std::string> StoreSource::label_names(std::string_view tenant, std::span<const LabelMatcher> matchers,
                                                  TimeRange range) {
  const auto* stored = state_->storage.find(tenant);
  return stored == nullptr ? std::vector<std::string>() : stored->index().label_names(matchers, range);
}

std::vector<std::string_view> StoreSource::label_values(std::string_view tenant, std::string_view name,
                                                        std::span<const LabelMatcher> matchers, TimeRange range) {
  const auto* stored = state_->storage.find(tenant);
  return stored == nullptr ? std::vector<std::string_view>() : stored->index().label_values(name, matchers, range);
}

std::vector<std::shared_ptr<const Labels>> StoreSource::series(std::string_view tenant,
                                                               std::span<const LabelMatcher> matchers,
                                                               TimeRange range) {
  const auto* stored = state_->storage.find(tenant);
  if (stored == nullptr) return {};
  const auto& index = stored->index();
  return index.labels(index.with_data(index.select(matchers), range));
}

Result<IndexStats> StoreSource::stats(std::string_view tenant, const std::vector<LabelMatcher>& matchers,
                                      TimeRange range, logql::QueryContext& context) {
  logql::SelectRequest request;
  request.tenant = tenant;
  request.matchers = matchers;
  request.range = range;
  KVASIR_TRY(const auto handles, state_->handles(request, context));
  IndexStats stats;
  std::map<const logql::StreamIdentity*, bool> streams;
  for (const auto& handle : handles) {
    std::uint64_t rows = handle->rows();
    std::uint64_t bytes = handle->line_bytes() + handle->metadata_bytes();
    if (!inside(*handle, range)) {
      KVASIR_CHECK_OK(context.check());
      KVASIR_TRY(const auto block, handle->open());
      rows = bytes = 0;
      for (std::size_t row = 0; row < block->rows(); ++row) {
        if (!range.contains({block->timestamps()[row]})) continue;
        ++rows;
        bytes += row_bytes(*block, row);
      }
    }
    if (rows == 0) continue;
    streams[handle->stream().get()] = true;
    ++stats.chunks;
    stats.entries += rows;
    stats.bytes += bytes;
  }
  stats.streams = streams.size();
  return stats;
}

Result<std::vector<StreamVolume>> StoreSource::volumes(const VolumeRequest& request, logql::QueryContext& context) {
  logql::SelectRequest select;
  select.tenant = request.tenant;
  select.matchers = request.matchers;
  select.range = request.range;
  KVASIR_TRY(const auto handles, state_->handles(select, context));
  const auto bucket_of = [&](TimestampNs t) {
    return request.step.count() == 0 ? std::size_t{0}
                                     : static_cast<std::size_t>((t - request.first_bucket) / request.step);
  };
  const std::size_t buckets = request.range.empty() ? 0 : bucket_of({request.range.end.value - 1}) + 1;
  std::map<const logql::StreamIdentity*, StreamVolume> streams;
  for (const auto& handle : handles) {
    auto& volume = streams[handle->stream().get()];
    if (volume.stream == nullptr) volume = {handle->stream(), std::vector<std::uint64_t>(buckets), 0, 0};
    if (inside(*handle, request.range) && bucket_of(handle->first()) == bucket_of(handle->last())) {
      volume.bytes[bucket_of(handle->first())] += handle->line_bytes() + handle->metadata_bytes();
      volume.chunks += handle->rows() > 0 ? 1 : 0;
      volume.entries += handle->rows();
      continue;
    }
    KVASIR_CHECK_OK(context.check());
    KVASIR_TRY(const auto block, handle->open());
    std::uint64_t rows = 0;
    for (std::size_t row = 0; row < block->rows(); ++row) {
      const TimestampNs t{block->timestamps()[row]};
      if (!request.range.contains(t)) continue;
      volume.bytes[bucket_of(t)] += row_bytes(*block, row);
      ++rows;
    }
    volume.chunks += rows > 0 ? 1 : 0;
    volume.entries += rows;
  }
  std::vector<StreamVolume> out;
  for (auto& [stream, volume] : streams) {
    const bool any =
        std::any_of(volume.bytes.begin(), volume.bytes.end(), [](std::uint64_t bytes) { return bytes > 0; });
    if (any) out.push_back(std::move(volume));
  }
  return out;
}

}  // namespace kvasir::server
