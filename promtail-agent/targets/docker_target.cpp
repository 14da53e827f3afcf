#include "promtail-agent/targets/docker_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/json_writer.h"
#include "common/log.h"
#include "common/number.h"
#include "promtail-agent/discovery/docker_containers.h"
#include "promtail-agent/targets/target_list.h"

namespace kvasir::agent {

namespace {
inline constexpr std::size_t kLineBytesDefault = 256 << 10;
inline constexpr Duration kTickInterval = std::chrono::milliseconds(200);
inline constexpr Duration kFollowTimeout = std::chrono::hours(24 * 365);
std::string filters_json(const DockerSdConfig& config) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  for (const auto& filter : config.filters) {
    json.key(filter.name).begin_array();
    for (const auto& value : filter.values) json.string(value);
    json.end_array();
  }
  json.end_object();
  return out;
}

}  // namespace

struct DockerTarget::Container {
  std::string id;
  Labels labels;
  Host* host = nullptr;
  ProgressPtr progress;
  std::uint64_t next_number = 0;
  TimestampNs last;               // of the newest line taken
  std::uint64_t last_count = 0;   // lines that had it
  TimestampNs skip_until;         // lines up to here were sent before
  std::uint64_t skip_count = 0;   // of those with exactly that time
  std::atomic<bool> ended{false};
  bool told = false;              // that its lines have no label
  std::thread thread;
  Mutex mutex;
  struct Mark {
    std::uint64_t number;
    TimestampNs timestamp;
    std::uint64_t count;
  };
  std::deque<Mark> marks KVASIR_GUARDED_BY(mutex);
};

DockerTarget::DockerTarget(JobParts parts) : parts_(std::move(parts)) {}

Result<std::unique_ptr<DockerTarget>> DockerTarget::create(JobParts parts) {
  std::unique_ptr<DockerTarget> target(new DockerTarget(std::move(parts)));
  for (const DockerSdConfig& config : target->parts_.config.docker_sd) {
    Host host;
    host.config = config;
    std::string socket;
    if (config.host.starts_with("unix://")) {
      socket = config.host.substr(7);
      host.base = "http://docker";
    } else if (config.host.starts_with("tcp://")) {
      host.base = "http://" + config.host.substr(6);
    } else {
      host.base = config.host;
    }
    while (host.base.ends_with('/')) host.base.pop_back();
    KVASIR_TRY(host.http, HttpSender::create(config.http, socket, *target->parts_.services.clock));
    target->hosts_.push_back(std::move(host));
  }
  MetricRegistry& metrics = *target->parts_.services.metrics;
  target->entries_ = metrics.counter("promtail_docker_target_entries_total",
                                     "Total number of successful entries sent to the Docker target");
  target->parsing_errors_ = metrics.counter("promtail_docker_target_parsing_errors_total",
                                            "Total number of parsing errors while receiving Docker messages");
  return target;
}

DockerTarget::~DockerTarget() {
  stop();
  if (collector_ != 0) parts_.services.positions->remove_collector(collector_);
}

Result<void> DockerTarget::start() {
  collector_ = parts_.services.positions->add_collector([this](Positions& positions) { collect(positions); });
  thread_ = std::thread([this] { run(); });
  return {};
}

void DockerTarget::request_stop() {
  const MutexLock lock(mutex_);
  stop_.request_stop();
  wake_.notify_all();
}

void DockerTarget::stop() {
  request_stop();
  if (!thread_.joinable()) return;
  thread_.join();
  std::vector<Container*> all;
  {
    const MutexLock lock(mutex_);
    for (auto& [id, container] : containers_) all.push_back(container.get());
  }
  for (Container* container : all) {
    if (container->thread.joinable()) container->thread.join();
  }
  const MutexLock lock(pipeline_mutex_);
  parts_.feeder->close();
}

std::vector<TargetStatus> DockerTarget::status() const {
  const MutexLock lock(mutex_);
  std::vector<TargetStatus> all;
  for (const auto& [id, container] : containers_) {
    TargetStatus& status = all.emplace_back();
    status.type = "Docker";
    status.ready = !container->ended;
    status.discovered = container->labels;
    status.details = {{"container", id}};
  }
  return all;
}

void DockerTarget::run() {
  Duration next_refresh{0};
  std::string told;
  while (!stop_.stop_requested()) {
    const Duration now = parts_.services.clock->steady();
    if (now >= next_refresh) {
      Duration interval = std::chrono::minutes(5);
      for (Host& host : hosts_) {
        interval = std::min(interval, host.config.refresh_interval);
        auto refreshed = refresh(host);
        if (!refreshed && refreshed.error().message() != told) {
          told = refreshed.error().message();
          log::error("docker", "cannot list containers", {{"host", host.config.host}, {"error", told}});
        }
      }
      next_refresh = now + interval;
    }
    {
      const MutexLock lock(pipeline_mutex_);
      parts_.feeder->tick();
    }
    MutexLock lock(mutex_);
    wake_.wait_for(lock, kTickInterval, [this] { return stop_.stop_requested(); });
  }
}

Result<std::string> DockerTarget::get(Host& host, const std::string& path) {
  net::HttpCall call;
  call.url = host.base + path;
  call.stop = stop_.get_token();
  KVASIR_TRY(net::HttpResponse response, host.http->send(std::move(call)));
  if (response.status != 200)
    return fail(ErrorCode::kUnavailable, fmt::format("docker: {} answered {}", path, response.status));
  return std::move(response.body);
}

