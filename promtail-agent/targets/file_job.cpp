#include "promtail-agent/targets/file_job.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "common/filesystem.h"
#include "common/log.h"

namespace kvasir::agent {

namespace {
inline constexpr std::size_t kFinishedKept = 4;  // of each path
inline constexpr Duration kLastReadTime = std::chrono::seconds(1);
inline constexpr Duration kSaveRetryInterval = std::chrono::seconds(1);

Fingerprint1K front_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return {};
  const auto length = static_cast<std::uint32_t>(std::min<std::uint64_t>(status.st_size, kFingerprintBytes));
  return read_fingerprint(fd, length, length).value_or(Fingerprint1K{});
}
}  // namespace

FileRecord TailedFile::record(const std::string& job) const {
  FileRecord record;
  record.id = id;
  record.job = job;
  record.path = path;
  record.current = current;
  record.device = key.device;
  record.inode = key.inode;
  record.offset = progress->committable();
  record.head = plain != nullptr ? plain->head() : head;
  record.anchor = plain != nullptr ? plain->anchor() : anchor;
  if (plain != nullptr) record.marks = plain->marks();
  return record;
}

FileJob::FileJob(FileJobParts parts) : parts_(std::move(parts)), counters_(*parts_.metrics) {
  MetricRegistry& metrics = *parts_.metrics;
  files_active_ = metrics.gauge("promtail_files_active_total", "Number of active files.");
  overlong_ = metrics.counter("promtail_overlong_lines_total", "Lines longer than one line may be while it is read.");
  truncated_ = metrics.counter("promtail_files_truncated_total", "Files whose content was replaced in place.");
  rotated_ = metrics.counter("promtail_files_rotated_total", "Files whose name came to lead to another file.");
  nul_bytes_ = metrics.counter("promtail_skipped_nul_bytes_total", "NUL bytes at the start of lines, as holes read.");
  compressed_ = metrics.counter("promtail_compressed_files_as_lines_total",
                                "Files that look compressed and are read as lines, for want of `decompression`.");
  metrics.register_builtin("promtail_read_lines_total", MetricType::kCounter, "Number of lines read.");
  wake_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

FileJob::~FileJob() {
  stop();
  end_telling();
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

Result<void> FileJob::start() {
  if (!parts_.config.encoding.empty()) {
    KVASIR_TRY(charset_, Charset::create(parts_.config.encoding));
  }
  if (parts_.config.decompression.enabled && !parts_.config.decompression.format.empty()) {
    KVASIR_TRY(const auto format, parse_compression_format(parts_.config.decompression.format));
    (void)format;
  }
  remembered_ = parts_.positions->files_of(name());
  for (const FileRecord& record : remembered_) {
    if (record.current && parts_.positions->trusts(record)) paths_seen_.insert(record.path);
  }
  // What was handed over is known better than it was saved.
  std::set<std::uint64_t> handed_over;
  for (const auto& file : adopted_) handed_over.insert(file->id);
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, item] : published_) handed_over.insert(id);
  }
  std::erase_if(remembered_, [&](const FileRecord& record) { return handed_over.contains(record.id); });
  // What is finished may look like what came after it under the same inode.
  std::stable_partition(remembered_.begin(), remembered_.end(),
                        [](const FileRecord& record) { return !record.finished; });
  begin_telling();
  thread_ = std::thread([this] { run(); });
  return {};
}

void FileJob::request_stop() {
  stopping_ = true;
  const std::uint64_t one = 1;
  (void)!::write(wake_fd_, &one, sizeof one);
}

void FileJob::stop() {
  request_stop();
  if (!thread_.joinable()) return;
  thread_.join();
}

