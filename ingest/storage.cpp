#include "ingest/storage.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <shared_mutex>
#include <utility>

#include <fmt/format.h>

#include "common/log.h"
#include "common/number.h"
#include "index/index_store.h"
#include "ingest/manifest.h"

namespace kvasir::ingest {
namespace {

constexpr std::string_view kSegmentSuffix = ".seg";
constexpr std::uint64_t kDeletesBytesMax = 256u << 20;

Path segment_file(const Path& folder, std::uint64_t id) {
  return join_path(folder, fmt::format("segments/{:016x}{}", id, kSegmentSuffix));
}

/// Of a segment's file name; empty for other names.
std::optional<std::uint64_t> segment_id(std::string_view name) {
  constexpr std::size_t kDigits = 16;
  if (name.size() != kDigits + kSegmentSuffix.size() || !name.ends_with(kSegmentSuffix)) return std::nullopt;
  std::uint64_t id = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + kDigits, id, 16);
  return parsed.ec == std::errc() && parsed.ptr == name.data() + kDigits ? std::optional(id) : std::nullopt;
}

using SegmentPtr = std::shared_ptr<Segment>;

class TenantStorageOnDisk final : public TenantStorage {
 public:
  TenantStorageOnDisk(std::string tenant, const Path& data, Filesystem& filesystem, index::IndexStore& catalogue)
      : tenant_(std::move(tenant)),
        folder_(join_path(join_path(data, "tenants"), escape_tenant(tenant_))),
        filesystem_(filesystem),
        catalogue_(catalogue),
        manifest_(std::make_unique<Manifest>(join_path(folder_, "manifest"), filesystem)),
        segments_(std::make_shared<const SegmentSet>()) {}

  /// Reads what is on disk.
  Result<void> load() {
    MutexLock lock(edit_mutex_);
    KVASIR_TRY(const auto there, filesystem_.status(join_path(folder_, "manifest")));
    KVASIR_TRY(manifest_, Manifest::open(join_path(folder_, "manifest"), filesystem_));
    if (!there || manifest_->was_torn()) KVASIR_CHECK_OK(make_manifest_anew());
    copy_deletes();
    KVASIR_CHECK_OK(sweep_files());
    auto set = std::make_shared<SegmentSet>();
    for (const auto& [id, info] : manifest_->state().segments) {
      auto segment = restore(info);
      if (segment) {
        set->segments.push_back(std::move(*segment));
      } else if (segment.error().code() == ErrorCode::kIo) {
        return fail(
            segment.error());  // it may be readable the next time: starting without it would hide rows for no reason
      } else {
        log::error("storage", "segment cannot be read; queries of its time range fail",
                   {{"tenant", tenant_}, {"path", segment_path(id)}, {"reason", segment.error().message()}});
        set->unreadable.push_back({info, segment_path(id), segment.error().message()});
      }
    }
    forget_stale_catalogue();
    segments_ = std::move(set);
    return {};
  }

  const std::string& tenant() const override { return tenant_; }
  index::StreamIndex& index() override { return index_; }
  const index::StreamIndex& index() const override { return index_; }
  std::shared_ptr<const SegmentSet> segments() const override {
    const std::shared_lock lock(snapshot_mutex_);
    return segments_;
  }
  std::vector<DeleteRequest> delete_requests() const override {
    MutexLock lock(edit_mutex_);
    return manifest_->state().deletes;
  }
  std::uint64_t flushed_floor() const override {
    MutexLock lock(edit_mutex_);
    return manifest_->state().flushed_floor;
  }
  bool made_anew() const override { return made_anew_; }
  std::uint64_t sequence_floor() const {
    MutexLock lock(edit_mutex_);
    return manifest_->state().sequence_floor;
  }
  std::uint64_t next_segment_id() override {
    MutexLock lock(edit_mutex_);
    return manifest_->take_segment_id();
  }
  Path segment_path(std::uint64_t id) const override { return segment_file(folder_, id); }
  Result<void> prepare_folder() override { return filesystem_.make_directories(join_path(folder_, "segments")); }

