#include "promtail-agent/client/push_client.h"

#include <fmt/format.h>
#include <snappy.h>

#include <algorithm>
#include <cmath>
#include <list>

#include "common/log.h"
#include "common/number.h"
#include "promtail-agent/version.h"

namespace kvasir::agent {

namespace {

inline constexpr Duration kStreamIdleLimit = std::chrono::minutes(5);  // max_streams forgets a stream after it
inline constexpr Duration kWaitMax = std::chrono::seconds(1);
inline constexpr Duration kLeftOutWait = std::chrono::seconds(5);  // for entries to go with

enum DropReason : std::size_t { kIngesterError, kRateLimited, kStreamLimited, kLineTooLong, kDropReasons };
constexpr std::string_view kReasonNames[kDropReasons] = {"ingester_error", "rate_limited", "stream_limited",
                                                         "line_too_long"};

std::string snappy_block(const std::string& raw) {
  std::string out;
  out.resize(snappy::MaxCompressedLength(raw.size()));
  std::size_t size = 0;
  snappy::RawCompress(raw.data(), raw.size(), out.data(), &size);
  out.resize(size);
  out.shrink_to_fit();
  return out;
}

std::string host_of(const std::string& url) {
  const std::size_t start = url.find("://") == std::string::npos ? 0 : url.find("://") + 3;
  std::string host = url.substr(start, url.find_first_of("/?", start) - start);
  return host.substr(host.rfind('@') == std::string::npos ? 0 : host.rfind('@') + 1);
}

/// At most `limit` bytes, cut between code points.
std::string_view cut_line(std::string_view line, std::uint64_t limit) {
  std::string_view cut = line.substr(0, limit);
  while (!cut.empty() && cut.size() < line.size() && (static_cast<unsigned char>(line[cut.size()]) & 0xc0) == 0x80) {
    cut.remove_suffix(1);
  }
  return cut.empty() ? line.substr(0, limit) : cut;
}

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

/// A batch that has been encoded.
struct PushClient::Prepared {
  std::string origin;
  std::uint64_t sequence = 0;
  std::uint64_t entries = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t body_bytes = 0;
  std::string body;            // empty if it is only on disk
  std::uint64_t spooled = 0;   // its number there; 0: not on disk
  SourceHolds holds;           // empty once spooled
  bool half = false;           // of a batch that was too large for the server; its whole may be on disk
};

struct PushClient::Tenant {
  std::string name;
  SeriesPtr dropped_entries[kDropReasons];
  SeriesPtr dropped_bytes[kDropReasons];
  SeriesPtr mutated_entries[kDropReasons];
  SeriesPtr mutated_bytes[kDropReasons];
  SeriesPtr retries, queue_bytes;
  std::optional<Batch> open;
  std::list<Prepared> queue;             // references to the front stay good while others come and go
  std::uint64_t memory_bytes = 0;  // bodies in the queue
  std::uint64_t sequence = 0;
  int attempts = 0;                // of the front
  int last_status = 0;
  Duration not_before{0};
  bool sending = false;
  std::vector<ingest::FileCover> given_up;  // to be told with the next batch
  std::unordered_map<std::uint64_t, Duration> active_streams;  // by hash, last use; only with max_streams