FileHandover FileJob::release_files() {
  FileHandover out;
  const MutexLock lock(mutex_);
  for (auto& [key, file] : files_) {
    if (file->current) files_active_->add(-1);
    out.files.push_back(std::move(file));
  }
  files_.clear();
  for (auto& file : adopted_) {
    if (file != nullptr) out.files.push_back(std::move(file));  // that nobody has asked for since
  }
  adopted_.clear();
  const auto open = [&](std::uint64_t id) {
    return std::any_of(out.files.begin(), out.files.end(), [&](const auto& file) { return file->id == id; });
  };
  for (const auto& [id, item] : published_) {  // they stay there, for saves until the next job tells of them
    if (!open(id)) out.closed.emplace_back(item.record, item.progress);
  }
  out.left_over = std::move(left_over_);
  out.let_go = std::move(let_go_);
  return out;
}

void FileJob::adopt(FileHandover files) {
  adopted_ = std::move(files.files);
  left_over_ = std::move(files.left_over);
  let_go_ = std::move(files.let_go);
  for (const auto& file : adopted_) publish(*file);
  const MutexLock lock(mutex_);
  for (auto& [record, progress] : files.closed) published_[record.id] = {record, progress, false};
  for (const auto& [record, progress] : left_over_) published_[record.id].open = true;  // it is not read to its end
}

void FileJob::begin_telling() {
  if (collector_ != 0) return;
  collector_ = parts_.positions->add_collector([this](Positions& positions) { collect(positions); });
}

void FileJob::end_telling() {
  if (collector_ != 0) parts_.positions->remove_collector(std::exchange(collector_, 0));
}

void FileJob::set_groups(const std::string& discovery, std::vector<TargetGroup> groups) {
  {
    const MutexLock lock(mutex_);
    groups_[discovery] = std::move(groups);
    groups_changed_ = true;
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_fd_, &one, sizeof one);
}

void FileJob::run() {
  while (!stopping_ && !refused_) {
    find_changes();
    save_new_files();
    const bool busy = read_turn();
    parts_.feeder->tick();
    close_files();
    if (!busy) wait_for_work();
  }
  if (!refused_) read_last();
  parts_.feeder->close();
  publish();
}

void FileJob::find_changes() {
  const MutexLock finding(finding_mutex_);
  ++turn_;
  take_groups();
  if (parts_.clock->steady() >= next_sync_) sync();
  take_events();
  look_at_due();
}

/// What was written before the end was asked for is read still, for a moment.
void FileJob::read_last() {
  read_until_ = parts_.clock->steady() + kLastReadTime;
  {
    const MutexLock finding(finding_mutex_);
    ++turn_;
    take_events();
    for (auto& [key, file] : files_) look_at(*file);
  }
  save_new_files();
  for (auto& [key, file] : files_) {
    while (file->dirty && !refused_ && parts_.clock->steady() < read_until_ && file->last_error.empty()) {
      if (!may_begin(*file) || !may_read(*file)) break;
      read_file(*file);
    }
  }
}

void FileJob::wait_for_work() {
  Duration until = std::min(next_sync_, parts_.feeder->deadline());
  for (const auto& [key, file] : files_) until = std::min(until, file->next_look);
  const Duration now = parts_.clock->steady();
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(std::max(until - now, Duration(0))).count();
  pollfd fds[2] = {{wake_fd_, POLLIN, 0}, {inotify_.fd(), POLLIN, 0}};
  (void)::poll(fds, 2, static_cast<int>(std::min<std::int64_t>(milliseconds, 1000)));
  std::uint64_t count = 0;
  (void)!::read(wake_fd_, &count, sizeof count);
}

bool FileJob::may_read(TailedFile& file) {
  if (!parts_.save_before_reading) return true;
  if (file.plain != nullptr && file.plain->head().length == 0) {
    file.plain->learn_head();
    file.saved = file.saved && file.plain->head().length == 0;
  }
  return file.saved;
}

