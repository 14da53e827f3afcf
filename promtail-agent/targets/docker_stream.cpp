#include "promtail-agent/targets/docker_stream.h"

#include <algorithm>

namespace kvasir::agent {

namespace {
inline constexpr std::size_t kHeaderBytes = 8;
inline constexpr std::size_t kStampBytesMax = 64;
}  // namespace

void DockerStream::feed(std::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    if (!tty_ && header_.size() < kHeaderBytes) {
      const std::size_t wanted = std::min(kHeaderBytes - header_.size(), bytes.size());
      header_.append(bytes.substr(0, wanted));
      bytes.remove_prefix(wanted);
      if (header_.size() < kHeaderBytes) return;
      left_ = frame_size();
    }
    const std::size_t newline = tty_ ? bytes.find('\n') : std::string_view::npos;
    const std::string_view piece = bytes.substr(0, tty_ ? std::min(newline, bytes.size() - 1) + 1 : left_);
    take(piece);
    bytes.remove_prefix(piece.size());
    left_ -= tty_ ? 0 : piece.size();
    if (tty_ ? newline == std::string_view::npos : left_ > 0) return;
    frame(!tty_ && header_[0] == 2, sink);
    payload_.clear();
    payload_ends_line_ = false;
    header_.clear();
  }
}

std::size_t DockerStream::frame_size() const {
  const auto* head = reinterpret_cast<const unsigned char*>(header_.data());
  return static_cast<std::size_t>(head[4]) << 24 | static_cast<std::size_t>(head[5]) << 16 |
         static_cast<std::size_t>(head[6]) << 8 | head[7];
}

/// What is beyond the longest line is not kept.
void DockerStream::take(std::string_view piece) {
  if (piece.empty()) return;
  const std::size_t room = line_bytes_max_ + kStampBytesMax - payload_.size();
  payload_.append(piece.substr(0, room));
  payload_ends_line_ = piece.back() == '\n';
}

void DockerStream::frame(bool error_stream, const Sink& sink) {
  const std::string_view payload = payload_;
  const std::size_t space = payload.find(' ');
  const auto stamp = space == std::string_view::npos ? std::nullopt : parse_rfc3339(payload.substr(0, space));
  if (!stamp) {
    ++broken_;
    return;
  }
  std::string_view text = payload.substr(space + 1);
  const bool ends = payload_ends_line_;
  Partial& partial = partial_[error_stream ? 1 : 0];
  if (partial.open && partial.timestamp.value != stamp->value) {
    sink({error_stream, partial.timestamp, partial.text});
    partial.open = false;
    partial.text.clear();
  }
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  text = text.substr(0, line_bytes_max_);
  if (ends && !partial.open) {
    sink({error_stream, *stamp, text});
    return;
  }
  partial.timestamp = *stamp;
  partial.open = true;
  if (partial.text.size() < line_bytes_max_) partial.text.append(text.substr(0, line_bytes_max_ - partial.text.size()));
  if (!ends) return;
  sink({error_stream, partial.timestamp, partial.text});
  partial.open = false;
  partial.text.clear();
}

}  // namespace kvasir::agent
