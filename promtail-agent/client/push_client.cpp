#include "promtail-agent/client/push_client.h"

#include <snappy.h>

#include <algorithm>

#include "common/log.h"
#include "promtail-agent/client/push_queue.h"

namespace kvasir::agent {

namespace {

inline constexpr Duration kStreamIdleLimit = std::chrono::minutes(5);  // max_streams forgets a stream after it

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

}  // namespace

std::string snappy_block(const std::string& raw) {
  std::string out;
  out.resize(snappy::MaxCompressedLength(raw.size()));
  std::size_t size = 0;
  snappy::RawCompress(raw.data(), raw.size(), out.data(), &size);
  out.resize(size);
  out.shrink_to_fit();
  return out;
}

PushClient::PushClient(PushClientParts parts) : parts_(std::move(parts)), host_(host_of(parts_.config.url)) {
  MetricRegistry& metrics = *parts_.metrics;
  const Labels host{{"host", host_}};
  encoded_bytes_ = metrics.counter("promtail_encoded_bytes_total", "Number of bytes encoded and ready to send.", host);
  sent_bytes_ = metrics.counter("promtail_sent_bytes_total", "Number of bytes sent.", host);
  sent_entries_ = metrics.counter("promtail_sent_entries_total", "Number of log entries sent to the ingester.", host);
  spool_bytes_ =
      metrics.gauge("promtail_spool_bytes", "Bytes of batches waiting on disk.", {{"client", parts_.config.name}});
  const Labels client{{"client", parts_.config.name}};
  spool_dropped_ = metrics.counter("promtail_spool_dropped_entries_total",
                                   "Entries dropped because the spool was full (when_full: drop_oldest).", client);
  spool_errors_ = metrics.counter("promtail_spool_errors_total", "Batches that could not be written to disk.", client);
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
    prepared.created = parts_.clock->steady();
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
    slot->oldest_seconds = metrics.gauge("promtail_queue_oldest_seconds",
                                         "Age of the oldest batch that is not acknowledged, since this start.",
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

void PushClient::count_too_long(bool dropped, std::uint64_t entries, std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  Tenant& tenant = tenant_of(parts_.config.tenant_id);
  if (dropped) return tenant.drop(kLineTooLong, entries, bytes);
  tenant.mutated_entries[kLineTooLong]->add(static_cast<double>(entries));
  tenant.mutated_bytes[kLineTooLong]->add(static_cast<double>(bytes));
}

bool PushClient::push(const Entry& entry, const std::atomic<bool>& cancelled) {
  MutexLock lock(mutex_);
  Tenant& tenant = tenant_of(stream_of(*entry.labels()).tenant);
  if (stopping_ || !wait_for_room(tenant, cancelled, lock, !entry.sources().empty())) return false;
  const Stream& stream = stream_of(*entry.labels());  // others may have thrown it out during the wait
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

bool PushClient::wait_for_room(Tenant& tenant, const std::atomic<bool>& cancelled, MutexLock& lock, bool has_position) {
  const std::uint64_t limit = parts_.spool_config.memory_bytes_max;
  // A request that was let in is taken whole, also when others have filled the queue since.
  const std::uint64_t more = has_position ? 0 : tenant.request_bytes_max;
  const auto room = [&] { return tenant.memory_bytes < limit + more; };
  if (room()) return true;
  room_.wait(lock, [&] { return stopping_ || cancelled || room(); });
  return !stopping_ && !cancelled;
}

bool PushClient::wait_for_room(const std::string& name, std::uint64_t bytes, Duration limit) {
  MutexLock lock(mutex_);
  const std::string& asked = name.empty() ? parts_.config.tenant_id : name;
  if (tenants_.size() >= kTenantsMax && !tenants_.contains(asked)) return false;
  Tenant& tenant = tenant_of(asked);
  const std::uint64_t bytes_max = parts_.spool_config.memory_bytes_max;
  const auto room = [&] {
    if (spool_ != nullptr) return tenant.memory_bytes < bytes_max;
    const std::uint64_t waiting = tenant.memory_bytes + (tenant.open ? tenant.open->bytes() : 0);
    return waiting == 0 || waiting + bytes <= bytes_max;
  };
  const bool only_open = tenant.open && !tenant.open->empty() && tenant.queue.empty();
  if (!room() && only_open) close_batch(tenant);  // sent while we wait
  room_.wait_for(lock, limit, [&] { return stopping_ || room(); });
  if (stopping_ || !room()) return false;
  tenant.request_bytes_max = std::max(tenant.request_bytes_max, bytes);
  return true;
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
  prepared.created = batch.created();
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
      spool_errors_->add(1);
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
  spool_dropped_->add(static_cast<double>(victim->entries));
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
      changed_.wait_for(lock, std::min<Duration>(deadline - parts_.clock->steady(), kSenderWaitMax), done);
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

}  // namespace kvasir::agent
