#include "promtail-agent/client/fanout.h"

#include <algorithm>

namespace kvasir::agent {

LineRate::LineRate(const LimitsConfig& limits, MetricRegistry& metrics, const Clock& clock)
    : limits_(limits), clock_(clock), tokens_(limits.readline_burst), last_(clock.steady()) {
  dropped_ = metrics.counter("logentry_dropped_lines_total",
                             "A count of all log lines dropped as a result of a pipeline stage",
                             {{"reason", "global_rate_limiter_drop"}});
}

bool LineRate::admit(const std::atomic<bool>& stopping) {
  MutexLock lock(mutex_);
  for (;;) {
    const Duration now = clock_.steady();
    tokens_ += std::chrono::duration<double>(now - last_).count() * limits_.readline_rate;
    tokens_ = std::min(tokens_, static_cast<double>(limits_.readline_burst));
    last_ = now;
    if (tokens_ >= 1) {
      tokens_ -= 1;
      return true;
    }
    if (limits_.readline_rate_drop || stopping) {
      dropped_->add(1);
      return false;
    }
    const double seconds = std::clamp((1 - tokens_) / std::max(limits_.readline_rate, 1e-3), 1e-4, 0.1);
    bool woken = false;
    wake_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return std::exchange(woken, true); });
  }
}

bool ClientFanout::push(const Entry& entry) {
  if (rate_ != nullptr && !rate_->admit(cancelled_)) {
    if (!cancelled_) left_out(entry.sources(), "stage:global_rate_limiter_drop");
    return !cancelled_;
  }
  bool taken = true;
  for (const auto& client : clients_) taken = client->push(entry, cancelled_) && taken;
  return taken;
}

bool ClientFanout::wait_for_room(const std::string& tenant, std::uint64_t bytes, Duration limit) {
  return std::all_of(clients_.begin(), clients_.end(),
                     [&](const auto& client) { return client->wait_for_room(tenant, bytes, limit); });
}

void ClientFanout::left_out(std::span<const SourceRange> ranges, std::string_view reason) {
  for (const auto& client : clients_) client->leave_out(ranges, reason);
}

void ClientFanout::count_too_long(const TooLong& lines) {
  for (const auto& client : clients_) client->count_too_long(lines.dropped, lines.lines, lines.bytes);
}

void ClientFanout::cancel() {
  cancelled_ = true;
  for (const auto& client : clients_) client->wake();
}

}  // namespace kvasir::agent