  Result<void> commit(const ManifestEdit& edit, const std::function<void()>& swap) override {
    MutexLock lock(edit_mutex_);
    std::vector<SegmentPtr> added;
    std::vector<std::vector<index::CatalogueStream>> streams;
    for (const auto& info : edit.added) {
      KVASIR_TRY(auto described, read_streams(info.id));
      added.push_back(open_segment(info, described));
      streams.push_back(std::move(described));
    }
    KVASIR_CHECK_OK(manifest_->apply(edit));
    publish(edit, added, swap);
    copy_deletes();
    for (std::size_t i = 0; i < added.size(); ++i) note(catalogue_.put(tenant_, edit.added[i].id, streams[i]));
    if (!edit.removed.empty()) {
      note(catalogue_.remove(tenant_, edit.removed));
      refresh_days();
    }
    return {};
  }

  void with_snapshot(const std::function<void(const std::shared_ptr<const SegmentSet>&)>& read) const override {
    const std::shared_lock lock(snapshot_mutex_);
    read(segments_);
  }
  void on_days_lost(std::function<void()> renote) override {
    MutexLock lock(edit_mutex_);
    days_lost_ = std::move(renote);
  }

 private:
  /// Removes what a crash left: temporary files, and segments that the manifest does not name.
  Result<void> sweep_files() {
    const Path folder = join_path(folder_, "segments");
    KVASIR_TRY(const auto there, filesystem_.status(folder));
    if (!there) return {};
    KVASIR_TRY(const auto names, filesystem_.list(folder));
    const auto& live = manifest_->state().segments;
    for (const auto& name : names) {
      const bool is_live = std::any_of(live.begin(), live.end(), [&](const auto& item) {
        return segment_path(item.first) == join_path(folder, name);
      });
      if (is_live) continue;
      const bool keep = manifest_->was_torn() && name.ends_with(kSegmentSuffix);
      log::warn("storage", keep ? "moving a segment that no manifest names" : "removing a file that no manifest names",
                {{"tenant", tenant_}, {"file", name}});
      KVASIR_CHECK_OK(keep ? set_aside(folder, name) : filesystem_.remove(join_path(folder, name)));
    }
    return {};
  }
  Path deletes_path() const { return join_path(folder_, "deletes"); }
  /// What the copy holds; nothing if there is none. Errors: it cannot be read.
  Result<ManifestState> copied_deletes() {
    KVASIR_TRY(const auto there, filesystem_.status(deletes_path()));
    if (!there) return ManifestState();
    KVASIR_TRY(const auto bytes, filesystem_.read_all(deletes_path(), kDeletesBytesMax));
    KVASIR_TRY(auto file, read_manifest(bytes));
    return std::move(file.state);
  }
  /// Keeps the delete requests once more, for a manifest that is lost, and with them from where on the log may be read.
  void copy_deletes() {
    const ManifestState& state = manifest_->state();
    const std::uint64_t floor = state.deletes.empty() ? 0 : state.flushed_floor;
    if (!copied_) {
      if (auto copied = copied_deletes()) copied_ = {std::move(copied->deletes), copied->flushed_floor};
    }
    if (copied_ && copied_->first == state.deletes && copied_->second == floor) return;
    ManifestState copy;
    copy.deletes = state.deletes;
    copy.flushed_floor = floor;
    const auto written = write_atomically(filesystem_, deletes_path(), manifest_of_deletes(copy));
    copied_.reset();
    if (written) {
      copied_ = {state.deletes, floor};
      return;
    }
    log::warn("storage", "no copy made of the delete requests",
              {{"tenant", tenant_}, {"reason", written.error().message()}});
  }
  /// For a manifest that was lost, moved away or cut short: from the segments that are there and the copy of the delete
  /// requests.
  Result<void> make_manifest_anew() {
    const ManifestState& state = manifest_->state();
    const bool torn = manifest_->was_torn();
    ManifestEdit edit;
    KVASIR_CHECK_OK(adopt_segments(edit));
    if (auto copied = copied_deletes()) {
      for (auto& request : copied->deletes) {
        const bool known = std::any_of(state.deletes.begin(), state.deletes.end(),
                                       [&](const auto& other) { return other.id == request.id; });
        if (!known) edit.deletes.push_back(std::move(request));
      }
      edit.flushed_floor = copied->flushed_floor;
    } else {
      log::error("storage", "the copy of the delete requests cannot be read",
                 {{"tenant", tenant_}, {"path", deletes_path()}, {"reason", copied.error().message()}});
    }
    if (edit.added.empty() && edit.deletes.empty()) return {};
    made_anew_ = true;
    log::error("storage", torn ? "manifest was cut short: segments that it does not name are taken up again"
                               : "no manifest: made anew from the segments",
               {{"tenant", tenant_},
                {"segments", std::to_string(edit.added.size())},
                {"delete_requests", std::to_string(edit.deletes.size())}});
    return manifest_->apply(edit);
  }
  /// A torn manifest names the inputs of a merge or an erasure that it does not know of: what that wrote is left out.
  bool is_rewritten(const SegmentInfo& info) const {
    const auto& live = manifest_->state().segments;
    return std::any_of(live.begin(), live.end(), [&](const auto& item) {
      return item.second.first_sequence <= info.last_sequence && info.first_sequence <= item.second.last_sequence;
    });
  }
  Result<void> adopt_segments(ManifestEdit& edit) {
    const Path folder = join_path(folder_, "segments");
    KVASIR_TRY(const auto there, filesystem_.status(folder));
    if (!there) return {};
    KVASIR_TRY(const auto names, filesystem_.list(folder));
    for (const std::string_view name : names) {
      const auto id = segment_id(name);
      if (!id || manifest_->state().segments.contains(*id)) continue;
      const auto info = describe(*id);
      if (info) {
        if (!is_rewritten(*info)) edit.added.push_back(*info);
        continue;
      }
      if (info.error().code() == ErrorCode::kIo) return fail(info.error());
      log::error("storage", "segment cannot be read; it is set aside",
                 {{"tenant", tenant_}, {"path", segment_path(*id)}, {"reason", info.error().message()}});
      KVASIR_CHECK_OK(set_aside(folder, std::string(name)));
    }
    return {};
  }
  /// What a manifest says of a segment, from its file.
  Result<SegmentInfo> describe(std::uint64_t id) {
    KVASIR_TRY(std::shared_ptr<const RandomFile> file, filesystem_.open_random(segment_path(id)));
    SegmentInfo info{.id = id, .file_bytes = file->size(), .first = TimestampNs::max(), .last = TimestampNs::min(),
                     .first_sequence = UINT64_MAX};
    KVASIR_TRY(const auto reader, chunks::SegmentReader::open(std::move(file)));
    for (std::size_t i = 0; i < reader->blocks().size(); ++i) {
      const auto& entry = reader->blocks()[i];
      KVASIR_TRY(const auto block, reader->open_block(i));
      KVASIR_TRY(const auto sequences, block->sequences());
      const auto [least, greatest] = std::minmax_element(sequences.begin(), sequences.end());
      info.rows += entry.rows;
      info.line_bytes += entry.line_bytes;
      info.first = std::min(info.first, entry.first.timestamp);
      info.last = std::max(info.last, entry.last.timestamp);
      info.first_sequence = std::min(info.first_sequence, *least);
      info.last_sequence = std::max(info.last_sequence, *greatest);
    }
    return info;
  }
  Result<void> set_aside(const Path& folder, const std::string& name) {
    const Path aside = join_path(folder_, "orphaned");
    KVASIR_CHECK_OK(filesystem_.make_directories(aside));
    return filesystem_.rename(join_path(folder, name), join_path(aside, name));
  }

