#include "promtail-agent/discovery/poller.h"

#include "common/log.h"

namespace kvasir::agent {

namespace {

bool same_groups(const std::vector<TargetGroup>& a, const std::vector<TargetGroup>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const TargetGroup& x, const TargetGroup& y) {
    return x.targets == y.targets && x.labels == y.labels;
  });
}

}  // namespace

Poller::~Poller() { stop(); }

void Poller::start(Callback callback) {
  callback_ = std::move(callback);
  thread_ = std::thread([this] { run(); });
}

void Poller::stop() {
  stop_.request_stop();
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Poller::run() {
  std::optional<std::vector<TargetGroup>> last;
  std::string last_error;
  while (!stopping_) {
    auto answer = ask();
    if (stopping_) return;
    if (!answer && answer.error().message() != last_error) {
      last_error = answer.error().message();
      log::error("discovery", "cannot refresh targets, keeping the last ones",
                 {{"discovery", what_}, {"error", last_error}});
    }
    if (answer) {
      last_error.clear();
      if (!last || !same_groups(*last, *answer)) {
        last = *answer;
        callback_(std::move(*answer));
      }
    }
    MutexLock lock(mutex_);
    wake_.wait_for(lock, interval_, [&] { return stopping_.load(); });
  }
}

}  // namespace kvasir::agent
