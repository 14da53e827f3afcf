#include "promtail-agent/targets/copy_check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "promtail-agent/targets/plain_file.h"
#include "promtail-agent/targets/rotated_search.h"

namespace kvasir::agent {

namespace {

std::optional<std::uint64_t> size_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(status.st_size);
}

bool matches(int fd, const Fingerprint1K& print) {
  const auto now = read_fingerprint(fd, print.end, print.length);
  return now && now->hash == print.hash;
}

/// The last place that was read and that the copy still has.
const Fingerprint1K* last_mark_within(const FileRecord& record, std::uint64_t size) {
  const Fingerprint1K* best = nullptr;
  for (const Fingerprint1K& mark : record.marks) {
    if (mark.end <= size && (best == nullptr || mark.end > best->end)) best = &mark;
  }
  return best;
}

}  // namespace

Likeness compare_more(int copy, int original, std::uint64_t budget, CopyCheck& check, std::span<char> scratch) {
  const std::size_t half = scratch.size() / 2;
  const auto copy_size = size_of(copy);          // first: an original that is intact only grows
  const auto original_size = size_of(original);
  if (!copy_size || !original_size || *original_size < check.compared) return Likeness::kDiffers;
  const std::uint64_t end = std::min(*copy_size, *original_size);
  while (check.compared < end) {
    if (budget == 0) return Likeness::kUnfinished;
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>({end - check.compared, half, budget}));
    const auto at = static_cast<off_t>(check.compared);
    const bool read = ::pread(copy, scratch.data(), part, at) == static_cast<ssize_t>(part) &&
                      ::pread(original, scratch.data() + half, part, at) == static_cast<ssize_t>(part);
    if (!read || std::memcmp(scratch.data(), scratch.data() + half, part) != 0) return Likeness::kDiffers;
    check.compared += part;
    budget -= part;
  }
  return *copy_size > *original_size ? Likeness::kLonger : Likeness::kSame;
}

bool waits_too_long(const CopyCheck& check, const CopyTimes& times, Duration now) {
  const Duration quiet = check.compared < kFingerprintBytes ? times.quiet_short : times.quiet_long;
  return now - check.grew >= quiet || (check.complete && now - *check.complete >= times.complete) ||
         (check.began && now - *check.began >= times.most);
}

bool named_after(std::string_view copy, std::string_view original) {
  const std::size_t folder = original.rfind('/') + 1;
  if (copy.substr(0, copy.rfind('/') + 1) != original.substr(0, folder)) return false;
  copy.remove_prefix(folder);
  original.remove_prefix(folder);
  if (!copy.starts_with(stem_of(original))) return false;
  return copy.size() != original.size() ? copy.size() > original.size() : copy > original;
}

std::optional<std::uint64_t> offset_in_copy(int fd, std::uint64_t size, const FileRecord& record,
                                            std::uint64_t compared) {
  const std::uint64_t start = std::min(record.offset, size);
  if (start == 0) return std::nullopt;
  if (compared > 0 && compared >= size) return start;
  if (record.head.length == 0 || size < record.head.length || !matches(fd, record.head)) return std::nullopt;
  if (size < record.anchor.end) {
    const Fingerprint1K* mark = last_mark_within(record, size);
    const bool enough = mark != nullptr && (mark->end >= kFingerprintBytes || mark->end == size);
    return enough && matches(fd, *mark) ? std::optional(start) : std::nullopt;
  }
  if (record.anchor.length > 0 && !matches(fd, record.anchor)) return std::nullopt;
  return start;
}

bool alike_by_chance(std::uint64_t size, const FileRecord& record) {
  return record.head.length < kCopyBytesMin && size != record.offset;
}

}  // namespace kvasir::agent
