#include "promtail-agent/targets/stdin_target.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace kvasir::agent {

namespace {
inline constexpr std::size_t kChunkBytes = 64 << 10;
inline constexpr std::size_t kLineBytesMax = 16 << 20;
inline constexpr int kPollMilliseconds = 100;
}  // namespace

StdinTarget::StdinTarget(JobParts parts, Labels labels, std::function<void()> at_end)
    : parts_(std::move(parts)), labels_(make_label_set(std::move(labels))), at_end_(std::move(at_end)) {}

StdinTarget::~StdinTarget() { stop(); }

Result<void> StdinTarget::start() {
  thread_ = std::thread([this] { run(); });
  return {};
}

void StdinTarget::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

std::vector<TargetStatus> StdinTarget::status() const {
  TargetStatus status;
  status.type = "Stdin";
  status.ready = ready();
  status.labels = labels_->labels;
  return {status};
}

void StdinTarget::run() {
  std::string held;
  std::string chunk(kChunkBytes, '\0');
  while (!stopping_) {
    parts_.feeder->tick();
    pollfd waiting{STDIN_FILENO, POLLIN, 0};
    if (::poll(&waiting, 1, kPollMilliseconds) == 0) continue;
    const ssize_t got = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    held.append(chunk, 0, static_cast<std::size_t>(got));
    feed_lines(held, false);
  }
  feed_lines(held, true);
  parts_.feeder->close();
  ended_ = true;
  at_end_();
}

void StdinTarget::feed_lines(std::string& held, bool at_end) {
  std::size_t from = 0;
  while (from < held.size()) {
    std::size_t end = held.find('\n', from);
    if (end == std::string::npos) {
      if (!at_end && held.size() - from < kLineBytesMax) break;
      end = held.size();
    }
    std::string_view line(held.data() + from, end - from);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    from = std::min(end + 1, held.size());
    if (!line.empty() && !parts_.feeder->feed(labels_, parts_.services.clock->now(), line)) stopping_ = true;
  }
  held.erase(0, from);
}

}  // namespace kvasir::agent
