// progress.h -- how far a source may be forgotten: the position that moves on acknowledgement.
//
// Model:    a source is read from 0 upwards (bytes of a file, numbers of journal entries). A range that was read is
//           held by the pipeline, then part of one or more open batches, then settled: acknowledged by every client,
//           durably spooled, or dropped on purpose. committable() is the smallest begin of anything not settled; what
//           lies before it may be forgotten.
// Threads:  any; the reader moves `read`, clients open and settle batches.
// Lifetime: shared: a batch keeps the progress of its sources alive.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "common/mutex.h"
#include "ingest/wire/covers.h"

namespace kvasir::agent {

class SourceProgress {
 public:
  SourceProgress(std::uint64_t id, std::string key, std::uint64_t start)
      : id_(id), key_(std::move(key)), read_(start) {}

  /// Unique in the process; what SourceRange::source holds.
  std::uint64_t id() const { return id_; }
  /// Names the source in spooled batches; the same after a restart.
  const std::string& key() const { return key_; }

  /// Everything before `end` was given to the pipeline. Called by the reader, per line.
  void set_read(std::uint64_t end) { read_.store(end, std::memory_order_relaxed); }
  std::uint64_t read() const { return read_.load(std::memory_order_relaxed); }

  /// Which file the source is, as far as known now; other sources never say.
  void set_identity(ingest::FileIdentity identity);
  std::optional<ingest::FileIdentity> identity() const;
  bool is_file() const { return is_file_.load(std::memory_order_relaxed); }

  /// The pipeline kept the line that starts here.
  void hold(std::uint64_t begin);
  /// It gave back every line that starts in [begin, end): several may have become one.
  void release(std::uint64_t begin, std::uint64_t end);
  /// Where to read again what the pipeline kept or nobody took, when it is gone; nothing if there is no such line.
  std::optional<std::uint64_t> take_back();
  /// A batch holds ranges from `begin` on; and is done with them.
  void open(std::uint64_t begin);
  void settle(std::uint64_t begin);

  std::uint64_t committable() const;
  /// committable() as it would be without one opening at `begin`, where everything up to `end` is known to be read.
  std::uint64_t committable_without(std::uint64_t begin, std::uint64_t end) const;
  bool all_settled() const;

 private:
  const std::uint64_t id_;
  const std::string key_;
  std::atomic<std::uint64_t> read_;
  std::atomic<bool> is_file_{false};
  mutable Mutex mutex_;
  std::multiset<std::uint64_t> unsettled_ KVASIR_GUARDED_BY(mutex_);  // of batches
  std::set<std::uint64_t> held_ KVASIR_GUARDED_BY(mutex_);            // by the pipeline
  std::optional<ingest::FileIdentity> identity_ KVASIR_GUARDED_BY(mutex_);
};

using ProgressPtr = std::shared_ptr<SourceProgress>;

/// Finds progress by the number that travels with entries.
class ProgressTable {
 public:
  ProgressPtr create(std::string key, std::uint64_t start);
  /// nullptr for 0 and for sources that are gone.
  ProgressPtr find(std::uint64_t id) const;

 private:
  mutable Mutex mutex_;
  std::unordered_map<std::uint64_t, std::weak_ptr<SourceProgress>> table_ KVASIR_GUARDED_BY(mutex_);
  std::uint64_t next_id_ KVASIR_GUARDED_BY(mutex_) = 1;
};

}  // namespace kvasir::agent
