#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/filesystem.h"
#include "common/log.h"
#include "promtail-agent/targets/file_job.h"

namespace kvasir::agent {

namespace {

struct Times {
  bool linked = true;            // has a name still
  std::int64_t born_ns = 0;      // 0: the filesystem does not say
};

Times times_of(int fd) {
  struct statx status {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_NLINK | STATX_BTIME, &status) != 0) return {};
  const bool born = (status.stx_mask & STATX_BTIME) != 0;
  return {status.stx_nlink > 0, born ? status.stx_btime.tv_sec * 1'000'000'000LL + status.stx_btime.tv_nsec : 0};
}

/// Of unrelated names the older one may be the original.
bool older(const TailedFile& original, const TailedFile& copy) {
  const Times a = times_of(original.fd());
  const Times b = times_of(copy.fd());
  return a.born_ns != 0 && b.born_ns != 0 && a.born_ns <= b.born_ns;
}

std::string_view folder_of(std::string_view path) { return path.substr(0, path.rfind('/') + 1); }

/// `app.2.log` of `app.1.log` beside it, where one is copied over the other.
bool numbered_after(std::string_view copy, std::string_view original) {
  return folder_of(copy) == folder_of(original) && rotated_alike("", original, copy) &&
         std::pair(copy.size(), copy) > std::pair(original.size(), original);
}

}  // namespace

/// Whether a file of which nothing was read yet may be read: not while it may be a copy under way.
bool FileJob::may_begin(TailedFile& file) {
  if (file.check == nullptr) return true;
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode)) return true;
  file.dirty = status.st_size > 0;
  if (!file.dirty) return false;
  CopyCheck& check = *file.check;
  FileFront front(file.fd());
  while (TailedFile* original = original_of(file, front)) {
    if (check.original != original->id) check.compared = 0, check.complete.reset();
    check.original = original->id;
    check.deferred.reset();
    switch (held_against(file, *original)) {
      case Copy::kOwn: check.others.insert(original->id); break;
      case Copy::kWait: return false;
      case Copy::kTaken: return true;
    }
  }
  if (must_defer(file)) return false;
  file.check.reset();
  return true;
}

/// Whether it may be a copy of a content that nobody has seen yet, because its original was replaced since it was read.
bool FileJob::must_defer(TailedFile& file) {
  const Duration now = parts_.clock->steady();
  for (auto& [key, other] : files_) {
    if (other.get() == &file || !is_replaced_unseen(*other, file)) continue;
    other->dirty = true;
    // One that is not in the saved state cannot say so yet, and then no other file can be read either.
    if (!file.check->deferred || !may_read(*other)) file.check->deferred = now;
    file.dirty = false;
    file.next_look = std::min(file.next_look, now + kCopyLookInterval);
    return now - *file.check->deferred < parts_.copy_times.quiet_short;
  }
  return false;
}

/// Only for those that are known to have changed, or by whose name the copy is called.
bool FileJob::is_replaced_unseen(TailedFile& original, const TailedFile& copy) const {
  const bool is_read = original.plain != nullptr && original.check == nullptr && original.last_error.empty();
  if (!is_read || original.intact_in_turn == turn_) return false;
  const bool beside = original.dirty && folder_of(original.path) == folder_of(copy.path);
  if (!beside && !named_after(copy.path, original.path)) return false;
  if (original.plain->intact()) original.intact_in_turn = turn_;
  return original.intact_in_turn != turn_;
}

/// The file that this one was the same as so far, or the next that it may be a copy of.
TailedFile* FileJob::original_of(const TailedFile& file, FileFront& front) {
  TailedFile* found = nullptr;
  for (auto& [key, other] : files_) {
    if (other.get() == &file || other->plain == nullptr || file.check->others.contains(other->id)) continue;
    if (key.device == file.key.device && key.inode == file.key.inode) continue;
    if (other->id == file.check->original) return other.get();
    if (found != nullptr && !(other->key.target == file.key.target && found->key.target != file.key.target)) continue;
    if (!front.may_be_of(other->plain->head(), other->plain->front())) continue;
    const bool named = named_after(file.path, other->path) || numbered_after(file.path, other->path);
    const bool alike = other->check == nullptr && other->plain->head().length == kFingerprintBytes &&
                       parent_directory(file.path) == parent_directory(other->path) &&
                       front.starts_as(other->plain->head()) && older(*other, file);
    if (named || alike) found = other.get();
  }
  return found;
}

