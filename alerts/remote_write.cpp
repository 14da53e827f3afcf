#include "alerts/remote_write.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include <protozero/pbf_writer.hpp>
#include <snappy.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/number.h"
#include "common/url_secrets.h"

namespace kvasir::alerts {
namespace {

constexpr std::uint64_t kRequestBytesMax = 64ULL << 20;
constexpr std::string_view kSuffix = ".pb.snappy";

std::string encode_series(const RecordedSample& sample) {
  std::string series;
  protozero::pbf_writer writer(series);
  for (const auto& label : sample.labels) {
    protozero::pbf_writer pair(writer, 1);
    pair.add_string(1, label.name);
    pair.add_string(2, label.value);
  }
  protozero::pbf_writer value(writer, 2);
  value.add_double(1, sample.value);
  value.add_int64(2, sample.timestamp_ms);
  value.commit();
  return series;
}

// "000000000042-0000000007.pb.snappy": the request's number and its count of samples.
std::optional<std::pair<std::uint64_t, std::uint64_t>> read_name(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  const auto dash = name.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto number = parse_uint64(name.substr(0, dash));
  const auto samples = parse_uint64(name.substr(dash + 1));
  if (!number || !samples) return std::nullopt;
  return std::pair{*number, *samples};
}

// At most once a minute.
bool is_time_to_tell(std::optional<Duration>& told) {
  const Duration now = system_clock().steady();
  if (told && now - *told < std::chrono::minutes(1)) return false;
  told = now;
  return true;
}

}  // namespace

double stale_marker() { return std::bit_cast<double>(std::uint64_t{0x7ff0000000000002}); }

bool is_stale_marker(double value) {
  return std::bit_cast<std::uint64_t>(value) == std::bit_cast<std::uint64_t>(stale_marker());
}

std::string encode_write_request(const std::vector<RecordedSample>& samples) {
  std::string request;
  protozero::pbf_writer writer(request);
  for (const auto& sample : samples) writer.add_message(1, encode_series(sample));
  std::string compressed;
  snappy::Compress(request.data(), request.size(), &compressed);
  return compressed;
}

RemoteWriter::RemoteWriter(RemoteWriteOptions options, Filesystem& filesystem, std::shared_ptr<net::HttpClient> client)
    : options_(std::move(options)), filesystem_(filesystem), client_(std::move(client)) {}

Result<std::unique_ptr<RemoteWriter>> RemoteWriter::open(RemoteWriteOptions options, Filesystem& filesystem,
                                                         std::shared_ptr<net::HttpClient> client) {
  std::unique_ptr<RemoteWriter> writer(new RemoteWriter(std::move(options), filesystem, std::move(client)));
  KVASIR_CHECK_OK(writer->take_up());
  writer->thread_ = std::jthread([raw = writer.get()](std::stop_token stop) { raw->run(stop); });
  return writer;
}

RemoteWriter::~RemoteWriter() {
  thread_.request_stop();
  MutexLock lock(mutex_);  // between its look and its wait the thread would not hear it
  changed_.notify_all();
}

Result<void> RemoteWriter::take_up() {
  KVASIR_CHECK_OK(filesystem_.make_directories(options_.directory));
  KVASIR_TRY(const auto tenants, filesystem_.list(options_.directory));
  std::vector<std::pair<std::uint64_t, Request>> found;
  for (const auto& tenant : tenants) {
    const Path folder = join_path(options_.directory, tenant);
    KVASIR_TRY(const auto folder_status, filesystem_.status(folder));
    if (!folder_status || !folder_status->is_directory) continue;
    KVASIR_TRY(const auto names, filesystem_.list(folder));
    for (const auto& name : names) {
      const auto parts = read_name(name);
      if (!parts) continue;
      KVASIR_TRY(const auto status, filesystem_.status(join_path(folder, name)));
      found.push_back({parts->first, {tenant, join_path(folder, name), status ? status->size : 0, parts->second}});
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  MutexLock lock(mutex_);
  for (auto& [number, request] : found) {
    next_number_ = number + 1;
    push(std::move(request));
  }
  return {};
}

void RemoteWriter::push(Request request) {
  queued_bytes_ += request.bytes;
  RemoteWriteTotals& totals = totals_[request.tenant];
  totals.pending += request.samples;
  totals.pending_bytes += request.bytes;
  queue_.push_back(std::move(request));
}

void RemoteWriter::forget_front() {
  const Request& request = queue_.front();
  queued_bytes_ -= request.bytes;
  RemoteWriteTotals& totals = totals_[request.tenant];
  totals.pending -= request.samples;
  totals.pending_bytes -= request.bytes;
  queue_.pop_front();
}

Result<void> RemoteWriter::add(const std::string& tenant, const std::vector<RecordedSample>& samples) {
  if (samples.empty()) return {};
  MutexLock lock(mutex_);
  auto appended = append(tenant, samples);
  if (!appended) totals_[tenant].dropped += samples.size();
  lock.unlock();
  changed_.notify_one();
  return appended;
}

Result<void> RemoteWriter::append(const std::string& tenant, const std::vector<RecordedSample>& samples) {
  const std::string body = encode_write_request(samples);
  const Path folder = join_path(options_.directory, tenant);
  KVASIR_CHECK_OK(filesystem_.make_directories(folder));
  Request request{tenant, join_path(folder, fmt::format("{:012}-{:010}{}", next_number_++, samples.size(), kSuffix)),
                  body.size(), samples.size()};
  for (const auto& sample : samples) request.newest_ms = std::max(request.newest_ms, sample.timestamp_ms);
  KVASIR_CHECK_OK(write_atomically(filesystem_, request.path, body));
  RemoteWriteTotals& totals = totals_[tenant];
  totals.appended += samples.size();
  totals.newest_ms = std::max(totals.newest_ms, request.newest_ms);
  push(std::move(request));
  drop_over_limit();
  return {};
}

void RemoteWriter::drop_over_limit() {
  while (queued_bytes_ > options_.queue_bytes_max && queue_.size() > 1) {
    (void)filesystem_.remove(queue_.front().path);
    totals_[queue_.front().tenant].dropped += queue_.front().samples;
    forget_front();
    if (!is_time_to_tell(told_full_)) continue;
    log::error("alerts", "the queue for the remote-write receiver is full, the oldest samples are dropped",
               {{"url", without_userinfo(options_.url, "")}, {"bytes", std::to_string(options_.queue_bytes_max)}});
  }
}

RemoteWriteReport RemoteWriter::report() const {
  MutexLock lock(mutex_);
  return {options_.name, without_userinfo(options_.url, ""), totals_};
}

std::optional<RemoteWriter::Request> RemoteWriter::front() {
  MutexLock lock(mutex_);
  if (queue_.empty()) return std::nullopt;
  return queue_.front();
}

void RemoteWriter::finish(const Request& request, Outcome outcome) {
  MutexLock lock(mutex_);
  RemoteWriteTotals& totals = totals_[request.tenant];
  if (outcome == Outcome::kTryAgain) {
    totals.retried += request.samples;
    return;
  }
  totals.sent += request.samples;
  if (outcome == Outcome::kRefused) totals.failed += request.samples;
  totals.newest_sent_ms = std::max(totals.newest_sent_ms, request.newest_ms);
  (void)filesystem_.remove(request.path);  // a file left behind is only sent twice
  if (!queue_.empty() && queue_.front().path == request.path) forget_front();
}

// A receiver that is away would fill the log.
void RemoteWriter::complain(const Request& request, const std::string& reason) {
  if (!is_time_to_tell(told_away_)) return;
  log::warn("alerts", "the remote-write receiver takes no samples, they wait on disk",
            {{"url", without_userinfo(options_.url, "")}, {"tenant", request.tenant}, {"reason", reason}});
}

void RemoteWriter::wait(Duration time, std::stop_token stop) {
  MutexLock lock(mutex_);
  changed_.wait_for(lock, time, [&stop] { return stop.stop_requested(); });
}

void RemoteWriter::run(std::stop_token stop) {
  Duration back_off = options_.back_off_min;
  while (!stop.stop_requested()) {
    const auto request = front();
    if (!request) {
      MutexLock lock(mutex_);
      changed_.wait_for(lock, std::chrono::seconds(1), [&] { return stop.stop_requested() || !queue_.empty(); });
      continue;
    }
    const Outcome outcome = send(*request);
    finish(*request, outcome);
    if (outcome != Outcome::kTryAgain) {
      back_off = options_.back_off_min;
      continue;
    }
    wait(back_off, stop);
    back_off = std::min(back_off * 2, options_.back_off_max);
  }
}

RemoteWriter::Outcome RemoteWriter::send(const Request& request) {
  auto body = filesystem_.read_all(request.path, kRequestBytesMax);
  if (!body && body.error().code() == ErrorCode::kNotFound) return Outcome::kRefused;
  if (!body) {
    complain(request, body.error().message());
    return Outcome::kTryAgain;
  }
  net::HttpCall call;
  call.method = "POST";
  call.url = options_.url;
  call.headers = options_.headers;
  call.headers.set("Content-Encoding", "snappy");
  call.headers.set("Content-Type", "application/x-protobuf");
  call.headers.set("X-Prometheus-Remote-Write-Version", "0.1.0");
  if (options_.add_org_id_header) call.headers.set("X-Scope-OrgID", request.tenant);
  call.body = std::move(*body);
  call.timeout = options_.timeout;
  const auto answer = client_->send(call);
  const std::string reason =
      answer ? fmt::format("{} {}", answer->status, answer->body.substr(0, 300)) : answer.error().message();
  if (!answer || answer->status / 100 == 5 || answer->status == 429) {
    complain(request, reason);
    return Outcome::kTryAgain;
  }
  told_away_.reset();
  if (answer->status / 100 == 2) return Outcome::kTaken;
  log::error("alerts", "the remote-write receiver refused samples, they are dropped",
             {{"url", without_userinfo(options_.url, "")}, {"reason", reason}});
  return Outcome::kRefused;
}

}  // namespace kvasir::alerts
