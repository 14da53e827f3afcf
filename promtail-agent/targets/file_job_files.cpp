#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "common/filesystem.h"
#include "common/log.h"
#include "common/number.h"
#include "promtail-agent/targets/file_job.h"
#include "promtail-agent/targets/rotated_search.h"

namespace kvasir::agent {

namespace {

inline constexpr std::size_t kLetGoMax = 10'000;

/// The same in a compressed file, in lines; its head is of the compressed bytes.
std::optional<std::uint64_t> offset_in_compressed(const TailedFile& file, const FileRecord& record) {
  if (record.head.length == 0) return record.path == file.path ? std::optional(record.offset) : std::nullopt;
  const auto head = read_fingerprint(file.fd(), record.head.length, record.head.length);
  return head && head->hash == record.head.hash ? std::optional(record.offset) : std::nullopt;
}

/// Where to go on in the file that has the record's inode; nothing if its content is another one by now.
std::optional<std::uint64_t> offset_of_record(int fd, std::uint64_t size, const FileRecord& record) {
  if (continues_record(fd, size, record)) return record.offset;
  if (record.head.length == 0 && record.offset <= size && !record.finished) return record.offset;
  if (record.anchor.length == 0 || record.offset <= size) return std::nullopt;
  FileRecord read = record;
  read.offset = record.anchor.end;  // a copy that ends before what was read
  return continues_record(fd, size, read) ? std::optional(size) : std::nullopt;
}

std::string resolved(const std::string& path) {
  char buffer[PATH_MAX];
  return ::realpath(path.c_str(), buffer) == nullptr ? path : std::string(buffer);
}

}  // namespace

void FileJob::take_groups() {
  std::vector<TargetGroup> groups;
  {
    const MutexLock lock(mutex_);
    if (!groups_changed_) return;
    groups_changed_ = false;
    for (const auto& [discovery, list] : groups_) groups.insert(groups.end(), list.begin(), list.end());
  }
  std::vector<TargetStatus> report;
  counters_.active->add(-static_cast<double>(targets_.size()));
  targets_ = make_file_targets(groups, parts_.relabeler, parts_.hostname, counters_, report);
  counters_.active->add(static_cast<double>(targets_.size()));
  for (const FileTarget& target : targets_) {
    log::info("filetargetmanager", "Adding target", {{"key", target.key}});
  }
  next_sync_ = Duration(0);
  const MutexLock lock(mutex_);
  report_ = std::move(report);
}

void FileJob::sync() {
  next_sync_ = parts_.clock->steady() + parts_.sync_period;
  for (auto& [key, file] : files_) file->wanted = false;
  DirectoryCache cache;
  for (const FileTarget& target : targets_) find_files(target, cache);
  adopt_rotated();
  find_left_behind();
  events_lost_ = false;
}

void FileJob::find_files(const FileTarget& target, DirectoryCache& cache) {
  for (const std::string& directory : target.path.directories(cache)) (void)inotify_.watch(directory);
  std::vector<std::string> excluded;
  if (target.exclude) excluded = target.exclude->expand(cache);
  for (const std::string& path : target.path.expand(cache)) {
    if (std::binary_search(excluded.begin(), excluded.end(), path)) continue;
    if (target.exclude && target.exclude->matches(path)) continue;
    found_path(target, path);
  }
}

/// A path that a target asks for: known, or to be opened.
void FileJob::found_path(const FileTarget& target, const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return;
  if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) return;
  const TailKey key{target.key, static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino)};
  const auto known = files_.find(key);
  if (known != files_.end()) {
    known->second->wanted = true;
    if (!known->second->current) moved(*known->second, path);
    return;
  }
  if (adopt_file(target, key, path) || known_otherwise(target, key, path)) return;
  std::uint64_t size = 0;
  auto file = open_file(target, path, size);
  if (file == nullptr || files_.contains(file->key)) return;  // the name may lead elsewhere since the look above
  FileRecord expected;
  const std::uint64_t start = start_offset(*file, size, expected);
  TailedFile& opened = start_reading(std::move(file), start);
  if (expected.id != 0 && opened.plain != nullptr) opened.plain->expect(expected);
  if (start == 0 && opened.plain != nullptr) opened.check = std::make_unique<CopyCheck>();
  publish(opened);
}

