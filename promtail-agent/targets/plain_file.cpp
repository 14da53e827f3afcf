#include "promtail-agent/targets/plain_file.h"

#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace kvasir::agent {

namespace {

/// Reads until `size` bytes or the end of the file; -1 on error.
ssize_t read_fully(int fd, char* out, std::size_t size, std::uint64_t at) {
  std::size_t got = 0;
  while (got < size) {
    const ssize_t n = ::pread(fd, out + got, size - got, static_cast<off_t>(at + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(got);
}

}  // namespace

Fingerprint1K fingerprint_of(std::string_view bytes, std::uint64_t end) {
  if (bytes.size() > kFingerprintBytes) bytes.remove_prefix(bytes.size() - kFingerprintBytes);
  return {end, static_cast<std::uint32_t>(bytes.size()), XXH3_64bits(bytes.data(), bytes.size())};
}

std::optional<Fingerprint1K> read_fingerprint(int fd, std::uint64_t end, std::uint32_t length) {
  char bytes[kFingerprintBytes];
  if (length > kFingerprintBytes || length > end) return std::nullopt;
  if (read_fully(fd, bytes, length, end - length) != static_cast<ssize_t>(length)) return std::nullopt;
  return fingerprint_of({bytes, length}, end);
}

PlainFile::PlainFile(int fd, std::uint64_t offset, LineLimits limits, NewlineForm newline)
    : fd_(fd), limits_(limits), newline_(newline), offset_(offset), scanned_(offset) {
  const auto length = static_cast<std::uint32_t>(std::min<std::uint64_t>(offset, kFingerprintBytes));
  if (const auto found = read_fingerprint(fd, offset, length)) anchor_ = *found;
  learn_head();
}

PlainFile::~PlainFile() { ::close(fd_); }

void PlainFile::expect(const FileRecord& record) {
  if (record.head.length > 0) head_ = record.head;
  if (record.anchor.length > 0 && record.anchor.end == offset_) anchor_ = record.anchor;
  marks_ = record.marks;
  std::erase_if(marks_, [&](const Fingerprint1K& mark) { return mark.end >= offset_; });
}

bool PlainFile::intact() {
  struct stat status {};
  return ::fstat(fd_, &status) == 0 && still_the_same(static_cast<std::uint64_t>(status.st_size));
}

void PlainFile::learn_head() {
  if (head_.length == kFingerprintBytes) return;
  char bytes[kFingerprintBytes];
  const ssize_t got = read_fully(fd_, bytes, sizeof bytes, 0);
  if (got <= static_cast<ssize_t>(head_.length)) return;
  const std::string_view front(bytes, static_cast<std::size_t>(got));
  if (head_.length > 0 && fingerprint_of(front.substr(0, head_.length), head_.length).hash != head_.hash) return;
  set_head(front);
}

void PlainFile::set_head(std::string_view front) {
  head_ = fingerprint_of(front, front.size());
  front_size_ = static_cast<std::uint8_t>(front.copy(front_, kFrontBytes));
}

bool PlainFile::has_unread() const { return has_more_than(scanned_); }

bool PlainFile::has_more_than(std::uint64_t size) const {
  struct stat status {};
  return ::fstat(fd_, &status) == 0 && static_cast<std::uint64_t>(status.st_size) > size;
}

Result<std::size_t> PlainFile::fill(ReadBuffer& buffer, std::uint64_t at, std::size_t room) {
  const ssize_t got = read_fully(fd_, buffer.data(), room, at);
  if (got < 0) return fail(ErrorCode::kIo, std::string("read: ") + std::strerror(errno));
  return static_cast<std::size_t>(got);
}

/// Compares the first bytes and those before the position with what they were.
bool PlainFile::still_the_same(std::uint64_t size) {
  if (size < offset_) return false;
  if (anchor_.length > 0 && anchor_.end == offset_) {
    const auto now = read_fingerprint(fd_, anchor_.end, anchor_.length);
    if (!now || now->hash != anchor_.hash) return false;
  }
  if (head_.length <= anchor_.end && anchor_.end == anchor_.length && anchor_.end == offset_)
    return true;  // it covers the head
  const auto now = read_fingerprint(fd_, head_.length, head_.length);
  return now && now->hash == head_.hash;
}

/// A partial line that is still partial: only the new bytes are looked at.
bool PlainFile::nothing_new(ReadBuffer& buffer) {
  if (scanned_ <= offset_ || discarding_ || newline_.unit_bytes != 1) return false;
  const auto got = fill(buffer, scanned_, kReadChunkBytes);
  if (!got || *got == kReadChunkBytes || std::memchr(buffer.data(), '\n', *got) != nullptr) return false;
  scanned_ += *got;
  return scanned_ - offset_ < limits_.line_bytes_max;
}

std::size_t PlainFile::find_newline(std::string_view bytes, std::size_t from) const {
  if (newline_.unit_bytes == 1) {
    const void* found = std::memchr(bytes.data() + from, '\n', bytes.size() - from);
    return found == nullptr ? std::string_view::npos
                            : static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
  }
  const auto unit = static_cast<std::size_t>(newline_.unit_bytes);
  const std::size_t low = newline_.big_endian ? unit - 1 : 0;
  for (std::size_t i = from; i + unit <= bytes.size(); i += unit) {
    bool newline = bytes[i + low] == '\n';
    for (std::size_t k = 0; newline && k < unit; ++k) newline = k == low || bytes[i + k] == '\0';
    if (newline) return i;
  }
  return std::string_view::npos;
}

/// Hands over the complete lines at the front of `bytes`, which starts at offset_. Gives the number of bytes used.
std::size_t PlainFile::take_lines(LineSink& sink, std::string_view bytes, bool& wanted) {
  const std::uint64_t base = offset_;
  const auto unit = static_cast<std::size_t>(newline_.unit_bytes);
  std::size_t at = 0;
  while (wanted && at < bytes.size()) {
    const std::size_t newline = find_newline(bytes, at);
    if (newline == std::string_view::npos) break;
    if (!discarding_ && newline - at > limits_.line_bytes_max) {
      at += overlong(sink, bytes.substr(at, piece_bytes()), wanted);
      continue;
    }
    std::string_view line = bytes.substr(at, newline - at);
    const std::uint64_t begin = base + at;
    at = newline + unit;
    offset_ = base + at;
    if (discarding_) {
      discarding_ = false;
      sink.skipped(begin, offset_, kLineTooLongReason);
      continue;
    }
    if (unit == 1 && !line.empty() && line[0] == '\0') {
      const std::size_t nul = std::min(line.find_first_not_of('\0'), line.size());
      counters_.skipped_nul_bytes += nul;
      line.remove_prefix(nul);
      if (line.empty()) {
        sink.skipped(begin, offset_, "nul_bytes");
        continue;
      }
    }
    wanted = sink.line(line, begin, offset_);
  }
  return at;
}

/// The line at offset_ does not fit: `bytes` are line_bytes_max of it, or more that nobody wants. All of them are used.
std::size_t PlainFile::overlong(LineSink& sink, std::string_view bytes, bool& wanted) {
  if (!discarding_) ++counters_.overlong_lines;
  const std::uint64_t begin = offset_;
  offset_ += bytes.size();
  const bool dropped = discarding_ || limits_.overlong == OverlongLine::kDrop;
  if (dropped) sink.skipped(begin, offset_, kLineTooLongReason);
  if (!dropped) wanted = sink.line(bytes, begin, offset_);
  discarding_ = limits_.overlong != OverlongLine::kSplit;
  return bytes.size();
}

/// Whole units.
std::size_t PlainFile::piece_bytes() const {
  const auto unit = static_cast<std::size_t>(newline_.unit_bytes);
  return std::max<std::size_t>(limits_.line_bytes_max / unit, 1) * unit;
}

/// The pieces of a line whose end has not come yet.
std::size_t PlainFile::take_overlong(LineSink& sink, std::string_view bytes, bool& wanted) {
  std::size_t used = 0;
  while (wanted && used < bytes.size()) {
    const std::string_view rest = bytes.substr(used);
    if (!discarding_ && rest.size() < limits_.line_bytes_max) break;
    used += overlong(sink, discarding_ ? rest : rest.substr(0, piece_bytes()), wanted);
  }
  return used;
}

/// Of those that would leave the smallest gap for its distance from here, one goes.
void PlainFile::add_mark(const Fingerprint1K& mark) {
  if (!marks_.empty() && marks_.back().end >= mark.end) return;
  marks_.push_back(mark);
  if (marks_.size() <= kMarksMax) return;
  std::size_t least = 0;
  double least_gap = 0;
  for (std::size_t i = 0; i + 1 < marks_.size(); ++i) {
    const std::uint64_t before = i == 0 ? 0 : marks_[i - 1].end;
    const double gap = static_cast<double>(marks_[i + 1].end - before) / static_cast<double>(offset_ - marks_[i].end);
    if (i == 0 || gap < least_gap) least = i, least_gap = gap;
  }
  marks_.erase(marks_.begin() + static_cast<std::ptrdiff_t>(least));
}

/// `bytes` were read in one go and end at offset_: what is remembered is what was handed over, whatever the file is by
/// now.
void PlainFile::remember(std::string_view bytes) {
  if (anchor_.length > 0) add_mark(anchor_);
  anchor_ = fingerprint_of(bytes, offset_);
  if (head_.length == kFingerprintBytes || head_.length >= offset_) return;
  if (bytes.size() < offset_) return learn_head();
  const auto length = std::min<std::size_t>(bytes.size(), kFingerprintBytes);
  set_head(bytes.substr(0, length));
}

Result<ReadOutcome> PlainFile::read(LineSink& sink, ReadBuffer& buffer, std::uint64_t budget) {
  ReadOutcome outcome;
  if (verify_) {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) return fail(ErrorCode::kIo, std::string("stat: ") + std::strerror(errno));
    const auto size = static_cast<std::uint64_t>(status.st_size);
    outcome.replaced = !still_the_same(size);
    outcome.at_end = outcome.replaced || size == scanned_ || nothing_new(buffer);
    if (outcome.at_end) return outcome;
    verify_ = false;
  }
  bool wanted = true;
  std::size_t room = kReadChunkBytes;
  while (wanted && outcome.bytes < budget && !outcome.at_end) {
    // The bytes before the position are read along: they tell whether this is still the file that was read before.
    const auto lead = static_cast<std::size_t>(std::min<std::uint64_t>(offset_, kFingerprintBytes));
    buffer.grow(room + lead);
    KVASIR_TRY(const std::size_t filled, fill(buffer, offset_ - lead, room + lead));
    const bool known = anchor_.end == offset_ && anchor_.length == lead;
    if (filled < lead || (known && fingerprint_of({buffer.data(), lead}, offset_).hash != anchor_.hash)) {
      outcome.replaced = outcome.at_end = verify_ = true;
      return outcome;
    }
    const std::size_t got = filled - lead;
    const std::string_view bytes(buffer.data() + lead, got);
    std::size_t used = take_lines(sink, bytes, wanted);
    outcome.at_end = got < room;
    if (used == 0 && !outcome.at_end && room < limits_.line_bytes_max && !discarding_) {
      room = std::min<std::uint64_t>(room * 2, limits_.line_bytes_max);
      continue;
    }
    if (wanted && used == 0 && got >= std::min<std::uint64_t>(limits_.line_bytes_max, room)) {
      used = take_overlong(sink, bytes, wanted);
    }
    if (used > 0) remember({buffer.data(), lead + used});
    scanned_ = outcome.at_end && wanted ? offset_ + (got - used) : offset_;
    outcome.bytes += used;
    room = kReadChunkBytes;
  }
  outcome.at_end = outcome.at_end && wanted;
  verify_ = outcome.at_end;
  buffer.shrink();
  return outcome;
}

void PlainFile::flush_partial(LineSink& sink, ReadBuffer& buffer) {
  const std::size_t size = std::min<std::uint64_t>(scanned_ - offset_, limits_.line_bytes_max);
  if (size == 0) return;
  const auto lead = static_cast<std::size_t>(std::min<std::uint64_t>(offset_, kFingerprintBytes));
  buffer.grow(size + lead);
  const auto filled = fill(buffer, offset_ - lead, size + lead);
  if (!filled || *filled <= lead) return;
  const std::uint64_t begin = offset_;
  const std::string_view bytes(buffer.data() + lead, *filled - lead);
  offset_ += bytes.size();
  scanned_ = offset_;
  if (discarding_) sink.skipped(begin, offset_, kLineTooLongReason);
  else sink.line(bytes, begin, offset_);
  discarding_ = false;
  remember({buffer.data(), *filled});
}

}  // namespace kvasir::agent
