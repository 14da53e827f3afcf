// spool.h -- batches on disk, one file each, until the server has acknowledged them.
//
// Shape:    <directory>/<number, 20 digits>.batch: magic, crc32c, source, sequence, tenant, counts, positions, body.
// Order:    append() gives ascending numbers; records come back in that order after a restart.
// Durable:  a record gets its name when it is complete. With fsync it survives a power cut.
// Purging:  remove() only marks; what was marked before a save of the positions began is deleted after it. Until then a
//           record tells a restarted agent how far its sources had come.
// Errors:   io; limit_exceeded when the cap is reached (nothing is written).
// Threads:  any.
// Source:   docs/formats/agent-spool.md
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/filesystem.h"
#include "common/mutex.h"

namespace kvasir::agent {

/// Key of a source and the offset up to which it may be forgotten.
using SourcePositions = std::vector<std::pair<std::string, std::uint64_t>>;

struct SpoolRecord {
  std::string origin;          // who numbered the batch; with `sequence` it makes a repeated push recognisable
  std::uint64_t sequence = 0;
  std::string tenant;
  std::uint64_t entries = 0;
  std::uint64_t raw_bytes = 0; // lines before encoding
  SourcePositions positions;
  std::string body;
};

std::string encode_spool_record(const SpoolRecord& record);
/// Errors: corruption, unsupported (a newer format).
Result<SpoolRecord> decode_spool_record(std::string_view bytes);

struct SpoolOptions {
  std::uint64_t bytes_max = 1 << 30;
  bool fsync = true;
};

class Spool {
 public:
  /// Creates the directory. Damaged records are put aside (`.damaged`), told and counted in damaged(): what they held
  /// must come from its sources again. Those of a newer format stay.
  static Result<std::unique_ptr<Spool>> open(Filesystem& filesystem, Path directory, SpoolOptions options);

  Result<std::uint64_t> append(const SpoolRecord& record);
  Result<SpoolRecord> read(std::uint64_t number);
  void remove(std::uint64_t number);
  /// What was marked since the last call; give it to purge() when the positions are saved.
  std::vector<std::uint64_t> take_removed();
  void purge(const std::vector<std::uint64_t>& numbers);
  /// The positions could not be saved: they come with the next take_removed().
  void put_back(const std::vector<std::uint64_t>& numbers);

  /// Records found at open, without bodies, in order.
  struct Found {
    std::uint64_t number;
    SpoolRecord record;
  };
  const std::vector<Found>& found() const { return found_; }
  std::uint64_t bytes() const;
  std::uint64_t damaged() const { return damaged_; }

 private:
  Spool(Filesystem& filesystem, Path directory, SpoolOptions options)
      : filesystem_(filesystem), directory_(std::move(directory)), options_(options) {}
  Path path_of(std::uint64_t number) const;
  Result<void> write(const Path& path, const std::string& bytes);

  Filesystem& filesystem_;
  const Path directory_;
  const SpoolOptions options_;
  std::vector<Found> found_;
  std::uint64_t damaged_ = 0;
  mutable Mutex mutex_;
  std::map<std::uint64_t, std::uint64_t> sizes_ KVASIR_GUARDED_BY(mutex_);  // of records that exist
  std::vector<std::uint64_t> removed_ KVASIR_GUARDED_BY(mutex_);
  std::uint64_t bytes_ KVASIR_GUARDED_BY(mutex_) = 0;  // without removed ones
  std::uint64_t next_ KVASIR_GUARDED_BY(mutex_) = 1;
};

}  // namespace kvasir::agent