/// With save_before_reading nothing of a file is read before the state tells which one it is: spooled batches name it.
void FileJob::save_new_files() {
  if (!parts_.save_before_reading) return;
  bool unsaved = false;
  for (auto& [key, file] : files_) unsaved = unsaved || (file->dirty && !may_read(*file));
  const Duration now = parts_.clock->steady();
  if (!unsaved || now < next_save_) return;
  publish();
  if (auto saved = parts_.positions->save(); !saved) {
    next_save_ = now + kSaveRetryInterval;
    log::error("positions", "new files wait: cannot save positions", {{"error", saved.error().message()}});
    return;
  }
  for (auto& [key, file] : files_) file->saved = true;
}

/// One turn for every file that may have something. True if some did not come to their end.
bool FileJob::read_turn() {
  bool more = false;
  const Duration now = parts_.clock->steady();
  for (auto& [key, file] : files_) {
    if (stopping_ || refused_) return false;
    if (!file->dirty || file->not_before > now) continue;
    const bool begins = may_begin(*file);  // first: it may become another one, which is not saved
    const bool saved = may_read(*file);
    if (begins && saved) read_file(*file);
    more = more || (file->dirty && (saved || next_save_ <= now));
  }
  return more;
}

void FileJob::read_file(TailedFile& file) {
  reading_ = &file;
  if (file.plain != nullptr && file.plain->head().length == 0) {
    file.plain->learn_head();
    publish(file);  // whose bytes they are is told with the first of them
  }
  if (file.counts_lines && file.head.length == 0) file.head = front_of(file.fd());
  warn_if_compressed(file);
  const SourceCounters before = file.counters();
  const auto outcome = file.plain != nullptr ? file.plain->read(*this, buffer_, kTurnBytes)
                                             : file.compressed->read(*this, buffer_, kTurnBytes);
  reading_ = nullptr;
  count_oddities(before, file.counters());
  if (!outcome) {
    file.dirty = false;
    if (file.last_error != outcome.error().message()) {
      file.last_error = outcome.error().message();
      log::error("tailer", "cannot read file", {{"path", file.path}, {"error", file.last_error}});
    }
    return;
  }
  file.last_error.clear();
  after_reading(file, *outcome);
}

void FileJob::count_oddities(const SourceCounters& before, const SourceCounters& now) {
  const std::uint64_t lines = now.overlong_lines - before.overlong_lines;
  nul_bytes_->add(static_cast<double>(now.skipped_nul_bytes - before.skipped_nul_bytes));
  if (lines == 0 && too_long_bytes_ == 0) return;
  overlong_->add(static_cast<double>(lines));
  const bool dropped = parts_.line_limits.overlong == OverlongLine::kDrop;
  parts_.feeder->count_too_long({lines, std::exchange(too_long_bytes_, 0), dropped});
}

/// As Promtail does, a job without `decompression` reads any file as lines.
void FileJob::warn_if_compressed(TailedFile& file) {
  if (file.magic_checked || file.plain == nullptr || file.plain->front().size() < kFrontBytes) return;
  file.magic_checked = true;
  const std::string_view format = name_of_compression(file.plain->front());
  if (format.empty()) return;
  compressed_->add(1);
  log::warn("filetarget", "the file is compressed and read as lines: give it a scrape config with decompression",
            {{"path", file.path}, {"format", std::string(format)}, {"key", "decompression: {enabled: true}"}});
}

void FileJob::after_reading(TailedFile& file, const ReadOutcome& outcome) {
  if (outcome.bytes > 0) {
    file.quiet_since = parts_.clock->steady();
    file.read_bytes->set(static_cast<double>(file.offset()));
    publish(file);
  }
  file.dirty = !outcome.at_end;
  file.finished = file.finished || outcome.finished;
  if (outcome.replaced) replaced(file);
}

bool FileJob::line(std::string_view text, std::uint64_t begin, std::uint64_t end) {
  // Stamps of lines that were read at once differ: a server takes equal lines of equal time for one.
  last_stamp_ = std::max(parts_.clock->now(), last_stamp_ + Duration(1));
  if (charset_ != nullptr) text = decoded(text, begin == 0);
  reading_->read_lines->add(1);
  if (!parts_.feeder->feed(*reading_->progress, reading_->labels, last_stamp_, text, begin, end)) refused_ = true;
  return !refused_ && (!stopping_ || parts_.clock->steady() < read_until_);
}

