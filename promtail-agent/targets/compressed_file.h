// compressed_file.h -- reads the lines of a compressed file, once, from the front.
//
// Units:    kLines: offsets count lines, as Promtail's positions of such files do. kBytes: decompressed bytes, for a
//           rotated log whose plain form was read in part.
// Growth:   an empty or cut-off file is no error: read() goes on when more has come.
// Errors:   corruption, unsupported (format); said once, the file is not read any further.
// Limits:   LineLimits; memory for one line and kOutputBytesMax, however much the file unpacks to.
// Threads:  one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "promtail-agent/targets/decompressor.h"
#include "promtail-agent/targets/file_source.h"
#include "promtail-agent/targets/plain_file.h"

namespace kvasir::agent {

class CompressedFile {
 public:
  enum class Unit { kLines, kBytes };
  /// Takes the descriptor over. `start` lines or bytes are skipped. No format: the first bytes tell.
  CompressedFile(int fd, std::optional<CompressionFormat> format, Unit unit, std::uint64_t start, LineLimits limits);
  ~CompressedFile();
  CompressedFile(const CompressedFile&) = delete;
  CompressedFile& operator=(const CompressedFile&) = delete;

  /// Reads until about `budget` bytes were taken from the file, or were made of them.
  Result<ReadOutcome> read(LineSink& sink, ReadBuffer& buffer, std::uint64_t budget);
  /// The rest without a newline, at the end of a file that is complete.
  void flush_partial(LineSink& sink);

  /// The same file, from another place on.
  std::unique_ptr<CompressedFile> reopened(std::uint64_t start) const;

  /// In the unit: what was handed over.
  std::uint64_t offset() const { return offset_; }
  const SourceCounters& counters() const { return counters_; }
  int fd() const { return fd_; }

 private:
  bool take_lines(LineSink& sink);
  bool emit(LineSink& sink, std::string_view line, std::uint64_t used);

  const int fd_;
  std::optional<CompressionFormat> format_;
  const Unit unit_;
  const std::uint64_t start_;
  const LineLimits limits_;
  std::unique_ptr<Decompressor> decompressor_;
  std::uint64_t file_offset_ = 0;   // compressed bytes used; what is left of a piece is read again
  std::uint64_t offset_ = 0;
  std::string held_;                // decompressed, not handed over
  std::size_t held_begin_ = 0;
  bool discarding_ = false;
  bool failed_ = false;
  SourceCounters counters_;
};

}  // namespace kvasir::agent
