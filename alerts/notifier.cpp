#include "alerts/notifier.h"

#include <algorithm>
#include <deque>
#include <thread>

#include <fmt/format.h>

#include "common/clock.h"
#include "common/json_writer.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/url_secrets.h"

namespace kvasir::alerts {
namespace {

std::string milliseconds_rfc3339(TimestampNs t) {
  std::string text = format_rfc3339({t.value - t.value % 1'000'000'000});
  text.pop_back();
  return text + fmt::format(".{:03}Z", t.value / 1'000'000 % 1000);
}

// Waits without a sleep that a stop could not end.
void wait_for(Duration time, std::stop_token stop) {
  Mutex mutex;
  Condition condition;
  const std::stop_callback wake(stop, [&] {
    MutexLock lock(mutex);  // between its look and its wait the thread would not hear it
    condition.notify_all();
  });
  MutexLock lock(mutex);
  condition.wait_for(lock, std::min<Duration>(time, std::chrono::seconds(5)),
                     [&stop] { return stop.stop_requested(); });
}

}  // namespace

std::string encode_alerts(const std::vector<OutgoingAlert>& alerts) {
  std::string body;
  JsonWriter json(body);
  json.begin_array();
  for (const auto& alert : alerts) {
    json.begin_object();
    if (!alert.annotations.empty()) {
      json.key("annotations").begin_object();
      for (const auto& [name, value] : alert.annotations) json.key(name).string(value);
      json.end_object();
    }
    json.key("endsAt").string(milliseconds_rfc3339(alert.ends_at));
    json.key("startsAt").string(milliseconds_rfc3339(alert.starts_at));
    json.key("generatorURL").string(alert.generator_url).key("labels").begin_object();
    for (const auto& label : alert.labels) json.key(label.name).string(label.value);
    json.end_object().end_object();
  }
  json.end_array();
  return body;
}

class Notifier::Lane {
 public:
  Lane(Notifier& notifier, const std::string& url)
      : options_(notifier.options_),
        client_(*notifier.client_),
        url_(url + "/api/v2/alerts"),
        thread_([this](std::stop_token stop) { run(stop); }) {}

  void add(const std::vector<OutgoingAlert>& alerts) {
    {
      MutexLock lock(mutex_);
      for (const auto& alert : alerts) queue_.push_back(alert);
      while (queue_.size() > options_.queue_capacity) {
        ++totals_[queue_.front().tenant].dropped;
        queue_.pop_front();
      }
    }
    changed_.notify_one();
  }

  void request_stop() {
    thread_.request_stop();
    MutexLock lock(mutex_);
    changed_.notify_all();
  }

  AlertmanagerReport report() const {
    MutexLock lock(mutex_);
    return {without_userinfo(url_, ""), queue_.size(), totals_};
  }

 private:
  enum class Outcome { kTaken, kRefused, kTryAgain };

  void run(std::stop_token stop);
  std::vector<OutgoingAlert> take_batch();
  bool post(const std::vector<OutgoingAlert>& batch, std::stop_token stop);
  Outcome call_once(const net::HttpCall& call, const std::vector<OutgoingAlert>& batch);

  const NotifierOptions& options_;
  net::HttpClient& client_;
  const std::string url_;
  mutable Mutex mutex_;
  Condition changed_;
  std::deque<OutgoingAlert> queue_ KVASIR_GUARDED_BY(mutex_);
  std::map<std::string, NotifierTotals> totals_ KVASIR_GUARDED_BY(mutex_);
  std::jthread thread_;
};

Notifier::Notifier(NotifierOptions options, std::shared_ptr<net::HttpClient> client)
    : options_(std::move(options)), client_(std::move(client)) {
  for (const auto& url : options_.urls) lanes_.push_back(std::make_unique<Lane>(*this, url));
}

Notifier::~Notifier() {
  for (auto& lane : lanes_) lane->request_stop();
}

std::vector<AlertmanagerReport> Notifier::report() const {
  std::vector<AlertmanagerReport> reports;
  for (const auto& lane : lanes_) reports.push_back(lane->report());
  return reports;
}

void Notifier::send(const std::vector<OutgoingAlert>& alerts) {
  if (alerts.empty()) return;
  for (auto& lane : lanes_) lane->add(alerts);
}

// Alerts of one tenant, since the tenant goes into a header.
std::vector<OutgoingAlert> Notifier::Lane::take_batch() {
  MutexLock lock(mutex_);
  std::vector<OutgoingAlert> batch;
  while (!queue_.empty() && batch.size() < kAlertsPerRequest) {
    if (!batch.empty() && queue_.front().tenant != batch.front().tenant) break;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

void Notifier::Lane::run(std::stop_token stop) {
  while (true) {
    {
      MutexLock lock(mutex_);
      changed_.wait_for(lock, std::chrono::seconds(1), [&] { return !queue_.empty() || stop.stop_requested(); });
      if (queue_.empty() && stop.stop_requested()) return;
    }
    const auto batch = take_batch();
    if (!batch.empty() && !post(batch, stop)) {
      MutexLock lock(mutex_);
      totals_[batch.front().tenant].dropped += batch.size();
    }
    if (stop.stop_requested()) return;
  }
}

bool Notifier::Lane::post(const std::vector<OutgoingAlert>& batch, std::stop_token stop) {
  net::HttpCall call;
  call.method = "POST";
  call.url = url_;
  call.headers = options_.headers;
  call.headers.set("Content-Type", "application/json");
  call.headers.set("X-Scope-OrgId", batch.front().tenant);
  call.body = encode_alerts(batch);
  call.timeout = options_.timeout;
  Duration back_off = options_.first_back_off;
  for (unsigned attempt = 1;; ++attempt) {
    const Outcome outcome = call_once(call, batch);
    if (outcome == Outcome::kTaken) return true;
    if (outcome == Outcome::kRefused || attempt >= options_.tries || stop.stop_requested()) return false;
    wait_for(back_off, stop);
    back_off *= 2;
  }
}

Notifier::Lane::Outcome Notifier::Lane::call_once(const net::HttpCall& call, const std::vector<OutgoingAlert>& batch) {
  const Duration begin = system_clock().steady();
  const auto answer = client_.send(call);
  const Duration time = system_clock().steady() - begin;
  const bool taken = answer && answer->status / 100 == 2;
  {
    MutexLock lock(mutex_);
    NotifierTotals& totals = totals_[batch.front().tenant];
    totals.sent += batch.size();
    totals.errors += taken ? 0 : batch.size();
    ++totals.calls;
    totals.time += time;
  }
  if (taken) return Outcome::kTaken;
  log::warn("alerts", answer ? "an alertmanager refused a batch" : "an alertmanager did not answer",
            {{"url", without_userinfo(url_, "")},
             {"reason", answer ? std::to_string(answer->status) + " " + answer->body : answer.error().message()}});
  return answer && answer->status / 100 == 4 && answer->status != 429 ? Outcome::kRefused : Outcome::kTryAgain;
}

}  // namespace kvasir::alerts