  void drop(DropReason reason, std::uint64_t entries, std::uint64_t bytes) {
    dropped_entries[reason]->add(static_cast<double>(entries));
    dropped_bytes[reason]->add(static_cast<double>(bytes));
  }
};

PushClient::PushClient(PushClientParts parts) : parts_(std::move(parts)), host_(host_of(parts_.config.url)) {
  MetricRegistry& metrics = *parts_.metrics;
  const Labels host{{"host", host_}};
  encoded_bytes_ = metrics.counter("promtail_encoded_bytes_total", "Number of bytes encoded and ready to send.", host);
  sent_bytes_ = metrics.counter("promtail_sent_bytes_total", "Number of bytes sent.", host);
  sent_entries_ = metrics.counter("promtail_sent_entries_total", "Number of log entries sent to the ingester.", host);
  spool_bytes_ =
      metrics.gauge("promtail_spool_bytes", "Bytes of batches waiting on disk.", {{"client", parts_.config.name}});
  random_ = parts_.seed | 1;
}

void PushClient::start(std::unique_ptr<Spool> spool) {
  const MutexLock lock(mutex_);
  spool_ = std::move(spool);
  restore_spooled();
  thread_ = std::thread([this] { run(); });
  started_ = true;
}

PushClient::~PushClient() {
  request_stop();
  finish(Duration(0));
}

void PushClient::restore_spooled() {
  if (spool_ == nullptr) return;
  for (const Spool::Found& found : spool_->found()) {
    Prepared prepared;
    prepared.origin = found.record.origin;
    prepared.sequence = found.record.sequence;
    prepared.entries = found.record.entries;
    prepared.raw_bytes = found.record.raw_bytes;
    prepared.spooled = found.number;
    tenant_of(found.record.tenant).queue.push_back(std::move(prepared));
  }
  spool_bytes_->set(static_cast<double>(spool_->bytes()));
}

PushClient::Tenant& PushClient::tenant_of(const std::string& name) {
  if (last_tenant_ != nullptr && last_tenant_->name == name) return *last_tenant_;
  auto& slot = tenants_[name];
  if (slot == nullptr) {
    slot = std::make_unique<Tenant>();
    slot->name = name;
    MetricRegistry& metrics = *parts_.metrics;
    for (std::size_t reason = 0; reason < kDropReasons; ++reason) {
      const Labels labels{{"host", host_}, {"reason", std::string(kReasonNames[reason])}, {"tenant", name}};
      slot->dropped_entries[reason] = metrics.counter(
          "promtail_dropped_entries_total",
          "Number of log entries dropped because failed to be sent to the ingester after all retries.", labels);
      slot->dropped_bytes[reason] = metrics.counter(
          "promtail_dropped_bytes_total",
          "Number of bytes dropped because failed to be sent to the ingester after all retries.", labels);
      slot->mutated_entries[reason] = metrics.counter(
          "promtail_mutated_entries_total", "The total number of log entries that have been mutated.", labels);
      slot->mutated_bytes[reason] = metrics.counter("promtail_mutated_bytes_total",
                                                    "The total number of bytes that have been mutated.", labels);
    }
    slot->retries = metrics.counter("promtail_batch_retries_total", "Number of times batches has had to be retried.",
                                    {{"host", host_}, {"tenant", name}});
    slot->queue_bytes = metrics.gauge("promtail_queue_bytes", "Encoded bytes waiting in memory.",
                                      {{"client", parts_.config.name}, {"tenant", name}});
  }
  last_tenant_ = slot.get();
  return *slot;
}

const PushClient::Stream& PushClient::stream_of(const LabelSet& labels) {
  const auto found = streams_.find(labels.id);
  if (found != streams_.end()) return found->second;
  if (streams_.size() >= kStreamsCachedMax) streams_.clear();
  std::vector<Label> pairs;
  std::string tenant = parts_.config.tenant_id;
  for (const auto& label : labels.labels) {
    if (label.name == kTenantLabel) {
      tenant = label.value;
    } else {
      pairs.push_back(label);
    }
  }
  for (const auto& [name, value] : parts_.config.external_labels) {
    if (!labels.labels.has(name)) pairs.push_back({name, value});
  }
  const Labels wire = Labels::from_unsorted(std::move(pairs));
  return streams_.emplace(labels.id, Stream{wire.to_string(), std::move(tenant), wire.fingerprint().value})
      .first->second;
}

/// True if the stream may be sent under max_streams.
bool PushClient::admit_stream(Tenant& tenant, const Stream& stream) {
  const int limit = parts_.limits.max_streams;
  if (limit <= 0) return true;
  const Duration now = parts_.clock->steady();
  const auto known = tenant.active_streams.find(stream.hash);
  if (known == tenant.active_streams.end()) {
    if (tenant.active_streams.size() >= static_cast<std::size_t>(limit)) {
      std::erase_if(tenant.active_streams, [&](const auto& item) { return now - item.second > kStreamIdleLimit; });
    }
    if (tenant.active_streams.size() >= static_cast<std::size_t>(limit)) return false;
  }
  tenant.active_streams[stream.hash] = now;
  return true;
}

/// The line as max_line_size lets it pass, or an empty optional if it is dropped.
std::optional<std::string_view> PushClient::fit_line(Tenant& tenant, std::string_view line) {
  const std::uint64_t limit = parts_.limits.max_line_size;
  if (limit == 0 || line.size() <= limit) return line;
  if (!parts_.limits.max_line_size_truncate) {
    tenant.drop(kLineTooLong, 1, line.size());
    return std::nullopt;
  }
  const std::string_view cut = cut_line(line, limit);
  tenant.mutated_entries[kLineTooLong]->add(1);
  tenant.mutated_bytes[kLineTooLong]->add(static_cast<double>(line.size() - cut.size()));
  return cut;
}

bool PushClient::push(const Entry& entry, const std::atomic<bool>& cancelled) {
  MutexLock lock(mutex_);
  const Stream& stream = stream_of(*entry.labels());
  Tenant& tenant = tenant_of(stream.tenant);
  if (stopping_ || !wait_for_room(tenant, cancelled, lock)) return false;
  const auto leave_out_as = [&](DropReason reason) {
    for (const SourceRange& range : entry.sources())
      open_batch(tenant).holds().leave_out(range, kReasonNames[reason], *parts_.progress);
    return true;
  };
  const auto line = fit_line(tenant, entry.line());
  if (!line) return leave_out_as(kLineTooLong);
  if (!admit_stream(tenant, stream)) {
    tenant.drop(kStreamLimited, 1, line->size());
    return leave_out_as(kStreamLimited);
  }
  const std::uint64_t size = entry_size(*line, entry.metadata());
  if (tenant.open && tenant.open->bytes() + size > parts_.config.batch_bytes) close_batch(tenant);
  Batch& batch = open_batch(tenant);
  batch.add(stream.text, entry, *line);
  for (const SourceRange& range : entry.sources()) batch.holds().add(range, *parts_.progress);
  return true;
}

Batch& PushClient::open_batch(Tenant& tenant) {
  if (!tenant.open) {
    tenant.open.emplace(parts_.clock->steady());
    changed_.notify_one();
  }
  return *tenant.open;
}

void PushClient::leave_out(std::span<const SourceRange> ranges, std::string_view reason) {
  const MutexLock lock(mutex_);
  if (stopping_) return;
  Tenant& tenant = tenant_of(parts_.config.tenant_id);
  if (has_ledger_ == HasLedger::kNo && (!tenant.open || tenant.open->empty())) return;
  for (const SourceRange& range : ranges) open_batch(tenant).holds().leave_out(range, reason, *parts_.progress);
}

bool PushClient::wait_for_room(Tenant& tenant, const std::atomic<bool>& cancelled, MutexLock& lock) {
  const std::uint64_t limit = parts_.spool_config.memory_bytes_max;
  if (tenant.memory_bytes < limit) return true;
  room_.wait(lock, [&] { return stopping_ || cancelled || tenant.memory_bytes < limit; });
  return !stopping_ && !cancelled;
}

void PushClient::wake() {
  const MutexLock lock(mutex_);
  room_.notify_all();
}

/// Only to say what was left out; a server that keeps no ledger is not asked to take nothing.
void PushClient::close_without_entries(Tenant& tenant) {
  if (has_ledger_ == HasLedger::kYes) return close_batch(tenant);
  tenant.open->holds().settle();
  tenant.open.reset();
  tenant.given_up.clear();
  changed_.notify_all();
}

void PushClient::close_batch(Tenant& tenant) {
  Batch& batch = *tenant.open;
  std::vector<ingest::FileCover> covers = batch.holds().take_covers(parts_.agent);
  covers.insert(covers.end(), tenant.given_up.begin(), tenant.given_up.end());
  tenant.given_up.clear();
  Prepared prepared;
  prepared.origin = parts_.origin;
  prepared.sequence = tenant.sequence++;
  prepared.entries = batch.entries();
  prepared.raw_bytes = batch.bytes();
  prepared.holds = std::move(batch.holds());
  std::string raw = batch.encode();
  if (covers.size() <= ingest::kCoverFilesMax) raw += ingest::encode_covers(covers);
  tenant.open.reset();  // before the next copy is made: lines may be long
  prepared.body = snappy_block(raw);
  prepared.body_bytes = prepared.body.size();
  encoded_bytes_->add(static_cast<double>(prepared.body_bytes));
  enqueue(tenant, std::move(prepared));
}

void PushClient::enqueue(Tenant& tenant, Prepared prepared) {
  const bool memory_full = tenant.memory_bytes + prepared.body_bytes > parts_.spool_config.memory_bytes_max;
  const bool behind_disk = !tenant.queue.empty() && tenant.queue.back().body.empty();
  const bool keep_body = !memory_full && !behind_disk;
  if (parts_.spool_config.mode == SpoolConfig::Mode::kOverflow && !keep_body) (void)to_spool(tenant, prepared, false);
  tenant.memory_bytes += prepared.body.size();
  tenant.queue.push_back(std::move(prepared));
  if (parts_.spool_config.mode == SpoolConfig::Mode::kAlways) (void)spool_in_order(tenant, keep_body);
  tenant.queue_bytes->set(static_cast<double>(tenant.memory_bytes));
  changed_.notify_one();
}

/// Puts on disk what is not there yet, the oldest first: the positions in a batch count on all before it being known
/// too.
Result<void> PushClient::spool_in_order(Tenant& tenant, bool keep_body) {
  auto at = tenant.queue.end();
  while (at != tenant.queue.begin() && std::prev(at)->spooled == 0) --at;
  for (; at != tenant.queue.end(); ++at) {
    if (at->half || at->spooled != 0) continue;
    const std::uint64_t before = at->body.size();
    const bool on_its_way = tenant.sending && at == tenant.queue.begin();
    KVASIR_CHECK_OK(to_spool(tenant, *at, keep_body || on_its_way));
    tenant.memory_bytes -= before - at->body.size();
  }
  return {};
}

Result<void> PushClient::to_spool(Tenant& tenant, Prepared& prepared, bool keep_body) {
  if (spool_ == nullptr) return {};
  SpoolRecord record{prepared.origin,    prepared.sequence,  tenant.name, prepared.entries,
                     prepared.raw_bytes, prepared.holds.after_settling(parts_.sole), prepared.body};
  auto number = spool_->append(record);
  while (!number && number.error().code() == ErrorCode::kLimitExceeded && parts_.spool_config.drop_oldest &&
         tenant.queue.size() > 1 && std::next(tenant.queue.begin())->spooled != 0) {
    drop_oldest(tenant);
    number = spool_->append(record);
  }
  if (!number) {
    if (number.error().code() != ErrorCode::kLimitExceeded) {
      log::warn("client", "cannot write to the spool", {{"error", number.error().message()}});
    }
    return fail(number.error());
  }
  prepared.spooled = *number;
  prepared.holds.settle();
  if (!keep_body) prepared.body = {};
  spool_bytes_->set(static_cast<double>(spool_->bytes()));
  return {};
}

/// The front may be on its way; the one behind it goes.
void PushClient::drop_oldest(Tenant& tenant) {
  const auto victim = std::next(tenant.queue.begin());
  tenant.drop(kIngesterError, victim->entries, victim->raw_bytes);
  spool_->remove(victim->spooled);
  tenant.memory_bytes -= victim->body.size();
  tenant.queue.erase(victim);
}

void PushClient::request_stop() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  room_.notify_all();
  changed_.notify_all();
}

void PushClient::finish(Duration deadline) {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    finish_by_ = deadline;
    changed_.notify_all();
    const auto done = [&] { return all_empty(); };
    while (!done() && parts_.clock->steady() < deadline) {
      changed_.wait_for(lock, std::min<Duration>(deadline - parts_.clock->steady(), kWaitMax), done);
    }
    finish_by_ = Duration::min();
    abort_.request_stop();
    changed_.notify_all();
  }
  thread_.join();
  const MutexLock lock(mutex_);
  for (auto& [name, tenant] : tenants_) {
    if (tenant->open) tenant->open->empty() ? close_without_entries(*tenant) : close_batch(*tenant);
    if (parts_.spool_config.mode == SpoolConfig::Mode::kAlways) {
      (void)spool_in_order(*tenant, false);
      continue;
    }
    for (Prepared& prepared : tenant->queue) {
      if (prepared.spooled == 0) (void)to_spool(*tenant, prepared, false);
    }
  }
}