Result<void> DockerTarget::refresh(Host& host) {
  KVASIR_TRY(const std::string json,
             get(host, "/containers/json?filters=" + net::percent_encode(filters_json(host.config))));
  KVASIR_TRY(const std::string networks_json, get(host, "/networks"));
  KVASIR_TRY(const auto networks, parse_networks(networks_json));
  KVASIR_TRY(const auto listed, parse_containers(json, networks, host.config));
  const MutexLock lock(mutex_);
  forget_gone(host, listed);
  for (const DockerContainer& found : listed) {
    auto& slot = containers_[found.id];
    if (slot != nullptr && !slot->ended) continue;
    if (slot == nullptr && containers_.size() > kContainersMax) {
      containers_.erase(found.id);
      continue;
    }
    if (slot == nullptr) {
      slot = std::make_unique<Container>();
      slot->id = found.id;
      slot->progress = parts_.services.progress->create("docker/" + found.id, 0);
      const std::string key = "cursor-" + found.id;
      const std::string exact = parts_.services.positions->get(key + "-ns").value_or("");
      const std::int64_t seconds = parse_int64(parts_.services.positions->get(key).value_or("0")).value_or(0);
      const std::size_t dot = exact.find('.');
      slot->skip_until = TimestampNs{parse_int64(exact.substr(0, dot)).value_or(0)};
      slot->skip_count = dot == std::string::npos ? 0 : parse_uint64(exact.substr(dot + 1)).value_or(0);
      if (slot->skip_until.value / 1'000'000'000 != seconds) slot->skip_until = TimestampNs{seconds * 1'000'000'000};
      slot->last = slot->skip_until;
    } else {
      slot->thread.join();
      slot->skip_until = slot->last;
      slot->skip_count = slot->last_count;
    }
    slot->labels = found.labels;
    slot->host = &host;
    slot->ended = false;
    Container* container = slot.get();
    slot->thread = std::thread([this, container] { follow(*container); });
  }
  return {};
}

/// Containers that the host does not have any more, once all their lines are delivered and their cursors told.
void DockerTarget::forget_gone(const Host& host, const std::vector<DockerContainer>& listed) {
  std::erase_if(containers_, [&](auto& known) {
    Container& container = *known.second;
    if (container.host != &host || !container.ended) return false;
    const auto same = [&](const DockerContainer& one) { return one.id == container.id; };
    if (std::any_of(listed.begin(), listed.end(), same)) return false;
    {
      const MutexLock lock(container.mutex);
      if (!container.marks.empty()) return false;
    }
    if (container.thread.joinable()) container.thread.join();
    return true;
  });
}

void DockerTarget::follow(Container& container) {
  Host& host = *container.host;
  const auto inspected = get(host, "/containers/" + container.id + "/json");
  const bool tty = inspected && inspected->find("\"Tty\":true") != std::string::npos;
  net::HttpCall call;
  const std::int64_t since = container.skip_until.value;
  call.url = fmt::format("{}/containers/{}/logs?follow=1&stdout=1&stderr=1&timestamps=1&since={}.{:09}", host.base,
                         container.id, since / 1'000'000'000, since % 1'000'000'000);
  call.timeout = kFollowTimeout;
  call.stop = stop_.get_token();
  const std::uint64_t asked = parts_.limits.max_line_size;
  DockerStream stream(tty, asked != 0 ? static_cast<std::size_t>(asked) : kLineBytesDefault);
  std::uint64_t broken = 0;
  const auto ended = host.http->stream(std::move(call), [&](const net::HttpResponse& head, std::string_view piece) {
    if (head.status != 200) return false;
    stream.feed(piece, [&](const DockerLine& line) { take(container, line); });
    parsing_errors_->add(static_cast<double>(stream.broken() - broken));
    broken = stream.broken();
    return !stop_.stop_requested();
  });
  if (!ended && !stop_.stop_requested()) {
    log::warn("docker", "log stream ended", {{"container", container.id}, {"error", ended.error().message()}});
  }
  container.ended = true;
}

void DockerTarget::take(Container& container, const DockerLine& line) {
  if (line.timestamp < container.skip_until) return;
  if (line.timestamp == container.skip_until && container.skip_count > 0) {
    --container.skip_count;
    return;
  }
  container.last_count = line.timestamp == container.last ? container.last_count + 1 : 1;
  container.last = line.timestamp;
  const std::uint64_t number = container.next_number++;
  {
    const MutexLock lock(container.mutex);
    container.marks.push_back({number, line.timestamp, container.last_count});
  }
  Labels labels = container.labels;
  labels.set("__meta_docker_container_log_stream", line.error_stream ? "stderr" : "stdout");
  const auto relabelled = parts_.relabeler.apply(labels);
  const Labels kept = relabelled ? without_internal(*relabelled) : Labels();
  if (kept.empty()) {
    container.progress->set_read(number + 1);
    if (relabelled && !std::exchange(container.told, true)) {
      log::warn("docker", "no label is left, dropping the lines of a container", {{"container", container.id}});
    }
    return;
  }
  const MutexLock lock(pipeline_mutex_);
  entries_->add(1);
  if (!parts_.feeder->feed(*container.progress, label_sets_.intern(kept), line.timestamp, line.text, number,
                           number + 1)) {
    stop_.request_stop();
  }
}

void DockerTarget::collect(Positions& positions) {
  const MutexLock lock(mutex_);
  for (auto& [id, container] : containers_) {
    const std::uint64_t done = container->progress->committable();
    const MutexLock marks_lock(container->mutex);
    std::optional<Container::Mark> mark;
    while (!container->marks.empty() && container->marks.front().number < done) {
      mark = container->marks.front();
      container->marks.pop_front();
    }
    if (!mark) continue;
    positions.put("cursor-" + id, std::to_string(mark->timestamp.value / 1'000'000'000));
    positions.put("cursor-" + id + "-ns", fmt::format("{}.{}", mark->timestamp.value, mark->count));
  }
}

}  // namespace kvasir::agent