  Result<std::vector<index::CatalogueStream>> read_streams(std::uint64_t id) {
    KVASIR_TRY(std::shared_ptr<const RandomFile> file, filesystem_.open_random(segment_path(id)));
    KVASIR_TRY(const auto reader, chunks::SegmentReader::open(std::move(file)));
    return describe_streams(*reader);
  }
  /// Time range of each stream, in the segment's order, from its blocks.
  std::vector<index::CatalogueStream> describe_streams(const chunks::SegmentReader& reader) const {
    std::vector<index::CatalogueStream> streams;
    for (const auto& stream : reader.streams()) {
      streams.push_back({shared_labels(stream), TimestampNs::max(), TimestampNs::min()});
    }
    for (const auto& block : reader.blocks()) {
      auto& stream = streams[block.stream];
      stream.first = std::min(stream.first, block.first.timestamp);
      stream.last = std::max(stream.last, block.last.timestamp);
    }
    return streams;
  }
  /// The copy that the index holds, if it knows them.
  std::shared_ptr<const Labels> shared_labels(const chunks::SegmentStream& stream) const {
    const auto known = index_.find(stream.fingerprint, stream.labels);
    return known ? index_.labels(*known) : std::make_shared<const Labels>(stream.labels);
  }

  SegmentPtr open_segment(const SegmentInfo& info, std::span<const index::CatalogueStream> described) {
    std::vector<Segment::Stream> streams;
    for (std::uint32_t i = 0; i < described.size(); ++i) {
      const auto& stream = described[i];
      const auto id = index_.find_or_add(stream.labels->fingerprint(), stream.labels);
      index_.note_data(id, stream.first, stream.last);
      streams.push_back({id, i, stream.first, stream.last});
    }
    std::sort(streams.begin(), streams.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return std::make_shared<Segment>(info, segment_path(info.id), filesystem_, std::move(streams));
  }

  /// From the catalogue, or from the file.
  Result<SegmentPtr> restore(const SegmentInfo& info) {
    KVASIR_TRY(const auto status, filesystem_.status(segment_path(info.id)));
    if (!status) return fail(ErrorCode::kCorruption, "segment file is missing");
    if (status->size != info.file_bytes) return fail(ErrorCode::kCorruption, "segment file has another size");
    auto known = catalogue_.streams(tenant_, info.id);
    if (known && known->has_value()) return open_segment(info, **known);
    KVASIR_TRY(const auto described, read_streams(info.id));
    note(catalogue_.put(tenant_, info.id, described));
    return open_segment(info, described);
  }

  void forget_stale_catalogue() {
    auto known = catalogue_.segments(tenant_);
    if (!known) return note(fail(known.error()));
    std::erase_if(*known, [&](std::uint64_t id) { return manifest_->state().segments.contains(id); });
    if (!known->empty()) note(catalogue_.remove(tenant_, *known));
  }

  void publish(const ManifestEdit& edit, std::span<const SegmentPtr> added, const std::function<void()>& swap) {
    auto next = std::make_shared<SegmentSet>();
    std::vector<std::shared_ptr<const Segment>> gone;
    for (const auto& segment : segments_->segments) {
      const bool removed =
          std::find(edit.removed.begin(), edit.removed.end(), segment->info().id) != edit.removed.end();
      (removed ? gone : next->segments).push_back(segment);
    }
    next->segments.insert(next->segments.end(), added.begin(), added.end());
    std::sort(next->segments.begin(), next->segments.end(),
              [](const auto& a, const auto& b) { return a->info().id < b->info().id; });
    for (const auto& segment : gone) segment->remove_file_with_last_holder();
    for (const auto& segment : segments_->unreadable) {
      const auto removed = std::find(edit.removed.begin(), edit.removed.end(), segment.info.id);
      if (removed == edit.removed.end()) next->unreadable.push_back(segment);  // else its file goes at the next start
    }
    const std::unique_lock lock(snapshot_mutex_);
    if (swap) swap();
    segments_ = std::move(next);
  }

  /// After segments went: says anew on which days the streams have data. Rows in the head are noted again as they come.
  void refresh_days() {
    index_.forget_data();
    for (const auto& segment : segments_->segments) {
      for (const auto& stream : segment->streams()) index_.note_data(stream.id, stream.first, stream.last);
    }
    if (days_lost_) days_lost_();
  }

  void note(const Result<void>& result) {
    if (!result) log::warn("storage", "index not brought up to date", {{"reason", result.error().message()}});
  }

  std::string tenant_;
  Path folder_;
  Filesystem& filesystem_;
  index::IndexStore& catalogue_;
  index::StreamIndex index_;
  mutable Mutex edit_mutex_;
  std::function<void()> days_lost_ KVASIR_GUARDED_BY(edit_mutex_);
  std::unique_ptr<Manifest> manifest_ KVASIR_GUARDED_BY(edit_mutex_);
  std::optional<std::pair<std::vector<DeleteRequest>, std::uint64_t>> copied_;  // what the file `deletes` holds
  bool made_anew_ = false;                                                      // written by load()
  mutable std::shared_mutex snapshot_mutex_;
  std::shared_ptr<const SegmentSet> segments_;  // written under both locks
};

class StorageOnDisk final : public Storage {
 public:
  StorageOnDisk(Path data, Filesystem& filesystem, std::unique_ptr<index::IndexStore> catalogue)
      : data_(std::move(data)), filesystem_(filesystem), catalogue_(std::move(catalogue)) {}

