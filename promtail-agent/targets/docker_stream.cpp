#include "promtail-agent/targets/docker_stream.h"

namespace kvasir::agent {

namespace {
inline constexpr std::size_t kHeaderBytes = 8;
}  // namespace

void DockerStream::feed(std::string_view bytes, const Sink& sink) {
  held_.append(bytes);
  std::size_t at = 0;
  if (tty_) {
    for (std::size_t end; (end = held_.find('\n', at)) != std::string::npos; at = end + 1) {
      frame(false, std::string_view(held_).substr(at, end + 1 - at), sink);
    }
    held_.erase(0, at);
    if (held_.size() > 2 * line_bytes_max_) held_.clear();
    return;
  }
  while (held_.size() - at >= kHeaderBytes) {
    const auto* head = reinterpret_cast<const unsigned char*>(held_.data() + at);
    const std::size_t size = static_cast<std::size_t>(head[4]) << 24 | static_cast<std::size_t>(head[5]) << 16 |
                             static_cast<std::size_t>(head[6]) << 8 | head[7];
    if (held_.size() - at - kHeaderBytes < size) break;
    frame(head[0] == 2, std::string_view(held_).substr(at + kHeaderBytes, size), sink);
    at += kHeaderBytes + size;
  }
  held_.erase(0, at);
}

void DockerStream::frame(bool error_stream, std::string_view payload, const Sink& sink) {
  const std::size_t space = payload.find(' ');
  const auto stamp = space == std::string_view::npos ? std::nullopt : parse_rfc3339(payload.substr(0, space));
  if (!stamp) {
    ++broken_;
    return;
  }
  std::string_view text = payload.substr(space + 1);
  const bool ends = text.ends_with('\n');
  Partial& partial = partial_[error_stream ? 1 : 0];
  if (partial.open && partial.timestamp.value != stamp->value) {
    sink({error_stream, partial.timestamp, partial.text});
    partial.open = false;
    partial.text.clear();
  }
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
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
