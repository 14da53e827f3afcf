#include "promtail-agent/targets/compressed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace kvasir::agent {

namespace {
inline constexpr std::size_t kInputBytes = 32 << 10;
}  // namespace

CompressedFile::CompressedFile(int fd, std::optional<CompressionFormat> format, Unit unit, std::uint64_t start,
                               LineLimits limits)
    : fd_(fd), format_(format), unit_(unit), start_(start), limits_(limits) {}

CompressedFile::~CompressedFile() { ::close(fd_); }

std::unique_ptr<CompressedFile> CompressedFile::reopened(std::uint64_t start) const {
  return std::make_unique<CompressedFile>(::fcntl(fd_, F_DUPFD_CLOEXEC, 0), format_, unit_, start, limits_);
}

Result<ReadOutcome> CompressedFile::read(LineSink& sink, ReadBuffer& buffer, std::uint64_t budget) {
  ReadOutcome outcome;
  const std::size_t left = held_.size();  // where the last reader was stopped
  const bool wanted = take_lines(sink);
  outcome.bytes = left - held_.size();
  if (!wanted) return outcome;
  if (failed_) {
    outcome.at_end = true;
    return outcome;
  }
  while (outcome.bytes < budget) {
    const ssize_t got = ::pread(fd_, buffer.data(), kInputBytes, static_cast<off_t>(file_offset_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::kIo, std::string("read: ") + std::strerror(errno));
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    outcome.at_end = got == 0 && (decompressor_ == nullptr || !decompressor_->has_more());
    if (outcome.at_end) break;
    if (decompressor_ == nullptr) {
      if (!format_ && bytes.size() < 4) {
        outcome.at_end = true;
        break;
      }
      if (!format_) {
        auto detected = detect_compression_format(bytes);
        failed_ = !detected;
        if (failed_) return fail(detected.error());
        format_ = *detected;
      }
      decompressor_ = make_decompressor(*format_);
    }
    const std::size_t before = held_.size();
    const auto used = decompressor_->feed(bytes, held_);
    if (!used) {
      failed_ = true;
      (void)take_lines(sink);
      return fail(used.error());
    }
    file_offset_ += *used;
    outcome.bytes += std::max(*used, held_.size() - before);
    if (!take_lines(sink)) return outcome;
  }
  outcome.finished = outcome.at_end && decompressor_ != nullptr && decompressor_->complete();
  if (outcome.finished) flush_partial(sink);
  return outcome;
}

/// `used` decompressed bytes made this line.
bool CompressedFile::emit(LineSink& sink, std::string_view line, std::uint64_t used) {
  const std::uint64_t begin = offset_;
  offset_ += unit_ == Unit::kLines ? 1 : used;
  if (offset_ <= start_) return true;
  if (unit_ == Unit::kBytes && begin < start_) line.remove_prefix(std::min<std::size_t>(start_ - begin, line.size()));
  return sink.line(line, std::max(begin, start_), offset_);
}

bool CompressedFile::take_lines(LineSink& sink) {
  bool wanted = true;
  while (wanted) {
    const std::string_view rest = std::string_view(held_).substr(held_begin_);
    const std::size_t newline = rest.find('\n');
    if (newline == std::string_view::npos) {
      if (rest.size() < limits_.line_bytes_max) break;
      if (!discarding_) {
        ++counters_.overlong_lines;
        if (limits_.overlong != OverlongLine::kDrop) wanted = emit(sink, rest, rest.size());
        discarding_ = limits_.overlong != OverlongLine::kSplit;
      }
      held_begin_ = held_.size();
      continue;
    }
    held_begin_ += newline + 1;
    if (discarding_) {
      discarding_ = false;
      continue;
    }
    std::string_view line = rest.substr(0, newline);
    if (unit_ == Unit::kLines && line.ends_with('\r')) line.remove_suffix(1);
    wanted = emit(sink, line, newline + 1);
  }
  held_.erase(0, held_begin_);
  held_begin_ = 0;
  return wanted;
}

void CompressedFile::flush_partial(LineSink& sink) {
  if (!held_.empty() && !discarding_) (void)emit(sink, held_, held_.size());
  held_.clear();
}

}  // namespace kvasir::agent
