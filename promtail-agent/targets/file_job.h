// file_job.h -- reads all files of one scrape config: finds them, follows them through rotation, feeds their lines.
//
// Rotation: a file is its inode. When its path leads elsewhere it is read to its end, until nothing has come for
//           rotate_wait. A file that shrank or was replaced in place is read from the start, and what its copy holds
//           beyond the old position first. Files that were rotated while the agent was down are looked for beside their
//           old place by inode and fingerprint, and with them those that came and went under that name since
//           (rotated_search.h).
// Copies:   a file that was just found is read when it is known not to be a copy of another one (copy_check.h).
// Watching: inotify on the directories, and a look at each file from time to time: slow where inotify works, at the
//           configured poll frequency where it does not.
// Position: SourceProgress of each file, gathered by Positions::save().
// Threads:  one thread per job; set_groups(), status() from any.
// Limits:   kTurnBytes per file and turn; one read buffer per job.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "promtail-agent/targets/inotify.h"
#include "promtail-agent/targets/rotated_search.h"
#include "promtail-agent/targets/tailed_file.h"
#include "promtail-agent/targets/target.h"
#include "promtail-agent/targets/target_list.h"

namespace kvasir::agent {

inline constexpr std::uint64_t kTurnBytes = 1 << 20;
inline constexpr Duration kWatchedLookInterval = std::chrono::seconds(2);
inline constexpr Duration kCopyLookInterval = std::chrono::milliseconds(500);

struct FileJobParts {
  ScrapeConfig config;
  Relabeler relabeler;
  std::unique_ptr<Feeder> feeder;
  Duration sync_period;
  Duration poll_min, poll_max;
  std::string hostname;
  LineLimits line_limits;
  CopyTimes copy_times;
  Duration linger{0};           // files of vanished targets are read for so long
  bool save_before_reading =
      false;  // a file is in the saved state, with its fingerprint, before its first line is read
  Positions* positions = nullptr;
  ProgressTable* progress = nullptr;
  MetricRegistry* metrics = nullptr;
  const Clock* clock = nullptr;
};

/// What a file held that was truncated, replaced or removed since.
struct GoneContent {
  FileRecord record;
  ProgressPtr progress;  // nullptr: of the last run
  LabelSetPtr labels;    // nullptr: those of the file that has it now
};

using TailedFiles = std::map<TailKey, std::unique_ptr<TailedFile>>;

/// What a job leaves to the one that takes its place under another configuration.
struct FileHandover {
  std::vector<std::unique_ptr<TailedFile>> files;                // open, also those that were rotated away
  std::vector<std::pair<FileRecord, ProgressPtr>> closed;        // their last batches are on their way
  std::vector<std::pair<FileRecord, ProgressPtr>> left_over;     // contents that were replaced
  std::vector<FileRecord> let_go;
};

class FileJob final : public Target, private LineSink {
 public:
  explicit FileJob(FileJobParts parts);
  ~FileJob() override;

  Result<void> start() override;
  void request_stop() override;
  void stop() override;
  bool ready() const override;
  std::vector<TargetStatus> status() const override;

  /// What a discovery knows now; replaces what it said before.
  void set_groups(const std::string& discovery, std::vector<TargetGroup> groups);
  /// Puts into every save of the positions how far the files are; start() does it at the latest.
  void begin_telling();
  void end_telling();
  /// After stop(): the files, to go on with under a new configuration. This job tells of them still.
  FileHandover release_files();
  /// Before start().
  void adopt(FileHandover files);
  const std::string& name() const { return parts_.config.job_name; }

 private:
  // file_job.cpp: the loop
  void run();
  void find_changes();
  void wait_for_work();
  void read_last();
  bool may_read(TailedFile& file);
  void save_new_files();
  bool read_turn();
  void read_file(TailedFile& file);
  void after_reading(TailedFile& file, const ReadOutcome& outcome);
  void count_oddities(const SourceCounters& before, const SourceCounters& now);
  void warn_if_compressed(TailedFile& file);
  bool line(std::string_view text, std::uint64_t begin, std::uint64_t end) override;
  std::string_view decoded(std::string_view text, bool first);
  void skipped(std::uint64_t begin, std::uint64_t end, std::string_view reason) override;
  void look_at(TailedFile& file);
  void look_at_due();
  void take_events();
  void flush_idle_partial(TailedFile& file);
  void publish();
  void publish(const TailedFile& file);
  void collect(Positions& positions);
  void forget_finished(Positions& positions) KVASIR_REQUIRES(mutex_);

