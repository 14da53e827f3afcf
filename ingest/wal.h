// wal.h -- the write-ahead log: groups records, writes and syncs them on one thread, hands them on when they are
// durable.
//
// Order:    batches get their sequences, are written and are handed on in the order of enqueue().
// Threads:  enqueue(), cut() and the gauges from any thread. `done` runs on the log's thread, one group at a time.
// Errors:   enqueue: unavailable (the queue is full, or closed). A group that could not be written is handed on with
//           its error; it is not in the log. A failed sync ends the process (`on_fatal`).
// Source:   docs/formats/wal-v1.md
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/filesystem.h"
#include "common/mutex.h"
#include "common/result.h"
#include "ingest/push_batch.h"
#include "ingest/wal_record.h"

namespace kvasir::ingest {

enum class WalSync {
  kGroup,     // acknowledged when synced
  kInterval,  // synced every sync_interval; acknowledged when written
  kNever,     // the operating system decides
};

/// A stream that a record names.
struct WalStream {
  std::uint32_t number = 0;   // dense, for the life of the process
  std::shared_ptr<const StreamIdentity> identity;
};

/// A batch on its way through the log. Its owner derives from it to keep more beside it.
struct WalBatch {
  virtual ~WalBatch() = default;
  std::string record;                  // room for the header, then the payload; only the room: nothing to write
  std::string tenant;
  std::vector<WalStream> streams;      // in the order of the payload
  std::uint64_t entries = 0;
  std::optional<PushOrigin> origin;
  std::uint64_t first_sequence = 0;    // set by the log
  bool repeated = false;  // set by the log: the origin's range was durable before, the rows are not to be applied
};
using WalGroup = std::vector<std::unique_ptr<WalBatch>>;

class Ledger;

struct WalOptions {
  Path directory;
  Ledger* ledger = nullptr;   // takes the covers of batches; saved before files are removed
  WalSync sync = WalSync::kGroup;
  Duration sync_interval = std::chrono::milliseconds(100);
  std::uint64_t file_bytes = 64u << 20;
  std::uint64_t queue_bytes_max = 64u << 20;
  std::uint64_t rotate_bytes_min = 1u << 20;        // of the open file, for cut() to go on in a new one
  std::function<void(std::string_view)> on_fatal;   // for tests; by default the process ends
};

/// A file of an earlier run, still needed.
struct WalOldFile {
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
  std::uint64_t last_sequence = 0;
};

/// What replay found, to go on from.
struct WalStart {
  std::vector<WalOldFile> files;       // ascending
  std::uint64_t next_file = 1;
  std::uint64_t next_sequence = 1;
  std::vector<OriginMark> origins;
};

Path wal_file_path(const Path& directory, std::uint64_t number);
/// Numbers of the files in the folder, ascending.
Result<std::vector<std::uint64_t>> list_wal_files(Filesystem& filesystem, const Path& directory);

class Wal {
 public:
  using Done = std::function<void(WalGroup, const Result<void>&)>;

  Wal(WalOptions options, WalStart start, Filesystem& filesystem, const Clock& clock, Done done);
  ~Wal();   // close()
  Wal(const Wal&) = delete;
  Wal& operator=(const Wal&) = delete;

  Result<void> enqueue(std::unique_ptr<WalBatch> batch);
  /// Bytes handed on by `done` that are not applied yet count into the queue; this takes them out.
  void release_queue(std::uint64_t bytes);
  /// Finishes what is queued, syncs, stops the thread.
  void close();

  /// Removes files whose every sequence is below `floor`. If that is true of the open file too, and it has
  /// rotate_bytes_min, the log goes on in a new one so that this can be removed as well.
  void cut(std::uint64_t floor);
  /// The largest sequence of the oldest file, if it is an old one: what must be flushed to shorten the log.
  std::optional<std::uint64_t> oldest_file_last_sequence() const;
  /// Everything of the source below this is durable.
  std::uint64_t origin_end(const std::string& tenant, const std::string& source) const;

  std::uint64_t bytes() const;
  std::uint64_t queue_bytes() const;
  std::uint64_t bytes_written() const { return bytes_written_; }
  std::uint64_t syncs() const { return syncs_; }

 private:
  using OriginKey = std::pair<std::string, std::string>;
  struct Origin {
    std::uint64_t end = 0;
    std::uint64_t touched = 0;
  };

  void run();
  /// Numbers of the oldest file and of the first that has to stay.
  std::pair<std::uint64_t, std::uint64_t> files_not_needed(std::uint64_t floor) const;
  WalGroup take_group(bool& stop);
  void handle(WalGroup group);
  Result<void> write_group(WalGroup& group);
  Result<void> append_batch(WalBatch& batch);
  Result<void> flush_buffer();
  Result<void> open_file();
  void rotate();
  Result<void> sync_file();
  void roll_back();
  void remember_origins(WalGroup& group);
  void fatal(const Error& error);

  WalOptions options_;
  Filesystem& filesystem_;
  const Clock& clock_;
  Done done_;

  // Only the log's thread.
  std::unique_ptr<AppendFile> file_;
  std::uint64_t file_number_ = 0;
  std::uint64_t file_good_bytes_ = 0;     // up to the last whole group
  std::uint64_t file_bytes_ = 0;
  std::uint64_t next_file_;
  std::uint64_t next_sequence_;
  std::string buffer_;
  std::vector<std::uint64_t> defined_in_; // by stream number: the file that has its definition
  std::vector<std::uint32_t> defined_now_;
  bool unsynced_ = false;
  bool dead_ = false;
  Duration last_sync_{0};

  mutable Mutex mutex_;
  Condition work_;
  std::deque<std::unique_ptr<WalBatch>> queue_ KVASIR_GUARDED_BY(mutex_);
  std::uint64_t queue_bytes_ KVASIR_GUARDED_BY(mutex_) = 0;
  bool closing_ KVASIR_GUARDED_BY(mutex_) = false;
  std::uint64_t rotate_floor_ KVASIR_GUARDED_BY(mutex_) = 0;   // a new file is wanted; 0 = none is
  std::deque<WalOldFile> files_ KVASIR_GUARDED_BY(mutex_);   // the last one may be the open one
  std::map<OriginKey, Origin> origins_ KVASIR_GUARDED_BY(mutex_);
  std::uint64_t origin_ticks_ KVASIR_GUARDED_BY(mutex_) = 0;

  std::atomic<std::uint64_t> bytes_written_{0};
  std::atomic<std::uint64_t> syncs_{0};
  std::thread thread_;
};

}  // namespace kvasir::ingest
