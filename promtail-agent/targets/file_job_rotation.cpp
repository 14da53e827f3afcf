#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "common/filesystem.h"
#include "common/log.h"
#include "promtail-agent/targets/file_job.h"

namespace kvasir::agent {

/// Files of the last run whose content is elsewhere now: rotated while the agent was down.
void FileJob::find_left_behind() {
  std::vector<FileRecord> unresolved;
  struct Place {
    FileRecord record;
    const FileTarget* target;
    RotatedFile file;
  };
  std::map<std::string, Place> last;  // by path: the last that is known to have had it
  for (const FileRecord& record : std::vector<FileRecord>(remembered_)) {
    const auto is_it = [&](const FileRecord& other) { return other.id == record.id; };
    if (std::none_of(remembered_.begin(), remembered_.end(), is_it)) continue;  // found while looking for another
    const FileTarget* target = target_of(record.path);
    if (target == nullptr) {
      const bool gone = ::access(parent_directory(record.path).c_str(), F_OK) != 0;
      if (gone) parts_.positions->erase_file(record);
      else unresolved.push_back(record);  // its target may be discovered later
    } else if (const auto file = continue_elsewhere(record, *target, nullptr)) {
      const auto [it, fresh] = last.emplace(record.path, Place{record, target, *file});
      if (!fresh && it->second.record.id < record.id) it->second = {record, target, *file};
    }
  }
  for (const auto& [path, place] : last) read_successors(place.record, *place.target, place.file);
  remembered_ = std::move(unresolved);
}

/// Goes on with the content of `record` under whatever name it has now, if there is something left to read.
std::optional<RotatedFile> FileJob::continue_elsewhere(const FileRecord& record, const FileTarget& target,
                                                       ProgressPtr progress) {
  const GoneContent gone{record, progress, labels_of(target, record.path)};
  if (parts_.positions->trusts(record) && give_to_copy(gone)) return std::nullopt;
  auto place = find_rotated(record);
  if (const FileTarget* own = place ? target_of(place->path) : nullptr; own != nullptr) {
    found_path(*own, place->path);
    if (give_to_copy(gone)) return std::nullopt;
  }
  if (place && place->has_more && open_elsewhere(record, target, *place, progress)) return place;
  if (progress != nullptr) {
    const MutexLock lock(mutex_);
    published_[record.id].open = false;
  } else if (place && !place->has_more) {
    remember_finished(record);
  } else {
    parts_.positions->erase_file(record);
  }
  return place;
}

void FileJob::remember_finished(const FileRecord& record) {
  FileRecord kept = record;
  kept.current = false;
  const MutexLock lock(mutex_);
  published_[record.id] = {kept, parts_.progress->create(record.key(), record.offset), false};
}

/// Reads the file at `place` from record.offset on, as if it were at record.path still. False: it cannot be, or is
/// already.
bool FileJob::open_elsewhere(const FileRecord& record, const FileTarget& target, const RotatedFile& place,
                             ProgressPtr progress) {
  std::uint64_t size = 0;
  auto file = open_file(target, place.path, size);
  if (file == nullptr || files_.contains(file->key)) return false;
  log::info("tailer", "going on with a rotated file", {{"path", record.path}, {"now", place.path}});
  file->labels = labels_of(target, record.path);
  file->real_path = place.path;
  file->path = record.path;
  file->id = record.id;
  file->progress = std::move(progress);
  file->current = file->wanted = false;
  file->left_at = parts_.clock->steady();
  TailedFile& opened = start_reading(std::move(file), record.offset);
  files_active_->add(-1);
  if (place.compressed) {
    opened.head = record.head.length > 0 ? record.head : compressed_head(place.path).value_or(Fingerprint1K{});
    opened.anchor = record.anchor;
    const int fd = ::fcntl(opened.fd(), F_DUPFD_CLOEXEC, 0);
    opened.plain.reset();
    opened.counts_lines = false;
    opened.compressed = std::make_unique<CompressedFile>(fd, std::nullopt, CompressedFile::Unit::kBytes, record.offset,
                                                         parts_.line_limits);
  } else if (opened.plain != nullptr) {
    opened.plain->expect(record);
  }
  publish(opened);
  return true;
}

/// Reads what had the path after the content of `record` and was moved away before anybody saw it.
void FileJob::read_successors(const FileRecord& record, const FileTarget& target, const RotatedFile& rotated) {
  FileRecord unread;
  unread.path = record.path;
  unread.id = record.id;
  for (const RotatedFile& next :
       find_successors(record, rotated, [&](const RotatedFile& file) { return is_known(target, file); })) {
    unread.id = next_id(unread.id);
    open_elsewhere(unread, target, next, nullptr);
  }
}

bool FileJob::is_known(const FileTarget& target, const RotatedFile& file) {
  if (target_of(file.path) != nullptr || files_.contains({target.key, file.device, file.inode})) return true;
  const auto of_record = [&](const FileRecord& record) { return is_same_content(file, record); };
  if (std::any_of(remembered_.begin(), remembered_.end(), of_record)) return true;
  const MutexLock lock(mutex_);
  return std::any_of(published_.begin(), published_.end(),
                     [&](const auto& item) { return of_record(item.second.record); });
}

/// Renames in the order in which they happened: a file may have been moved on since.
void FileJob::take_moves(const std::vector<std::pair<std::string, std::string>>& moves) {
  for (std::size_t i = 0; i < moves.size(); ++i) {
    std::string now = moves[i].second;
    for (std::size_t later = i + 1; later < moves.size(); ++later) {
      if (moves[later].first == now) now = moves[later].second;
    }
    rotated_away(moves[i].first, now);
  }
}

/// A path that a target asks for was renamed. If the file was not seen under its old name, it is read under the new
/// one.
void FileJob::rotated_away(const std::string& from, const std::string& to) {
  const FileTarget* target = target_of(from);
  if (target == nullptr) return;
  if (const FileTarget* own = target_of(to); own != nullptr) return;  // it is found by its new name
  std::uint64_t size = 0;
  auto file = open_file(*target, to, size);
  if (file == nullptr || files_.contains(file->key)) return;
  FileRecord expected;
  const std::uint64_t start = start_offset(*file, size, expected);
  file->labels = labels_of(*target, from);
  file->path = from;
  file->current = file->wanted = false;
  file->left_at = parts_.clock->steady();
  publish(start_reading(std::move(file), start));
  files_active_->add(-1);
}

/// The same where nobody tells about renames: whatever had the path since this file lost it.
void FileJob::rotated_unseen(const TailedFile& file) {
  const FileTarget* target = target_of(file.path);
  const FileRecord record = file.record(name());
  const auto place = target == nullptr ? std::nullopt : find_renamed(record);
  if (place) read_successors(record, *target, *place);
}

/// The content was replaced under an open file: what its copy still holds is read first, then the new content from the
/// start.
void FileJob::replaced(TailedFile& file) {
  const MutexLock finding(finding_mutex_);
  truncated_->add(1);
  log::info("tailer", "file was truncated, reading from the start", {{"path", file.path}});
  FileRecord old = file.record(name());
  old.offset = file.offset();
  old.current = false;
  {
    const MutexLock lock(mutex_);
    published_[file.id].record.current = false;
  }
  if (!give_to_copy({old, file.progress, file.labels})) left_over_.emplace_back(old, file.progress);
  read_from(file, 0);
  file.id = parts_.positions->new_file_id(parts_.clock->now());
  file.progress = parts_.progress->create(file.record_key(), 0);
  file.dirty = true;
  file.saved = false;
  file.check = std::make_unique<CopyCheck>();
  file.read_bytes->set(0);
  publish(file);
}

void FileJob::take_left_over() {
  if (left_over_.empty()) return;
  const MutexLock finding(finding_mutex_);
  for (const auto& [record, progress] : std::exchange(left_over_, {})) {
    const FileTarget* target = target_of(record.path);
    if (target == nullptr) {
      left_over_.emplace_back(record, progress);  // it may be discovered later
    } else if (const auto place = continue_elsewhere(record, *target, progress)) {
      read_successors(record, *target, *place);
    }
  }
}

}  // namespace kvasir::agent
