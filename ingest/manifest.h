// manifest.h -- the log of edits that says which segments and delete requests of a tenant are alive.
//
// Threads:  one at a time (the tenant's storage holds a lock).
// Errors:   io; corruption and unsupported from open(). After a failed apply() the state in memory is unchanged, what
//           is on disk is unknown, and the next apply() first rewrites the file.
// Source:   docs/formats/manifest-v1.md
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/filesystem.h"
#include "common/result.h"
#include "ingest/storage.h"

namespace kvasir::ingest {

struct ManifestState {
  std::map<std::uint64_t, SegmentInfo> segments;
  std::vector<DeleteRequest> deletes;   // in order of their first edit
  std::uint64_t sequence_floor = 0;
  std::uint64_t flushed_floor = 0;
  std::uint64_t next_segment_id = 1;

  /// Errors: corruption (a removed segment that is not there, an id twice).
  Result<void> apply(const ManifestEdit& edit);
};

/// The payload of one edit, and back.
std::string encode_manifest_edit(const ManifestEdit& edit, std::uint64_t next_segment_id);
struct DecodedEdit {
  ManifestEdit edit;
  std::uint64_t next_segment_id = 0;
};
Result<DecodedEdit> decode_manifest_edit(std::string_view payload);

/// A whole file. `sound_bytes` is where a torn last edit begins (or the size).
struct ManifestFile {
  ManifestState state;
  std::size_t sound_bytes = 0;
  bool torn = false;
};
Result<ManifestFile> read_manifest(std::string_view bytes);
/// A file with the delete requests, and the floor below which the log must not bring back what they erased: the copy
/// that outlives a lost manifest.
std::string manifest_of_deletes(const ManifestState& state);

class Manifest {
 public:
  /// A file that is not there is an empty manifest; it and its folder are made by the first apply().
  static Result<std::unique_ptr<Manifest>> open(Path path, Filesystem& filesystem);

  Manifest(Path path, Filesystem& filesystem) : path_(std::move(path)), filesystem_(filesystem) {}
  const ManifestState& state() const { return state_; }
  /// The file ended in a part of an edit when it was opened.
  bool was_torn() const { return was_torn_; }
  /// Durable on return.
  Result<void> apply(const ManifestEdit& edit);
  std::uint64_t take_segment_id() { return state_.next_segment_id++; }

 private:
  Result<void> rewrite();

  Path path_;
  Filesystem& filesystem_;
  ManifestState state_;
  std::unique_ptr<AppendFile> file_;   // null: the file must be rewritten before the next edit
  std::uint64_t file_bytes_ = 0;
  std::uint64_t live_bytes_ = 0;
  bool was_torn_ = false;
};

/// Tenant ids as folder names.
std::string escape_tenant(std::string_view tenant);
std::string unescape_tenant(std::string_view name);

}  // namespace kvasir::ingest