bool PushClient::all_empty() const {
  return std::all_of(tenants_.begin(), tenants_.end(), [](const auto& item) {
    return item.second->queue.empty() && !item.second->open;
  });
}

void PushClient::run() {
  MutexLock lock(mutex_);
  while (finish_by_ != Duration::min()) {
    const Duration now = parts_.clock->steady();
    if (Tenant* tenant = ready_tenant(now)) {
      send_front(*tenant, lock);
    } else if (Tenant* aged = aged_tenant(now)) {
      aged->open->empty() ? close_without_entries(*aged) : close_batch(*aged);
    } else {
      const Duration wait = std::clamp<Duration>(next_deadline() - now, std::chrono::milliseconds(1), kWaitMax);
      bool woken = false;
      changed_.wait_for(lock, wait, [&] { return std::exchange(woken, true); });
    }
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
  Duration next = parts_.clock->steady() + kWaitMax;
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
  if (wait) tenant.not_before = parts_.clock->steady() + kWaitMax;
  return !wait;
}

void PushClient::send_front(Tenant& tenant, MutexLock& lock) {
  if (!may_send_front(tenant)) return;
  Prepared& front = tenant.queue.front();
  if (front.body.empty() && front.spooled != 0) {
    auto record = spool_->read(front.spooled);
    if (!record) {
      log::error("client", "a spooled batch cannot be read", {{"error", record.error().message()}});
      return give_up(tenant, 0, record.error().message());
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
  SeriesPtr& series = durations_[std::to_string(status)];
  if (series == nullptr) {
    series = parts_.metrics->histogram("promtail_request_duration_seconds", "Duration of send requests.",
                                       {{"host", host_}, {"status_code", std::to_string(status)}});
  }
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
  tenant.last_status = status;
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
