// plain_file.h -- reads an open file from an offset on, and notices when its content was replaced under it.
//
// Identity: `head` is a hash of the first bytes, read or not, `anchor` of the bytes before the reading position. A file
//           that is shorter than the position, or whose bytes before the position changed, was truncated
//           (copytruncate): read() says `replaced`.
// Memory:   nothing per file but its state; the buffer is shared by all files of a job. It grows to line_bytes_max at
//           most.
// Encoding: newline is a unit of 1, 2 or 4 bytes; lines are handed over undecoded.
// Threads:  one.
// Errors:   io.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "promtail-agent/positions.h"
#include "promtail-agent/targets/file_source.h"

namespace kvasir::agent {

inline constexpr std::size_t kReadChunkBytes = 256 << 10;

inline constexpr std::size_t kFrontBytes = 8;

struct NewlineForm {
  int unit_bytes = 1;       // 2 for UTF-16, 4 for UTF-32
  bool big_endian = false;
};

/// The chunk that files are read into.
class ReadBuffer {
 public:
  char* data() { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  /// What was in it is gone.
  void grow(std::size_t size) {
    if (bytes_.size() < size) std::string().swap(bytes_), bytes_.resize(size);
  }
  /// Gives back what a long line took.
  void shrink() {
    if (bytes_.size() > 4 * kReadChunkBytes) std::string(kReadChunkBytes + kFingerprintBytes, '\0').swap(bytes_);
  }

 private:
  std::string bytes_ = std::string(kReadChunkBytes + kFingerprintBytes, '\0');
};

Fingerprint1K fingerprint_of(std::string_view bytes, std::uint64_t end);
/// The hash over the last `length` bytes before `end`; an empty optional if they cannot be read.
std::optional<Fingerprint1K> read_fingerprint(int fd, std::uint64_t end, std::uint32_t length);

class PlainFile {
 public:
  /// Takes the descriptor over.
  PlainFile(int fd, std::uint64_t offset, LineLimits limits, NewlineForm newline);
  ~PlainFile();
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;

  /// Reads at most about `budget` bytes.
  Result<ReadOutcome> read(LineSink& sink, ReadBuffer& buffer, std::uint64_t budget);
  /// Hands over the unterminated rest at the end of the file, if there is one.
  void flush_partial(LineSink& sink, ReadBuffer& buffer);
  bool has_partial() const { return scanned_ > offset_; }
  /// The file is longer than what was looked at.
  bool has_unread() const;

  std::uint64_t offset() const { return offset_; }
  const Fingerprint1K& head() const { return head_; }
  const Fingerprint1K& anchor() const { return anchor_; }
  /// The first bytes, up to kFrontBytes of them.
  std::string_view front() const { return {front_, front_size_}; }
  bool has_more_than(std::uint64_t size) const;
  /// Anchors of earlier positions, ascending: many near the last one, few far from it.
  const std::vector<Fingerprint1K>& marks() const { return marks_; }
  /// The file has what was read of it and what its head says.
  bool intact();
  /// Takes more of the first bytes into the head, if there are more by now.
  void learn_head();
  /// The head of the last run, if it is known; it must still be there, or read() says `replaced`.
  void expect(const FileRecord& record);
  const SourceCounters& counters() const { return counters_; }
  int fd() const { return fd_; }

 private:
  Result<std::size_t> fill(ReadBuffer& buffer, std::uint64_t at, std::size_t room);
  bool still_the_same(std::uint64_t size);
  bool nothing_new(ReadBuffer& buffer);
  std::size_t take_lines(LineSink& sink, std::string_view bytes, bool& wanted);
  std::size_t find_newline(std::string_view bytes, std::size_t from) const;
  std::size_t overlong(LineSink& sink, std::string_view bytes, bool& wanted);
  std::size_t piece_bytes() const;
  std::size_t take_overlong(LineSink& sink, std::string_view bytes, bool& wanted);
  void remember(std::string_view bytes);
  void set_head(std::string_view front);
  void add_mark(const Fingerprint1K& mark);

  const int fd_;
  const LineLimits limits_;
  const NewlineForm newline_;
  std::uint64_t offset_;         // start of the first line that was not handed over
  std::uint64_t scanned_;        // no newline between offset_ and here
  bool discarding_ = false;      // in the middle of an overlong line that is dropped or was cut
  bool verify_ = true;           // the file was left at its end: look whether it is the same before going on
  Fingerprint1K head_;
  char front_[kFrontBytes];
  std::uint8_t front_size_ = 0;
  Fingerprint1K anchor_;
  std::vector<Fingerprint1K> marks_;
  SourceCounters counters_;
};

}  // namespace kvasir::agent