std::unique_ptr<TailedFile> FileJob::open_file(const FileTarget& target, const std::string& path, std::uint64_t& size) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    std::string& told = bad_paths_[path];
    const std::string error = std::strerror(errno);
    if (told != error) {
      told = error;
      counters_.failed("error");
      log::error("filetarget", "failed to start tailer", {{"path", path}, {"error", error}});
    }
    return nullptr;
  }
  bad_paths_.erase(path);
  struct stat status {};
  ::fstat(fd, &status);
  size = static_cast<std::uint64_t>(status.st_size);
  auto file = std::make_unique<TailedFile>();
  file->key = {target.key, static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino)};
  file->path = path;
  file->real_path = resolved(path);
  file->labels = labels_of(target, path);
  const NewlineForm newline = charset_ == nullptr ? NewlineForm{} : charset_->newline();
  file->plain = std::make_unique<PlainFile>(fd, 0, parts_.line_limits, newline);
  return file;
}

/// A file of the job that ran before under another configuration: reading goes on where it stood.
bool FileJob::adopt_file(const FileTarget& target, const TailKey& key, const std::string& path) {
  const auto found = std::find_if(adopted_.begin(), adopted_.end(), [&](const auto& file) {
    return file != nullptr && file->key.device == key.device && file->key.inode == key.inode && file->path == path;
  });
  if (found == adopted_.end()) return false;
  std::unique_ptr<TailedFile> file = std::move(*found);
  adopted_.erase(found);
  file->wanted = true;
  take_over(std::move(file), target, key);
  return true;
}

/// Files of the job that ran before whose path leads elsewhere: they are read to their end.
void FileJob::adopt_rotated() {
  for (auto& file : adopted_) {
    const FileTarget* target = target_of(file->path);
    if (target == nullptr) continue;  // it may be discovered later
    const TailKey key{target->key, file->key.device, file->key.inode};
    file->wanted = false;
    if (!files_.contains(key)) take_over(std::move(file), *target, key);
  }
  std::erase(adopted_, nullptr);
}

void FileJob::take_over(std::unique_ptr<TailedFile> file, const FileTarget& target, const TailKey& key) {
  if (const auto begin = file->progress->take_back()) {  // the clients did not take all that was read
    if (file->plain != nullptr) read_from(*file, *begin);
    else file->compressed = file->compressed->reopened(*begin);
  }
  file->key = key;
  file->dirty = true;
  file->next_look = Duration(0);
  file->labels = labels_of(target, file->path);
  if (file->current) files_active_->add(1);
  by_path_.emplace(file->path, file.get());
  if (file->real_path != file->path) by_path_.emplace(file->real_path, file.get());
  watch(file->path);
  watch(file->real_path);
  paths_seen_.insert(file->path);
  publish(*file);
  // Nobody was told what happened between the two jobs.
  struct stat named {};
  const bool leads_here =
      ::stat(file->path.c_str(), &named) == 0 && named.st_dev == key.device && named.st_ino == key.inode;
  if (!leads_here) left_unseen_.push_back(key);
  files_.emplace(key, std::move(file));
}

/// What positions.yaml says of the path, if it is about this file: names move on, and a file that came to one while
/// nobody looked would lose its first lines by what another had there.
std::uint64_t FileJob::offset_by_path(const TailedFile& file, std::uint64_t size) {
  const std::string& path = file.path;
  const auto saved = parts_.positions->get(path);
  if (!saved) return 0;
  const auto is_this = [&](const FileRecord& record) {
    if (record.device != file.key.device || record.inode != file.key.inode) return false;
    return parts_.config.decompression.enabled || offset_of_record(file.fd(), size, record).has_value();
  };
  const auto owners = parts_.positions->files_at(path);
  if (owners && std::none_of(owners->begin(), owners->end(), is_this)) return 0;
  const auto offset = parse_uint64(*saved);
  if (!offset) {
    log::error("filetarget", "position is not a number, reading from the start",
               {{"path", path}, {"position", *saved}});
    return 0;
  }
  return *offset <= size ? *offset : 0;
}

/// Files of this run: one that was closed, or that is read under another target, too.
std::optional<std::uint64_t> FileJob::offset_of_known(const TailedFile& file, std::uint64_t size) {
  for (auto it = let_go_.begin(); it != let_go_.end(); ++it) {
    if (it->device != file.key.device || it->inode != file.key.inode) continue;
    const FileRecord record = *it;
    let_go_.erase(it);
    const bool goes_on =
        continues_record(file.fd(), size, record) || (record.head.length == 0 && record.offset <= size);
    return goes_on ? record.offset : 0;
  }
  for (const auto& [key, open] : files_) {
    const bool same = key.device == file.key.device && key.inode == file.key.inode;
    if (same && open->plain != nullptr && open->plain->intact()) return open->plain->offset();
  }
  return std::nullopt;
}