  Result<void> load() {
    const Path folder = join_path(data_, "tenants");
    KVASIR_CHECK_OK(filesystem_.make_directories(folder));
    KVASIR_TRY(const auto names, filesystem_.list(folder));
    for (const auto& name : names) {
      auto& tenant = tenants_[unescape_tenant(name)];
      tenant = std::make_unique<TenantStorageOnDisk>(unescape_tenant(name), data_, filesystem_, *catalogue_);
      KVASIR_CHECK_OK(tenant->load());
    }
    return {};
  }

  TenantStorage* find(std::string_view tenant) const override {
    const std::shared_lock lock(mutex_);
    const auto found = tenants_.find(tenant);
    return found == tenants_.end() ? nullptr : found->second.get();
  }
  TenantStorage* find_or_create(std::string_view tenant) override {
    if (TenantStorage* known = find(tenant)) return known;
    const std::unique_lock lock(mutex_);
    auto& slot = tenants_[std::string(tenant)];
    if (slot == nullptr) {
      slot = std::make_unique<TenantStorageOnDisk>(std::string(tenant), data_, filesystem_, *catalogue_);
    }
    return slot.get();
  }
  std::vector<TenantStorage*> tenants() const override {
    const std::shared_lock lock(mutex_);
    std::vector<TenantStorage*> all;
    for (const auto& [name, tenant] : tenants_) all.push_back(tenant.get());
    return all;
  }
  std::uint64_t sequence_floor() const override {
    const std::shared_lock lock(mutex_);
    std::uint64_t floor = 1;
    for (const auto& [name, tenant] : tenants_) floor = std::max(floor, tenant->sequence_floor());
    return floor;
  }

