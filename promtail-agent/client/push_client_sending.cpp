#include <fmt/format.h>
#include <snappy.h>

#include <algorithm>
#include <cmath>

#include "common/log.h"
#include "common/number.h"
#include "promtail-agent/client/push_client.h"
#include "promtail-agent/client/push_queue.h"
#include "promtail-agent/version.h"

namespace kvasir::agent {

namespace {

inline constexpr Duration kUnreadableWait = std::chrono::seconds(5);
inline constexpr Duration kLeftOutWait = std::chrono::seconds(5);  // for entries to go with

std::string first_line(std::string_view body) { return std::string(body.substr(0, 1024).substr(0, body.find('\n'))); }

std::string_view status_text(int status) {
  switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 413: return "Request Entity Too Large";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "";
  }
}

}  // namespace

void PushClient::run() {
  MutexLock lock(mutex_);
  while (finish_by_ != Duration::min()) {
    const Duration now = parts_.clock->steady();
    tell_ages(now);
    if (Tenant* tenant = ready_tenant(now)) {
      send_front(*tenant, lock);
    } else if (Tenant* aged = aged_tenant(now)) {
      aged->open->empty() ? close_without_entries(*aged) : close_batch(*aged);
    } else {
      const Duration wait = std::clamp<Duration>(next_deadline() - now, std::chrono::milliseconds(1), kSenderWaitMax);
      bool woken = false;
      changed_.wait_for(lock, wait, [&] { return std::exchange(woken, true); });
    }
  }
}

void PushClient::tell_ages(Duration now) {
  for (auto& [name, tenant] : tenants_) {
    const Duration oldest = !tenant->queue.empty() ? tenant->queue.front().created
                            : tenant->open         ? tenant->open->created()
                                                   : now;
    tenant->oldest_seconds->set(std::chrono::duration<double>(now - oldest).count());
  }
}

Duration PushClient::wait_of(const Batch& batch) const {
  return batch.empty() ? std::max(parts_.config.batch_wait, kLeftOutWait) : parts_.config.batch_wait;
}

PushClient::Tenant* PushClient::ready_tenant(Duration now) {
  for (auto& [name, tenant] : tenants_) {
    if (!tenant->queue.empty() && tenant->not_before <= now) return tenant.get();
  }
  return nullptr;
}

/// A batch is closed by age only when nothing waits before it: behind a backlog it goes on growing to its full size.
PushClient::Tenant* PushClient::aged_tenant(Duration now) {
  for (auto& [name, tenant] : tenants_) {
    if (!tenant->open || !tenant->queue.empty()) continue;
    if (stopping_ || now - tenant->open->created() >= wait_of(*tenant->open)) return tenant.get();
  }
  return nullptr;
}

Duration PushClient::next_deadline() const {
  Duration next = parts_.clock->steady() + kSenderWaitMax;
  for (const auto& [name, tenant] : tenants_) {
    if (!tenant->queue.empty()) next = std::min(next, tenant->not_before);
    if (tenant->queue.empty() && tenant->open)
      next = std::min(next, tenant->open->created() + wait_of(*tenant->open));
  }
  return next;
}

/// With spool.mode always nothing leaves that is not on disk: after a kill it would be read and sent again under
/// another number. A full spool is no reason to wait: it may be full of what another tenant's server does not take.
bool PushClient::may_send_front(Tenant& tenant) {
  if (parts_.spool_config.mode != SpoolConfig::Mode::kAlways || tenant.queue.front().spooled != 0) return true;
  const auto spooled = spool_in_order(tenant, true);
  const bool wait =
      tenant.queue.front().spooled == 0 && !spooled && spooled.error().code() != ErrorCode::kLimitExceeded;
  if (wait) tenant.not_before = parts_.clock->steady() + kSenderWaitMax;
  return !wait;
}

/// A batch that is damaged or gone is passed by. It stays on disk: the next start reads its lines from their files.
void PushClient::pass_unreadable(Tenant& tenant, const Error& error) {
  const bool damaged = error.code() == ErrorCode::kCorruption || error.code() == ErrorCode::kNotFound;
  log::error("client", damaged ? "a batch on disk is damaged: restart the agent to read its lines again"
                               : "a batch on disk cannot be read, trying again",
             {{"batch", std::to_string(tenant.queue.front().spooled)}, {"error", error.message()}});
  tenant.not_before = parts_.clock->steady() + kUnreadableWait;
  if (!damaged) return;
  spool_errors_->add(1);
  tenant.queue.front().spooled = 0;
  settle_front(tenant);
}