std::string_view FileJob::decoded(std::string_view text, bool first) {
  const std::uint64_t before = charset_->undecodable();
  text = charset_->decode(text, first);
  if (const std::uint64_t failures = charset_->undecodable() - before; failures > 0) {
    parts_.metrics
        ->counter("promtail_encoding_failures_total", "Number of encoding failures.", {{"path", reading_->path}})
        ->add(static_cast<double>(failures));
  }
  return text;
}

void FileJob::skipped(std::uint64_t begin, std::uint64_t end, std::string_view reason) {
  if (reason == kLineTooLongReason) too_long_bytes_ += end - begin;
  parts_.feeder->skip(*reading_->progress, begin, end, reason);
}

/// Has the file grown, shrunk, lost its name?
void FileJob::look_at(TailedFile& file) {
  struct stat status {};
  const Duration now = parts_.clock->steady();
  if (::fstat(file.fd(), &status) == 0) {
    const std::int64_t modified = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    const bool changed = size != file.seen_size || modified != file.seen_modified_ns;
    file.look_interval = changed ? parts_.poll_min : std::min(file.look_interval * 2, parts_.poll_max);
    if (changed && !file.finished) file.dirty = true;
    if (changed && file.finished && size != file.seen_size) file.dirty = true;
    file.seen_size = size;
    file.seen_modified_ns = modified;
    file.file_bytes->set(static_cast<double>(size));
    file.acked_bytes->set(static_cast<double>(file.progress->committable()));
  }
  const Duration pause = inotify_.watching(parent_directory(file.path))
                             ? std::max(kWatchedLookInterval, parts_.poll_max)
                             : std::max(file.look_interval, parts_.poll_min);
  file.next_look = now + pause;
  struct stat named {};
  const bool leads_here =
      ::stat(file.path.c_str(), &named) == 0 && named.st_dev == file.key.device && named.st_ino == file.key.inode;
  if (file.current && !leads_here) {
    file.current = false;
    file.left_at = now;
    file.dirty = true;
    rotated_->add(1);
    files_active_->add(-1);
    next_sync_ = std::min(next_sync_, now);
    publish(file);
    log::info("tailer", "Re-opening moved/deleted file " + file.path, {{"path", file.path}});
    if (events_lost_ || !inotify_.watching(parent_directory(file.path))) left_unseen_.push_back(file.key);
  }
  if (file.check != nullptr && (file.check->original != 0 || file.check->deferred)) {
    file.dirty = true;
    file.next_look = std::min(file.next_look, now + kCopyLookInterval);
  }
  if (!file.current) file.next_look = now + std::min<Duration>(parts_.poll_min, std::chrono::milliseconds(250));
  flush_idle_partial(file);
}

void FileJob::flush_idle_partial(TailedFile& file) {
  const Duration timeout = parts_.config.file.partial_flush_timeout;
  if (timeout <= Duration(0) || file.plain == nullptr || !file.plain->has_partial() || file.dirty) return;
  file.next_look = std::min(file.next_look, parts_.clock->steady() + timeout);
  if (parts_.clock->steady() - file.quiet_since < timeout) return;
  reading_ = &file;
  file.plain->flush_partial(*this, buffer_);
  reading_ = nullptr;
  publish(file);
}

void FileJob::look_at_due() {
  const Duration now = parts_.clock->steady();
  for (auto& [key, file] : files_) {
    if (file->next_look <= now) look_at(*file);
  }
  for (const TailKey& key : std::exchange(left_unseen_, {})) rotated_unseen(*files_.at(key));
}