  // file_job_files.cpp: which files there are
  void take_groups();
  void sync();
  void find_files(const FileTarget& target, DirectoryCache& cache);
  void found_path(const FileTarget& target, const std::string& path);
  std::unique_ptr<TailedFile> open_file(const FileTarget& target, const std::string& path, std::uint64_t& size);
  bool adopt_file(const FileTarget& target, const TailKey& key, const std::string& path);
  void adopt_rotated();
  void take_over(std::unique_ptr<TailedFile> file, const FileTarget& target, const TailKey& key);
  std::uint64_t start_offset(TailedFile& file, std::uint64_t size, FileRecord& expected);
  std::optional<std::uint64_t> offset_of_known(const TailedFile& file, std::uint64_t size);
  bool known_otherwise(const FileTarget& target, const TailKey& key, const std::string& path);
  void relabel(TailKey from, const FileTarget& target, const TailKey& key, const std::string& path);
  std::uint64_t offset_by_path(const TailedFile& file, std::uint64_t size);
  TailedFile& start_reading(std::unique_ptr<TailedFile> file, std::uint64_t offset);
  void read_from(TailedFile& file, std::uint64_t offset);
  void watch(const std::string& path);
  void close_files();
  bool may_close(TailedFile& file) const;
  void close_file(TailedFile& file);
  void moved(TailedFile& file, const std::string& path);
  void forget_paths(TailedFile& file);
  void make_series(TailedFile& file);
  const FileTarget* target_of(const std::string& path) const;
  std::uint64_t next_id(std::uint64_t id);

  // file_job_copies.cpp: copies that a target asks for too
  enum class Copy { kOwn, kWait, kTaken };
  bool may_begin(TailedFile& file);
  TailedFile* original_of(const TailedFile& file, FileFront& front);
  bool must_defer(TailedFile& file);
  bool is_replaced_unseen(TailedFile& original, const TailedFile& copy) const;
  Copy held_against(TailedFile& file, TailedFile& original);
  Copy take_from_removed(TailedFile& file, TailedFile& original);
  bool give_to_copy(const GoneContent& content);
  bool may_hold(const TailedFile& file, const FileRecord& record) const;
  void take_content(TailedFile& file, const GoneContent& content, std::uint64_t offset);

  // file_job_rotation.cpp: where contents went
  void find_left_behind();
  void remember_finished(const FileRecord& record);
  void take_left_over();
  void take_moves(const std::vector<std::pair<std::string, std::string>>& moves);
  void rotated_away(const std::string& from, const std::string& to);
  void rotated_unseen(const TailedFile& file);
  std::optional<RotatedFile> continue_elsewhere(const FileRecord& record, const FileTarget& target,
                                                ProgressPtr progress);
  bool open_elsewhere(const FileRecord& record, const FileTarget& target, const RotatedFile& place,
                      ProgressPtr progress);
  void read_successors(const FileRecord& record, const FileTarget& target, const RotatedFile& rotated);
  bool is_known(const FileTarget& target, const RotatedFile& file);
  void replaced(TailedFile& file);

  FileJobParts parts_;
  TargetCounters counters_;
  SeriesPtr files_active_, overlong_, truncated_, rotated_, nul_bytes_, compressed_;
  std::unique_ptr<Charset> charset_;
  Inotify inotify_;
  int wake_fd_ = -1;
  int collector_ = 0;
  std::thread thread_;
  std::atomic<bool> stopping_{false};

  // of the job's thread
  std::vector<FileTarget> targets_;
  TailedFiles files_;
  std::unordered_multimap<std::string, TailedFile*> by_path_;  // under both of its paths
  std::vector<std::unique_ptr<TailedFile>> adopted_;
  std::vector<FileRecord> remembered_;    // from the last run, not found yet
  std::vector<FileRecord> let_go_;        // closed while their path still led to them; offsets are those read
  std::set<std::string> paths_seen_;      // what positions.yaml says of them is about a file that is known otherwise
  std::uint64_t turn_ = 0;
  ReadBuffer buffer_;
  TailedFile* reading_ = nullptr;
  std::uint64_t too_long_bytes_ = 0;      // skipped and not counted yet
  TimestampNs last_stamp_;
  Duration next_sync_{0};
  Duration read_until_{0};                // when stopping
  Duration next_save_{0};                 // a save that failed is tried again then
  std::vector<TailKey> left_unseen_;      // their path leads elsewhere; nobody told about the rename
  bool events_lost_ = false;              // renames may have gone unseen
  std::vector<std::pair<FileRecord, ProgressPtr>> left_over_;  // contents that were replaced under an open file
  bool refused_ = false;
  std::map<std::string, std::string> bad_paths_;  // error told once

  // Held while files are found: a saved state that has the youngest file of a path without those before it would make
  // them look old after a restart. Taken before mutex_.
  Mutex finding_mutex_;
  mutable Mutex mutex_;
  std::map<std::string, std::vector<TargetGroup>> groups_ KVASIR_GUARDED_BY(mutex_);
  bool groups_changed_ KVASIR_GUARDED_BY(mutex_) = false;
  struct Published {
    FileRecord record;
    ProgressPtr progress;
    bool open = true;            // false: closed, waits for its last batches
  };
  std::map<std::uint64_t, Published> published_ KVASIR_GUARDED_BY(mutex_);  // by id
  std::vector<TargetStatus> report_ KVASIR_GUARDED_BY(mutex_);
};

}  // namespace kvasir::agent