/// Where to begin with a file that was just opened: what its identity or its path say.
std::uint64_t FileJob::start_offset(TailedFile& file, std::uint64_t size, FileRecord& expected) {
  const bool compressed = parts_.config.decompression.enabled;
  bool path_is_other_file = false;
  for (auto it = remembered_.begin(); it != remembered_.end(); ++it) {
    const bool same_inode = it->device == file.key.device && it->inode == file.key.inode;
    const bool trusted = parts_.positions->trusts(*it);
    if (it->current && it->path == file.path && trusted && !same_inode) path_is_other_file = true;
    if (!trusted || !same_inode) continue;
    const auto offset = compressed ? offset_in_compressed(file, *it) : offset_of_record(file.fd(), size, *it);
    if (!offset) {
      if (it->path == file.path) path_is_other_file = true;  // truncated, or the number was used again
      continue;
    }
    if (!compressed) expected = *it;
    file.id = it->id;
    remembered_.erase(it);
    return *offset;
  }
  if (const auto known = offset_of_known(file, size)) return *known;
  if (path_is_other_file || paths_seen_.contains(file.path)) return 0;
  if (compressed) return offset_by_path(file, UINT64_MAX);
  std::uint64_t start = offset_by_path(file, size);
  if (start == 0 && !parts_.positions->get(file.path)) {
    struct stat status {};
    ::fstat(file.fd(), &status);
    const Duration age = parts_.clock->now() - TimestampNs{status.st_mtim.tv_sec * 1'000'000'000LL};
    const FileOptions& options = parts_.config.file;
    if (options.start_at_end || (options.ignore_older > Duration(0) && age > options.ignore_older)) start = size;
  }
  return start;
}

/// A file that is read under a target which does not ask for it any more: it goes on under this one.
bool FileJob::known_otherwise(const FileTarget& target, const TailKey& key, const std::string& path) {
  for (const auto& [other, file] : files_) {
    if (other.device != key.device || other.inode != key.inode) continue;
    const auto asks = [&](const FileTarget& one) { return one.key == other.target && one.path.matches(file->path); };
    if (std::any_of(targets_.begin(), targets_.end(), asks)) continue;
    relabel(TailKey(other), target, key, path);
    return true;
  }
  return false;
}

void FileJob::relabel(TailKey from, const FileTarget& target, const TailKey& key, const std::string& path) {
  auto node = files_.extract(from);
  TailedFile& file = *node.mapped();
  file.key = key;
  file.wanted = true;
  file.labels = labels_of(target, path);
  node.key() = key;
  files_.insert(std::move(node));
  if (file.path == path && file.current) return;
  if (file.current) files_active_->add(-1);
  moved(file, path);
}

TailedFile& FileJob::start_reading(std::unique_ptr<TailedFile> file, std::uint64_t offset) {
  const DecompressionConfig& decompression = parts_.config.decompression;
  if (file->id == 0) file->id = parts_.positions->new_file_id(parts_.clock->now());
  if (decompression.enabled) {
    std::optional<CompressionFormat> format;
    if (!decompression.format.empty()) format = *parse_compression_format(decompression.format);
    const int fd = ::fcntl(file->fd(), F_DUPFD_CLOEXEC, 0);
    file->compressed =
        std::make_unique<CompressedFile>(fd, format, CompressedFile::Unit::kLines, offset, parts_.line_limits);
    file->head = file->plain->head();
    file->plain.reset();
    file->counts_lines = true;
    file->not_before = parts_.clock->steady() + decompression.initial_delay;
  } else {
    read_from(*file, offset);
  }
  if (file->progress == nullptr) file->progress = parts_.progress->create(file->record_key(), offset);
  make_series(*file);
  file->read_bytes->set(static_cast<double>(offset));
  file->quiet_since = parts_.clock->steady();
  file->look_interval = parts_.poll_min;
  by_path_.emplace(file->path, file.get());
  if (file->real_path != file->path) by_path_.emplace(file->real_path, file.get());
  watch(file->path);
  watch(file->real_path);
  log::info("tailer", "tail routine: started", {{"path", file->path}, {"offset", std::to_string(offset)}});
  files_active_->add(1);
  paths_seen_.insert(file->path);
  auto& slot = files_[file->key];
  slot = std::move(file);
  return *slot;
}

void FileJob::read_from(TailedFile& file, std::uint64_t offset) {
  const int fd = ::fcntl(file.fd(), F_DUPFD_CLOEXEC, 0);
  const NewlineForm newline = charset_ == nullptr ? NewlineForm{} : charset_->newline();
  file.plain = std::make_unique<PlainFile>(fd, offset, parts_.line_limits, newline);
}

/// A rotated file whose new name is asked for too: it is the same file and keeps its place and its labels.
void FileJob::moved(TailedFile& file, const std::string& path) {
  forget_paths(file);
  file.path = path;
  file.real_path = resolved(path);
  file.current = true;
  files_active_->add(1);
  by_path_.emplace(file.path, &file);
  if (file.real_path != file.path) by_path_.emplace(file.real_path, &file);
  make_series(file);
  publish(file);
}

void FileJob::forget_paths(TailedFile& file) {
  for (const std::string& path : {file.path, file.real_path}) {
    const auto [begin, end] = by_path_.equal_range(path);
    for (auto it = begin; it != end; ++it) {
      if (it->second != &file) continue;
      by_path_.erase(it);
      break;
    }
  }
  if (by_path_.contains(file.path)) return;
  for (const char* metric : {"promtail_read_bytes_total", "promtail_file_bytes_total", "promtail_acked_bytes",
                             "promtail_read_lines_total"}) {
    parts_.metrics->remove(metric, Labels{{"path", file.path}});
  }
}

void FileJob::make_series(TailedFile& file) {
  const Labels path{{"path", file.path}};
  file.read_bytes = parts_.metrics->gauge("promtail_read_bytes_total", "Number of bytes read.", path);
  file.file_bytes = parts_.metrics->gauge("promtail_file_bytes_total", "Number of bytes total.", path);
  file.acked_bytes = parts_.metrics->gauge("promtail_acked_bytes", "Bytes that need not be read again: delivered, "
                                           "on disk in the spool, or left out on purpose.", path);
  file.read_lines = parts_.metrics->counter("promtail_read_lines_total", "Number of lines read.", path);
}

void FileJob::watch(const std::string& path) {
  const std::string directory = parent_directory(path);
  if (!inotify_.watching(directory)) (void)inotify_.watch(directory);
}

const FileTarget* FileJob::target_of(const std::string& path) const {
  for (const FileTarget& target : targets_) {
    if (target.path.matches(path) && !(target.exclude && target.exclude->matches(path))) return &target;
  }
  return nullptr;
}

bool FileJob::may_close(TailedFile& file) const {
  if (file.dirty || (file.check != nullptr && file.check->original != 0)) return false;
  const Duration now = parts_.clock->steady();
  const bool old = file.current ? !file.wanted && now - file.quiet_since >= parts_.linger
                                : now - std::max(file.left_at, file.quiet_since) >= parts_.config.file.rotate_wait;
  if (!old) return false;
  const auto waits = [&](const auto& item) { return item.second->check && item.second->check->original == file.id; };
  if (std::any_of(files_.begin(), files_.end(), waits)) return false;
  // Whoever holds the file open may have written since the last look.
  file.dirty = file.plain != nullptr && file.last_error.empty() && file.plain->has_unread();
  return !file.dirty;
}

void FileJob::close_files() {
  take_left_over();
  for (auto it = files_.begin(); it != files_.end();) {
    if (may_close(*it->second)) {
      close_file(*it->second);
      it = files_.erase(it);
    } else {
      ++it;
    }
  }
}

void FileJob::close_file(TailedFile& file) {
  if (file.plain != nullptr && file.plain->has_partial() && !file.current) {
    reading_ = &file;
    file.plain->flush_partial(*this, buffer_);
    reading_ = nullptr;
  }
  if (file.current) files_active_->add(-1);
  publish(file);
  if (file.current) {
    let_go_.push_back(file.record(name()));
    let_go_.back().offset = file.offset();
    if (let_go_.size() > kLetGoMax) let_go_.erase(let_go_.begin());
  }
  forget_paths(file);
  log::info("tailer", "tail routine: exited", {{"path", file.path}});
  const MutexLock lock(mutex_);
  Published& published = published_[file.id];
  published.open = false;
}

/// A number for what came right after the file with that number.
std::uint64_t FileJob::next_id(std::uint64_t id) {
  {
    const MutexLock lock(mutex_);
    const auto taken = [&] {
      return published_.contains(id) || std::any_of(remembered_.begin(), remembered_.end(),
                                                    [&](const FileRecord& record) { return record.id == id; });
    };
    do ++id;
    while (taken());
  }
  return id % kFileIdRoom == 0 ? parts_.positions->new_file_id(parts_.clock->now()) : id;
}

}  // namespace kvasir::agent