FileJob::Copy FileJob::held_against(TailedFile& file, TailedFile& original) {
  CopyCheck& check = *file.check;
  const Duration now = parts_.clock->steady();
  const std::uint64_t before = check.compared;
  const Likeness likeness = compare_more(file.fd(), original.fd(), kTurnBytes, check,
                                         {buffer_.data(), kReadChunkBytes});
  if (!check.began) check.began = now;
  if (check.compared > before || check.grew == Duration(0)) check.grew = now;
  const bool all_same = likeness == Likeness::kSame || likeness == Likeness::kUnfinished;
  if (likeness == Likeness::kUnfinished) return Copy::kWait;
  file.dirty = false;
  file.next_look = std::min(file.next_look, now + kCopyLookInterval);
  const bool is_read = original.check == nullptr && original.last_error.empty();
  if (!all_same && is_read && !original.plain->intact()) {  // it says so itself then, and gives its place to the copy
    original.dirty = true;
    return Copy::kWait;
  }
  if (likeness == Likeness::kDiffers) return Copy::kOwn;
  if (!original.current) {
    if (times_of(original.fd()).linked) return Copy::kOwn;  // renamed: no copy was made for that
    return take_from_removed(file, original);
  }
  if (likeness == Likeness::kLonger) return Copy::kOwn;
  if (!check.complete && !original.plain->has_more_than(check.compared)) check.complete = now;
  return waits_too_long(check, parts_.copy_times, now) ? Copy::kOwn : Copy::kWait;
}

/// The original has no name any more: when it is read to its end, what stands there in its stead goes on with it.
FileJob::Copy FileJob::take_from_removed(TailedFile& file, TailedFile& original) {
  if (original.dirty || original.plain->has_unread()) return Copy::kWait;
  if (original.plain->offset() < kFingerprintBytes) return Copy::kOwn;  // as every file of this program may begin
  FileRecord old = original.record(name());
  old.offset = original.offset();
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0) return Copy::kOwn;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const auto offset = offset_in_copy(file.fd(), size, old, file.check->compared);
  if (!offset) return Copy::kOwn;
  const ProgressPtr progress = original.progress;
  const MutexLock finding(finding_mutex_);  // no saved state has one of the two without the other
  original.id = parts_.positions->new_file_id(parts_.clock->now());
  original.progress = parts_.progress->create(original.record_key(), original.offset());
  publish(original);
  take_content(file, {old, progress, original.labels}, *offset);
  return Copy::kTaken;
}

/// Lets a file that waits go on with a content that is gone from where it was. False: there is none.
bool FileJob::give_to_copy(const GoneContent& content) {
  for (const bool compared : {true, false}) {  // those that were the same as long as it was there before others
    for (auto& [key, file] : files_) {
      if (file->check == nullptr || (file->check->original == content.record.id) != compared) continue;
      if (!compared && !may_hold(*file, content.record)) continue;
      struct stat status {};
      if (::fstat(file->fd(), &status) != 0) continue;
      const auto size = static_cast<std::uint64_t>(status.st_size);
      const bool in_this_run = content.progress != nullptr;  // the two were there together
      if (!in_this_run && alike_by_chance(size, content.record)) continue;
      const auto offset = offset_in_copy(file->fd(), size, content.record, compared ? file->check->compared : 0);
      if (!offset) continue;
      take_content(*file, content, *offset);
      return true;
    }
  }
  return false;
}

/// By its name and its first bytes; by these alone where they are many.
bool FileJob::may_hold(const TailedFile& file, const FileRecord& record) const {
  if (file.check->others.contains(record.id)) return false;
  if (file.path == record.path || named_after(file.path, record.path)) return true;
  return record.head.length == kFingerprintBytes && record.offset >= kFingerprintBytes &&
         parent_directory(file.path) == parent_directory(record.path);
}

/// The file becomes the one that holds `content`: its lines go on under the same number and labels.
void FileJob::take_content(TailedFile& file, const GoneContent& content, std::uint64_t offset) {
  log::info("tailer", "going on with a copy", {{"path", content.record.path}, {"now", file.path}});
  {
    const MutexLock lock(mutex_);
    published_.erase(file.id);
  }
  parts_.positions->erase_file(file.record(name()));
  file.check.reset();
  file.id = content.record.id;
  file.progress = content.progress;
  if (file.progress == nullptr) file.progress = parts_.progress->create(content.record.key(), offset);
  if (file.progress->read() > offset) file.progress->set_read(offset);
  if (content.labels != nullptr) file.labels = content.labels;
  read_from(file, offset);
  file.dirty = true;
  file.saved = false;
  file.read_bytes->set(static_cast<double>(offset));
  publish(file);
}

}  // namespace kvasir::agent