 private:
  Path data_;
  Filesystem& filesystem_;
  std::unique_ptr<index::IndexStore> catalogue_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, std::unique_ptr<TenantStorageOnDisk>, std::less<>> tenants_;
};

}  // namespace

Segment::Segment(SegmentInfo info, Path path, Filesystem& filesystem, std::vector<Stream> streams)
    : info_(info), path_(std::move(path)), filesystem_(filesystem), streams_(std::move(streams)) {}

Segment::~Segment() {
  if (!obsolete_) return;
  if (auto removed = filesystem_.remove(path_); !removed) {
    log::warn("storage", "file stays until the next start", {{"reason", removed.error().message()}});
  }
}

Error Segment::note_damage(const Error& error) const {
  if (error.code() != ErrorCode::kCorruption && error.code() != ErrorCode::kUnsupported) return error;
  if (!damaged_.exchange(true))
    log::error("storage", "segment is damaged", {{"path", path_}, {"reason", error.message()}});
  return Error(ErrorCode::kCorruption, "segment " + path_ + ": " + error.message());
}

Result<void> SegmentSet::check_readable(TimeRange range) const {
  for (const auto& segment : unreadable) {
    if (!range.overlaps(segment.info.first, segment.info.last)) continue;
    return fail(ErrorCode::kCorruption,
                fmt::format("segment {} cannot be read ({}): its {} entries from {} to {} would be missing; restore the "
                            "file, or give them up as told in docs/operations/runbooks.md#kvasirdamagedsegments",
                            segment.path, segment.reason, segment.info.rows, format_rfc3339(segment.info.first),
                            format_rfc3339(segment.info.last)));
  }
  return {};
}

std::size_t SegmentSet::damaged_segments() const {
  const auto met = std::count_if(segments.begin(), segments.end(), [](const auto& one) { return one->damaged(); });
  return unreadable.size() + static_cast<std::size_t>(met);
}

Result<std::shared_ptr<const chunks::SegmentReader>> Segment::reader() const {
  MutexLock lock(mutex_);
  if (reader_ != nullptr) return reader_;
  KVASIR_TRY(std::shared_ptr<const RandomFile> file, filesystem_.open_random(path_));
  auto opened = chunks::SegmentReader::open(std::move(file));
  if (!opened) return fail(note_damage(opened.error()));
  reader_ = std::move(*opened);
  return reader_;
}

Result<std::unique_ptr<Storage>> Storage::open(const Path& data_directory, Filesystem& filesystem) {
  KVASIR_CHECK_OK(filesystem.make_directories(data_directory));
  auto opened = index::IndexStore::open(join_path(data_directory, "index"), filesystem);
  if (!opened) {
    log::warn("storage", "index cannot be kept on disk; streams are read from the segments",
              {{"reason", opened.error().message()}});
  }
  auto catalogue = opened ? std::move(*opened) : index::IndexStore::none();
  auto storage = std::make_unique<StorageOnDisk>(data_directory, filesystem, std::move(catalogue));
  KVASIR_CHECK_OK(storage->load());
  return storage;
}

}  // namespace kvasir::ingest