void PushClient::send_front(Tenant& tenant, MutexLock& lock) {
  if (!may_send_front(tenant)) return;
  Prepared& front = tenant.queue.front();
  if (front.body.empty() && front.spooled != 0) {
    auto record = spool_->read(front.spooled);
    if (!record) {
      return pass_unreadable(tenant, record.error());
    }
    front.body = std::move(record->body);
    front.body_bytes = front.body.size();
    tenant.memory_bytes += front.body_bytes;
  }
  tenant.sending = true;
  lock.unlock();
  const Answer answer = attempt(front, tenant.name);
  lock.lock();
  tenant.sending = false;
  after_attempt(tenant, answer);
}

/// Sends once, without the lock. The front of a queue stays in place meanwhile.
PushClient::Answer PushClient::attempt(const Prepared& prepared, const std::string& tenant) {
  net::HttpCall call;
  call.method = "POST";
  call.url = parts_.config.url;
  call.body = prepared.body;
  call.timeout = parts_.config.timeout;
  call.stop = abort_.get_token();
  call.headers.set("Content-Type", "application/x-protobuf");
  call.headers.set("User-Agent", std::string(kUserAgent));
  if (!tenant.empty()) call.headers.set("X-Scope-OrgID", tenant);
  call.headers.set("X-Kvasir-Source", fmt::format("{}/{}/{}", prepared.origin, name(), tenant));
  call.headers.set("X-Kvasir-Range", fmt::format("{}-{}", prepared.sequence, prepared.sequence + 1));
  for (const auto& [header, value] : parts_.config.headers) {
    const bool ours = call.headers.get(header).has_value();
    if (!ours || header == "User-Agent") call.headers.set(header, value);
  }
  const Duration start = parts_.clock->steady();
  const auto response = parts_.http->send(std::move(call));
  const Duration took = parts_.clock->steady() - start;
  Answer answer;
  answer.status = response ? response->status : -1;
  const int status = answer.status;
  Durations& durations = durations_[std::to_string(status)];
  if (durations.shared == nullptr) {
    const Labels labels{{"host", host_}, {"status_code", std::to_string(status)}};
    durations.shared =
        parts_.metrics->histogram("promtail_request_duration_seconds", "Duration of send requests.", labels);
    durations.own = parts_.metrics->histogram("promtail_push_request_duration_seconds",
                                              "Duration of send requests, under a name of its own.", labels);
  }
  for (const SeriesPtr& series : {durations.shared, durations.own})
    series->observe(std::chrono::duration<double>(took).count());
  if (!response) {
    answer.error = response.error().message();
    return answer;
  }
  answer.has_ledger = response->headers.get("X-Kvasir-Ledger").has_value();
  if (status / 100 != 2) {
    answer.error = fmt::format("server returned HTTP status {} {} ({}): {}", status, status_text(status), status,
                        first_line(response->body));
    if (const auto after = response->headers.get("Retry-After")) {
      answer.retry_after = std::chrono::seconds(std::clamp<std::int64_t>(parse_int64(*after).value_or(0), 0, 3600));
    }
  }
  return answer;
}

bool PushClient::may_retry(int status) const {
  if (status == -1 || status / 100 == 5) return true;
  if (status == 429) return !parts_.config.drop_rate_limited_batches;
  const bool operator_error = status == 401 || status == 403 || status == 404 || status == 407 || status == 408;
  return operator_error && parts_.config.retry_auth_errors;
}

void PushClient::after_attempt(Tenant& tenant, const Answer& answer) {
  Prepared& front = tenant.queue.front();
  const int status = answer.status;
  const std::string& error = answer.error;
  if (status / 100 == 2) {
    has_ledger_ = answer.has_ledger ? HasLedger::kYes : HasLedger::kNo;
    sent_bytes_->add(static_cast<double>(front.body_bytes));
    sent_entries_->add(static_cast<double>(front.entries));
    return settle_front(tenant);
  }
  if (finish_by_ == Duration::min()) return;  // aborted: stays in the queue
  if (status == 413 && split_front(tenant)) return;
  if (!may_retry(status)) return give_up(tenant, status, error);
  ++tenant.attempts;
  tenant.retries->add(1);
  const BackoffConfig& backoff = parts_.config.backoff;
  if (backoff.max_retries > 0 && tenant.attempts >= backoff.max_retries) return give_up(tenant, status, error);
  log::warn("client", "error sending batch, will retry",
            {{"host", host_}, {"status", std::to_string(status)}, {"tenant", tenant.name}, {"error", error}});
  const double low = static_cast<double>(backoff.min_period.count()) * std::pow(2.0, std::min(tenant.attempts - 1, 40));
  random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
  const double wait = low * (1 + static_cast<double>(random_ >> 40) / static_cast<double>(1 << 24));
  const Duration capped(static_cast<std::int64_t>(std::min(wait, static_cast<double>(backoff.max_period.count()))));
  tenant.not_before = parts_.clock->steady() + std::max(capped, answer.retry_after);
}

