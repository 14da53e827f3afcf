// docker_stream.h -- the log stream of the Docker API: frames of standard output and error, put together to lines.
//
// Shape:    8 bytes [stream, 0, 0, 0, size big-endian], then `<RFC 3339 time> <text>`; a TTY has no headers. A line
//           longer than 16 KiB comes in several frames of one time, the last of which ends with a newline.
// Limits:   a line passes line_bytes_max at most; the rest up to its newline is dropped, and never held in memory.
// Threads:  one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/time.h"

namespace kvasir::agent {

struct DockerLine {
  bool error_stream = false;
  TimestampNs timestamp;
  std::string_view text;  // without CR and LF at its end; lives during the call
};

class DockerStream {
 public:
  using Sink = std::function<void(const DockerLine&)>;
  DockerStream(bool tty, std::size_t line_bytes_max) : tty_(tty), line_bytes_max_(line_bytes_max) {}

  /// Bytes as they come. Frames without a readable time are counted in broken().
  void feed(std::string_view bytes, const Sink& sink);
  std::uint64_t broken() const { return broken_; }

 private:
  std::size_t frame_size() const;
  void take(std::string_view piece);
  void frame(bool error_stream, const Sink& sink);

  struct Partial {
    std::string text;
    TimestampNs timestamp;
    bool open = false;
  };
  const bool tty_;
  const std::size_t line_bytes_max_;
  std::string header_;              // of the frame that is read
  std::size_t left_ = 0;            // bytes of it to come
  std::string payload_;             // of it, or of a TTY's line, as far as a line may be long
  bool payload_ends_line_ = false;
  Partial partial_[2];
  std::uint64_t broken_ = 0;
};

}  // namespace kvasir::agent
