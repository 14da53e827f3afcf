// positions.h -- what the agent remembers between runs: positions.yaml as Promtail writes it, and more about files
// beside it.
//
// Shape:    <file>: `positions:` with one string per key (path -> offset, cursor-<job> -> cursor). <file>.state: one
//           FileRecord per job and file: identity, fingerprints, offset. Both are replaced as a whole; the state before
//           the last one stays as <file>.state.before.
// Damage:   a damaged state is put aside (<file>.state.damaged) and the one before is used: lines come twice, none is
//           lost. With both damaged a position of a path is about nobody knows which file: files are read from the
//           start.
// Meaning:  offsets are those that need not be read again: acknowledged, spooled or dropped.
// Conflict: the state names the yaml file it belongs to by checksum (and the one before: a crash may come between the
//           two writes). Where somebody else has changed the yaml (another agent ran, an operator edited it), it wins.
// Errors:   invalid_argument `invalid yaml positions file [<path>]: ...`; io, also for a state that may not be read;
//           unsupported for one of a newer version.
// Threads:  any.
// Source:   docs/formats/agent-state.md
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/filesystem.h"
#include "common/mutex.h"

namespace kvasir::agent {

/// Up to kFingerprintBytes bytes of a file that ended at `end` when they were hashed.
struct Fingerprint1K {
  std::uint64_t end = 0;
  std::uint32_t length = 0;
  std::uint64_t hash = 0;
  friend bool operator==(const Fingerprint1K&, const Fingerprint1K&) = default;
};
inline constexpr std::uint32_t kFingerprintBytes = 1024;
inline constexpr std::size_t kMarksMax = 8;  // of a file
inline constexpr std::uint64_t kFileIdRoom =
    256;  // numbers between two new files, for those that turn out to lie between them

struct FileRecord {
  std::uint64_t id =
      0;  // given when the file was first seen, never again; of one path the later file has the greater one
  std::string job;
  std::string path;           // the last one known
  bool current = true;        // the path still leads to this file, as far as known
  bool finished = false;      // it was rotated away and read to its end; kept for a while to be recognised
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t offset = 0;   // bytes; lines for compressed files
  Fingerprint1K head;         // the first bytes
  Fingerprint1K anchor;       // the bytes before the reading position of that moment
  std::vector<Fingerprint1K> marks;  // and before some of those that came earlier, ascending
  std::uint64_t delivered = 0;  // the servers have everything before it; Positions keeps it, put_file() does not
  /// Names the source in spooled batches.
  std::string key() const;
  friend bool operator==(const FileRecord&, const FileRecord&) = default;
};

struct FileState {
  std::vector<FileRecord> files;
  std::uint32_t yaml_checksum = 0;         // of the positions.yaml that was written after this state
  std::uint32_t yaml_checksum_before = 0;  // and of the one it replaced
};

struct PositionsOptions {
  Path filename;
  bool ignore_invalid_yaml = false;
  bool read_only = false;  // -dry-run
};

class Positions {
 public:
  static Result<std::unique_ptr<Positions>> open(Filesystem& filesystem, PositionsOptions options);

  std::optional<std::string> get(const std::string& key) const;
  void put(const std::string& key, const std::string& value);
  void erase(const std::string& key);
  std::vector<std::string> keys() const;

  /// False: the yaml file says something else about the record's path than the record; it was changed by somebody else.
  bool trusts(const FileRecord& record) const;
  /// The files that the position of `path` is about, of any job. Nothing at all: the yaml file is not the one that this
  /// state was written with, and its positions are about whatever has their path, as Promtail takes them.
  std::optional<std::vector<FileRecord>> files_at(const std::string& path) const;
  /// What is known about a job's files from the last run.
  std::vector<FileRecord> files_of(const std::string& job) const;
  void put_file(const FileRecord& record);
  void erase_file(const FileRecord& record);
  /// A multiple of kFileIdRoom, greater than all before, also those of earlier runs.
  std::uint64_t new_file_id(TimestampNs now);
  /// Raises the offset of the file with that key; from spooled batches, before reading starts.
  void raise(const std::string& key, std::uint64_t offset);
  /// Batches on disk were damaged: what may have been in them is read again. No raise() after it counts.
  void go_back_to_delivered();
  /// Says whether everything that is settled has reached the servers; asked at every save, behind the collectors.
  void set_delivered_check(std::function<bool()> all_delivered);
  /// Damaged states found at open.
  std::uint64_t damaged() const { return damaged_; }

  /// Called at the start of every save(), to put what is new.
  int add_collector(std::function<void(Positions&)> collector);
  void remove_collector(int id);
  /// Writes both files if something changed.
  Result<void> save();

 private:
  Positions(Filesystem& filesystem, PositionsOptions options) : filesystem_(filesystem), options_(std::move(options)) {}
  Result<void> load_yaml();
  Result<void> load_state();
  Result<std::optional<FileState>> read_state(const Path& path);
  Result<void> write_state(const std::string& text);
  void note_delivered();
  void forget_missing_files();

  Filesystem& filesystem_;
  const PositionsOptions options_;
  mutable Mutex mutex_;
  std::map<std::string, std::string> values_ KVASIR_GUARDED_BY(mutex_);
  std::map<std::string, FileRecord> files_ KVASIR_GUARDED_BY(mutex_);  // by key()
  bool changed_ KVASIR_GUARDED_BY(mutex_) = false;
  std::uint64_t last_file_id_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::uint32_t yaml_checksum_ KVASIR_GUARDED_BY(mutex_) = 0;  // of the file on disk
  bool yaml_is_ours_ = false;
  bool state_lost_ = false;    // every state there was is damaged
  std::uint64_t damaged_ = 0;
  bool went_back_ KVASIR_GUARDED_BY(mutex_) = false;
  Mutex save_mutex_;  // one save at a time; taken before mutex_
  std::map<int, std::function<void(Positions&)>> collectors_ KVASIR_GUARDED_BY(save_mutex_);
  int next_collector_ KVASIR_GUARDED_BY(save_mutex_) = 1;
  std::function<bool()> all_delivered_ KVASIR_GUARDED_BY(save_mutex_);
};

/// The text forms, for tests and fuzzing.
Result<std::map<std::string, std::string>> parse_positions(std::string_view yaml);
std::string print_positions(const std::map<std::string, std::string>& values);
/// Errors: corruption (nothing of a damaged state is used); unsupported (a newer version).
Result<FileState> parse_state(std::string_view text);
std::string print_state(const FileState& state);

}  // namespace kvasir::agent