void FileJob::take_events() {
  std::vector<std::string> changed;
  std::vector<std::pair<std::string, std::string>> moves;
  bool appeared = false;
  Inotify::Changes changes;
  changes.changed = [&](const std::string& path, bool is_new) {
    if (changed.empty() || changed.back() != path) changed.push_back(path);
    appeared = appeared || is_new;
  };
  changes.moved = [&](const std::string& from, const std::string& to) { moves.emplace_back(from, to); };
  changes.overflow = [&] {
    events_lost_ = true;
    for (auto& [key, file] : files_) file->next_look = Duration(0);
    next_sync_ = Duration(0);
  };
  inotify_.drain(changes);
  take_moves(moves);
  if (changed.empty()) return;
  std::sort(changed.begin(), changed.end());
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  for (const std::string& path : changed) {
    const auto [begin, end] = by_path_.equal_range(path);
    for (auto it = begin; it != end; ++it) it->second->next_look = Duration(0);
  }
  if (!appeared) return;
  for (const FileTarget& target : targets_) {
    for (const std::string& path : changed) {
      if (target.path.matches(path) && !(target.exclude && target.exclude->matches(path))) found_path(target, path);
    }
  }
}

bool FileJob::ready() const {
  const MutexLock lock(mutex_);
  return std::any_of(published_.begin(), published_.end(),
                     [](const auto& item) { return item.second.open && item.second.record.current; });
}

std::vector<TargetStatus> FileJob::status() const {
  const MutexLock lock(mutex_);
  std::vector<TargetStatus> report = report_;
  TargetStatus& files = report.emplace_back();
  files.type = "File";
  files.ready = std::any_of(published_.begin(), published_.end(), [](const auto& item) { return item.second.open; });
  for (const auto& [id, item] : published_) {
    if (item.open) files.details.emplace_back(item.record.path, std::to_string(item.progress->read()));
  }
  return report;
}

void FileJob::publish(const TailedFile& file) {
  const FileRecord record = file.record(name());
  const Fingerprint1K head = file.counts_lines ? Fingerprint1K{} : record.head;  // told of plain bytes only
  file.progress->set_identity({record.path, record.device, record.inode, file.counts_lines, head.length, head.hash});
  const MutexLock lock(mutex_);
  published_[file.id] = {record, file.progress, true};
}

void FileJob::publish() {
  for (const auto& [key, file] : files_) publish(*file);
}

/// Called by Positions::save(), from its thread.
void FileJob::collect(Positions& positions) {
  const MutexLock finding(finding_mutex_);
  const MutexLock lock(mutex_);
  std::map<std::string, std::uint64_t> by_path;
  for (auto& [id, item] : published_) {
    item.record.offset = item.progress->committable();
    item.record.finished = !item.open && item.progress->all_settled();
    positions.put_file(item.record);
    if (!item.record.current) continue;
    const auto [it, fresh] = by_path.emplace(item.record.path, item.record.offset);
    if (!fresh) it->second = std::min(it->second, item.record.offset);
  }
  for (const auto& [path, offset] : by_path) positions.put(path, std::to_string(offset));
  forget_finished(positions);
}

/// Of each path the youngest that are finished stay, and those behind one that is not: they would be taken for new
/// files.
void FileJob::forget_finished(Positions& positions) {
  std::map<std::string, std::vector<std::uint64_t>> finished;  // ids in ascending order
  std::map<std::string, std::uint64_t> oldest_unfinished;
  for (const auto& [id, item] : published_) {
    const std::string& path = item.record.path;
    if (item.record.finished) {
      finished[path].push_back(id);
    } else {
      oldest_unfinished.emplace(path, id);
    }
  }
  for (const auto& [path, items] : finished) {
    const auto unfinished = oldest_unfinished.find(path);
    const bool gone = unfinished == oldest_unfinished.end() && ::access(parent_directory(path).c_str(), F_OK) != 0;
    std::size_t left = items.size();
    for (const std::uint64_t id : items) {
      if (!gone && (left <= kFinishedKept || (unfinished != oldest_unfinished.end() && id > unfinished->second))) break;
      positions.erase_file(published_.at(id).record);
      published_.erase(id);
      --left;
    }
  }
}

}  // namespace kvasir::agent
