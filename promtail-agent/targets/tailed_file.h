// tailed_file.h -- a file that a job reads, under the labels of one target, from its discovery until its last byte is
// settled.
//
// Identity: device and inode; the path is an attribute that may come to name another file (rotation).
// Threads:  the job's thread; `read`-side counters are series of the registry.
#pragma once

#include <memory>
#include <string>

#include "promtail-agent/feeder.h"
#include "promtail-agent/positions.h"
#include "promtail-agent/stages/metric_registry.h"
#include "promtail-agent/targets/charset.h"
#include "promtail-agent/targets/compressed_file.h"
#include "promtail-agent/targets/copy_check.h"
#include "promtail-agent/targets/plain_file.h"

namespace kvasir::agent {

/// Device and inode under one target.
struct TailKey {
  std::string target;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend auto operator<=>(const TailKey&, const TailKey&) = default;
};

struct TailedFile {
  TailKey key;
  std::string path;             // where it was opened; labels and metrics go by it
  std::string real_path;        // with links resolved: the name that changes are told under
  LabelSetPtr labels;
  std::uint64_t id = 0;         // of its record
  std::unique_ptr<PlainFile> plain;
  std::unique_ptr<CompressedFile> compressed;
  ProgressPtr progress;
  std::unique_ptr<CopyCheck> check;  // nothing was read of it and it may be a copy
  Fingerprint1K head, anchor;   // of the plain form of a rotated file that was compressed; where lines are counted, the
                                // head of the compressed bytes

  bool current = true;          // the path leads to this file
  bool wanted = true;           // a target asks for it
  bool dirty = true;            // may have something to read
  bool finished = false;
  bool counts_lines = false;    // offsets are lines, not bytes
  bool saved = false;           // the state on disk knows it
  bool magic_checked = false;   // its first bytes were looked at
  std::uint64_t intact_in_turn = 0;  // the turn of the job in which it had what was read of it, last
  Duration quiet_since{0};      // when it last gave something
  Duration left_at{0};          // when the path was found to lead elsewhere
  Duration not_before{0};       // initial_delay
  Duration next_look{0};
  Duration look_interval{0};
  std::uint64_t seen_size = 0;
  std::int64_t seen_modified_ns = -1;
  std::string last_error;

  SeriesPtr read_bytes, file_bytes, acked_bytes, read_lines;

  std::uint64_t offset() const { return plain != nullptr ? plain->offset() : compressed->offset(); }
  const SourceCounters& counters() const { return plain != nullptr ? plain->counters() : compressed->counters(); }
  int fd() const { return plain != nullptr ? plain->fd() : compressed->fd(); }
  FileRecord record(const std::string& job) const;
  /// FileRecord::key() of its record.
  std::string record_key() const {
    FileRecord named;
    named.id = id;
    return named.key();
  }
};

}  // namespace kvasir::agent
