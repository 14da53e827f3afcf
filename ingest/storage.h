// storage.h -- what is on disk, tenant by tenant: live segments, their manifest, delete requests, and the index of
// streams.
//
// Shape:    <data>/tenants/<escaped tenant>/{manifest, segments/<id>.seg}, <data>/index (LevelDB, a cache that can be
//           rebuilt).
// Order:    a segment file is durable before the manifest names it; the manifest is durable before anything relies on
//           it.
// Lifetime: a SegmentSet is immutable; holding it keeps its segments readable even after they were removed from disk.
// Threads:  any. Edits of one tenant are serialised inside.
// Errors:   io, corruption. A manifest that cannot be read stops open() with its path; a segment that cannot be read is
//           set apart: reads that touch its time range fail and name it. It is never deleted before its time.
// Source:   docs/formats/manifest-v1.md, docs/formats/index-v1.md
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chunks/segment_reader.h"
#include "common/filesystem.h"
#include "common/mutex.h"
#include "common/result.h"
#include "common/time.h"
#include "index/stream_index.h"

namespace kvasir::ingest {

/// What the manifest says of a segment.
struct SegmentInfo {
  std::uint64_t id = 0;              // names the file; ascends in a tenant, never used twice
  std::uint64_t rows = 0;
  std::uint64_t line_bytes = 0;
  std::uint64_t file_bytes = 0;
  TimestampNs first;
  TimestampNs last;
  std::uint64_t first_sequence = 0;  // no row has a smaller or a larger one
  std::uint64_t last_sequence = 0;
  std::uint32_t merges = 0;          // how often its rows were rewritten
  bool operator==(const SegmentInfo&) const = default;
};

/// A live segment. Its file is opened at the first use and, once the segment is replaced or expired, removed with the
/// last holder.
class Segment {
 public:
  /// A stream as this segment holds it.
  struct Stream {
    index::StreamId id = 0;
    std::uint32_t ordinal = 0;  // in reader()->streams()
    TimestampNs first;
    TimestampNs last;
  };
  Segment(SegmentInfo info, Path path, Filesystem& filesystem, std::vector<Stream> streams);
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  const SegmentInfo& info() const { return info_; }
  /// Ascending by id.
  std::span<const Stream> streams() const { return streams_; }
  Result<std::shared_ptr<const chunks::SegmentReader>> reader() const;
  void remove_file_with_last_holder() const { obsolete_ = true; }
  /// For readers that met an error in it. Damage is reported once, counted, and the segment not merged from then on;
  /// what is returned names the file. Other errors come back as they are.
  Error note_damage(const Error& error) const;
  bool damaged() const { return damaged_; }

 private:
  SegmentInfo info_;
  Path path_;
  Filesystem& filesystem_;
  std::vector<Stream> streams_;
  mutable std::atomic<bool> obsolete_{false};
  mutable std::atomic<bool> damaged_{false};
  mutable Mutex mutex_;
  mutable std::shared_ptr<const chunks::SegmentReader> reader_ KVASIR_GUARDED_BY(mutex_);
};

/// A segment that the manifest names and whose file is missing or could not be opened at the start.
struct UnreadableSegment {
  SegmentInfo info;
  Path path;
  std::string reason;
};

/// The live segments of a tenant at one moment, ascending by id.
struct SegmentSet {
  std::vector<std::shared_ptr<const Segment>> segments;
  std::vector<UnreadableSegment> unreadable;

  /// Errors: corruption, naming a segment that cannot be read and may have entries in the range.
  Result<void> check_readable(TimeRange range) const;
  /// Unreadable ones, and those in which damage was met since.
  std::size_t damaged_segments() const;
};

/// A persisted delete request; the query is compiled by server/.
struct DeleteRequest {
  std::string id;              // 8 hex digits
  std::string query;           // as it was sent
  TimestampNs start;
  TimestampNs end;             // inclusive
  TimestampNs created;
  std::uint32_t percent = 0;   // 100 = processed
  bool operator==(const DeleteRequest&) const = default;
};

/// One atomic change of a tenant's manifest.
struct ManifestEdit {
  std::vector<SegmentInfo> added;       // their files are durable
  std::vector<std::uint64_t> removed;   // ids of live segments
  std::vector<DeleteRequest> deletes;   // added, or replaced by id
  std::vector<std::string> deletes_removed;
  std::uint64_t sequence_floor = 0;     // sequences below it have been given out
  std::uint64_t flushed_floor =
      0;  // rows below it are in segments, or were removed for good: the log must not bring them back
};

class TenantStorage {
 public:
  virtual ~TenantStorage() = default;
  virtual const std::string& tenant() const = 0;
  virtual index::StreamIndex& index() = 0;
  virtual const index::StreamIndex& index() const = 0;
  virtual std::shared_ptr<const SegmentSet> segments() const = 0;
  virtual std::vector<DeleteRequest> delete_requests() const = 0;
  virtual std::uint64_t flushed_floor() const = 0;
  /// At this start the manifest was put together from the segment files: others may have been lost with it.
  virtual bool made_anew() const = 0;

  /// A fresh segment id and the path for its file.
  virtual std::uint64_t next_segment_id() = 0;
  virtual Path segment_path(std::uint64_t id) const = 0;
  /// Makes the folder for segment files.
  virtual Result<void> prepare_folder() = 0;
  /// Opens the added segments, writes the manifest durably, then publishes: `swap` runs with the snapshot lock held,
  /// between the old and the new set becoming visible. After an error nothing is published; the files of `added` must
  /// then stay where they are.
  virtual Result<void> commit(const ManifestEdit& edit, const std::function<void()>& swap) = 0;
  /// Runs `read` while no commit can publish: what it sees of head and segments belongs together.
  virtual void with_snapshot(const std::function<void(const std::shared_ptr<const SegmentSet>&)>& read) const = 0;
  /// `renote` is called after a commit made the index forget days: the head then notes its own rows again.
  virtual void on_days_lost(std::function<void()> renote) = 0;
};

class Storage {
 public:
  /// Reads every tenant's manifest, brings the index up to date and removes files that no manifest names.
  static Result<std::unique_ptr<Storage>> open(const Path& data_directory, Filesystem& filesystem);
  virtual ~Storage() = default;

  /// nullptr if the tenant has never pushed anything.
  virtual TenantStorage* find(std::string_view tenant) const = 0;
  /// Touches no disk: the folder is made with the first edit. Pointers live as long as the storage.
  virtual TenantStorage* find_or_create(std::string_view tenant) = 0;
  virtual std::vector<TenantStorage*> tenants() const = 0;
  /// No sequence at or above it was ever written to a segment.
  virtual std::uint64_t sequence_floor() const = 0;
};

}  // namespace kvasir::ingest
