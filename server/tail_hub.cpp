#include "server/tail_hub.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <algorithm>

namespace kvasir::server {
namespace {

constexpr auto kPumpInterval = std::chrono::milliseconds(100);  // for held back entries and deadlines

}  // namespace

TailHub::TailHub(ingest::Ingester& ingester, logql::LogSource& source, ServerMetrics& metrics, const Clock& clock)
    : ingester_(ingester), source_(source), metrics_(metrics), clock_(clock) {
  listener_ = ingester_.add_listener([this](const std::string& tenant, std::span<const ingest::AppliedStream> streams) {
    on_applied(tenant, streams);
  });
  thread_ = std::thread([this] { pump(); });
}

TailHub::~TailHub() { close("the server is stopping"); }

bool TailHub::add(const std::shared_ptr<TailSession>& session, std::int64_t tenant_max) {
  MutexLock lock(mutex_);
  const auto same = std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& other) {
    return other->options().tenant == session->options().tenant;
  });
  if (closed_ || (tenant_max >= 0 && same >= tenant_max)) return false;
  sessions_.push_back(session);
  metrics_.tails_active().Increment();
  return true;
}

std::size_t TailHub::count(const std::string& tenant) const {
  MutexLock lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& s) { return s->options().tenant == tenant; }));
}

void TailHub::on_applied(const std::string& tenant, std::span<const ingest::AppliedStream> streams) {
  bool wake = false;
  MutexLock lock(mutex_);
  if (sessions_.empty()) return;
  const Duration now = clock_.steady();
  for (const auto& session : sessions_) {
    if (session->options().tenant != tenant) continue;
    for (const auto& stream : streams) wake |= session->offer(stream, source_, now);
  }
  if (!wake) return;
  work_waits_ = true;
  wake_.notify_one();
}

void TailHub::pump() {
  for (;;) {
    std::vector<std::shared_ptr<TailSession>> sessions;
    {
      MutexLock lock(mutex_);
      wake_.wait_for(lock, kPumpInterval, [&] { return closed_ || work_waits_; });
      if (closed_) return;
      work_waits_ = false;
      sessions = sessions_;
    }
    for (const auto& session : sessions) {
      const auto sent = session->pump(clock_.steady());
      metrics_.tail_bytes().Increment(static_cast<double>(sent.bytes));
      metrics_.tail_dropped().Increment(static_cast<double>(sent.dropped));
      if (!sent.ended) continue;
      session->report_end(clock_.steady());
      MutexLock lock(mutex_);
      std::erase(sessions_, session);
      metrics_.tails_active().Decrement();
    }
  }
}

void TailHub::close(const std::string& reason) {
  std::vector<std::shared_ptr<TailSession>> sessions;
  {
    MutexLock lock(mutex_);
    if (closed_) return;
    closed_ = true;
    sessions.swap(sessions_);
  }
  ingester_.remove_listener(listener_);
  wake_.notify_all();
  thread_.join();
  for (const auto& session : sessions) {
    session->socket().close(1001, reason);
    session->report_end(clock_.steady());
  }
}

}  // namespace kvasir::server