void PushClient::give_up(Tenant& tenant, int status, const std::string& error) {
  const Prepared& front = tenant.queue.front();
  log::error("client", "final error sending batch",
             {{"host", host_}, {"status", std::to_string(status)}, {"tenant", tenant.name}, {"error", error}});
  const DropReason reason = status == 429 ? kRateLimited : kIngesterError;
  tenant.drop(reason, front.entries, front.body_bytes);
  tell_given_up(tenant, kReasonNames[reason]);
  settle_front(tenant);
}

/// What the front covers is told as left out with the next batch. Of a batch in two halves the second says what both
/// cover.
void PushClient::tell_given_up(Tenant& tenant, std::string_view reason) {
  Prepared& front = tenant.queue.front();
  if (front.entries == 0) return;  // it told of nothing else, and nobody listened
  const bool first_half = front.half && front.sequence == 0 && tenant.queue.size() > 1;
  Prepared& teller = first_half ? *std::next(tenant.queue.begin()) : front;
  std::string raw;
  if (!snappy::Uncompress(teller.body.data(), teller.body.size(), &raw)) return;
  auto covers = ingest::decode_covers(take_covers(raw));
  if (!covers || covers->empty()) return;
  if (first_half) {
    tenant.memory_bytes -= teller.body.size();
    teller.body = snappy_block(raw);
    teller.body_bytes = teller.body.size();
    tenant.memory_bytes += teller.body.size();
  }
  for (ingest::FileCover& cover : *covers) {
    cover.left_out.push_back({std::string(reason), std::exchange(cover.entries, 0), std::exchange(cover.stored, {})});
    if (cover.left_out.size() > ingest::kCoverReasonsMax) continue;
    tenant.given_up.push_back(std::move(cover));
  }
  (void)open_batch(tenant);
}

void PushClient::settle_front(Tenant& tenant) {
  Prepared& front = tenant.queue.front();
  front.holds.settle();
  if (front.spooled != 0) {
    spool_->remove(front.spooled);
    spool_bytes_->set(static_cast<double>(spool_->bytes()));
  }
  tenant.memory_bytes -= front.body.size();
  tenant.queue_bytes->set(static_cast<double>(tenant.memory_bytes));
  tenant.queue.pop_front();
  tenant.attempts = 0;
  tenant.not_before = Duration(0);
  room_.notify_all();
  changed_.notify_all();
}

/// 413: the halves take the place of the batch. False if it cannot be cut.
bool PushClient::split_front(Tenant& tenant) {
  Prepared& front = tenant.queue.front();
  std::string raw;
  if (!snappy::Uncompress(front.body.data(), front.body.size(), &raw)) return false;
  const std::vector<std::string> halves = split_push_request(raw);
  if (halves.empty()) {
    tenant.drop(kLineTooLong, front.entries, front.raw_bytes);
    tell_given_up(tenant, kReasonNames[kLineTooLong]);
    settle_front(tenant);
    return true;
  }
  Prepared second;
  second.origin = fmt::format("{}/{}", front.origin, front.sequence);
  second.sequence = 1;
  second.entries = front.entries - front.entries / 2;
  second.raw_bytes = front.raw_bytes / 2;
  second.created = front.created;
  second.body = snappy_block(halves[1]);
  second.body_bytes = second.body.size();
  second.holds = std::move(front.holds);  // the sources wait for the later half
  second.spooled = std::exchange(front.spooled, 0);
  tenant.memory_bytes -= front.body.size();
  front.half = second.half = true;
  front.origin = second.origin;
  front.sequence = 0;
  front.entries /= 2;
  front.body = snappy_block(halves[0]);
  front.body_bytes = front.body.size();
  tenant.memory_bytes += front.body.size() + second.body.size();
  tenant.queue.insert(std::next(tenant.queue.begin()), std::move(second));
  return true;
}

}  // namespace kvasir::agent
