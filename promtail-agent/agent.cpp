#include "promtail-agent/agent.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "common/log.h"
#include "promtail-agent/builtin_metrics.h"
#include "promtail-agent/dry_run.h"
#include "promtail-agent/inspect.h"
#include "promtail-agent/pages.h"
#include "promtail-agent/version.h"

namespace kvasir::agent {

namespace {

inline constexpr Duration kSourcePatience = std::chrono::seconds(2);  // for sources that wait for a full queue

std::string spool_directory(const Config& config, const ClientConfig& client) {
  const std::string root =
      config.spool.directory.empty() ? config.positions.filename + ".spool" : config.spool.directory;
  return join_path(root, client.name);
}

/// Two clients that may stand for each other across a reload.
bool same_client(const ClientConfig& a, const ClientConfig& b, const Config& old, const Config& now) {
  return client_identity(a) == client_identity(b) && old.limits.max_line_size == now.limits.max_line_size &&
         old.limits.max_streams == now.limits.max_streams &&
         old.limits.max_line_size_truncate == now.limits.max_line_size_truncate &&
         old.spool.mode == now.spool.mode && spool_directory(old, a) == spool_directory(now, b);
}

/// Batches of a client that is not configured any more are for nobody.
void warn_of_lost_spools(const Config& config) {
  if (config.spool.mode == SpoolConfig::Mode::kOff || config.clients.empty()) return;
  const std::string root = parent_directory(spool_directory(config, config.clients.front()));
  const auto names = posix_filesystem().list(root);
  if (!names) return;
  for (const std::string& name : *names) {
    const bool known = std::any_of(config.clients.begin(), config.clients.end(),
                                   [&](const ClientConfig& client) { return client.name == name; });
    const auto batches = known ? Result<std::vector<std::string>>() : posix_filesystem().list(join_path(root, name));
    if (!batches || batches->empty()) continue;
    log::warn("spool", "batches of a client that is not configured stay on disk: name a client like the folder",
              {{"folder", join_path(root, name)}, {"batches", std::to_string(batches->size())}});
  }
}

}  // namespace

Agent::Agent(Flags flags, Config config)
    : flags_(std::move(flags)), clock_(system_clock()), metrics_(clock_), running_(std::make_shared<Running>()) {
  running_->config = std::move(config);
  register_builtin_names(metrics_);
  origin_ = fmt::format("{}-{:x}-{:x}", own_hostname(), ::getpid(), clock_.now().value);
  reload_success_ = metrics_.counter("promtail_config_reload_success_total", "Number of reload success times.");
  reload_fail_ = metrics_.counter("promtail_config_reload_fail_total", "Number of reload fail times.");
  spool_damaged_ = metrics_.counter("promtail_spool_damaged_total", "Spool records that could not be read.");
  state_damaged_ = metrics_.counter("promtail_state_damaged_total", "Files of what is known about files, damaged.");
  if (flags_.inspect) observer_ = std::make_unique<InspectPrinter>();
  describe_build();
}

Agent::~Agent() { stop(); }

void Agent::describe_build() {
  metrics_
      .gauge("promtail_build_info", "A metric with a constant '1' value labeled by version of the agent.",
             Labels{{"branch", ""},
                    {"goarch", "amd64"},
                    {"goos", "linux"},
                    {"goversion", ""},
                    {"revision", ""},
                    {"tags", "kvasir"},
                    {"version", std::string(kVersion)}})
      ->set(1);
}

Result<void> Agent::start() {
  const MutexLock reloading(reload_mutex_);  // one that is asked for now waits for what it is to replace
  std::shared_ptr<Running> running;
  {
    const MutexLock lock(mutex_);
    running = running_;
  }
  const Config& config = running->config;
  KVASIR_TRY(positions_,
             Positions::open(posix_filesystem(), {config.positions.filename, config.positions.ignore_invalid_yaml,
                                                  flags_.dry_run != DryRun::kNo}));
  state_damaged_->add(static_cast<double>(positions_->damaged()));
  positions_->set_delivered_check([this] { return all_delivered(); });
  KVASIR_TRY(auto built, build(config, nullptr));
  KVASIR_CHECK_OK(start_clients(*built));
  if (!config.server.disable) {
    pages_ = std::make_unique<AgentPages>(*this, config.server);
    KVASIR_CHECK_OK(pages_->start());
  }
  running = std::move(built);
  {
    const MutexLock lock(mutex_);
    running_ = running;
  }
  saver_ = std::thread([this] { save_loop(); });
  log::info("main", "Starting Promtail", {{"version", std::string(kVersion)}, {"program", "kvasir-agent"}});
  KVASIR_CHECK_OK(start_jobs(*running));
  started_ = true;
  return {};
}

Result<std::unique_ptr<Spool>> Agent::open_spool(const ClientConfig& client, const Config& config) {
  if (config.spool.mode == SpoolConfig::Mode::kOff) return std::unique_ptr<Spool>();
  SpoolOptions options{config.spool.bytes_max, config.spool.fsync};
  const std::string directory = spool_directory(config, client);
  KVASIR_TRY(auto spool, Spool::open(posix_filesystem(), directory, options));
  spool_damaged_->add(static_cast<double>(spool->damaged()));
  if (spool->damaged() > 0) positions_->go_back_to_delivered();
  for (const auto& found : spool->found()) {
    for (const auto& [key, offset] : found.record.positions) positions_->raise(key, offset);
  }
  return spool;
}

Result<std::shared_ptr<PushClient>> Agent::make_client(const ClientConfig& client, const Config& config) {
  PushClientParts parts;
  parts.config = client;
  parts.limits = config.limits;
  parts.spool_config = config.spool;
  KVASIR_TRY(parts.http, HttpSender::create(client.http, {}, clock_));
  parts.metrics = &metrics_;
  parts.progress = &progress_;
  parts.clock = &clock_;
  parts.origin = fmt::format("{}-{}", origin_, ++clients_made_);
  parts.agent = own_hostname();
  parts.sole = config.clients.size() == 1;
  parts.seed = static_cast<std::uint64_t>(clock_.now().value);
  return std::make_shared<PushClient>(std::move(parts));
}

/// Makes everything that `config` asks for and starts none of its jobs. Clients of `old` that stay the same are taken
/// over.
Result<std::unique_ptr<Agent::Running>> Agent::build(Config config, const Running* old) {
  metrics_.begin_generation();
  auto running = std::make_unique<Running>();
  running->config = std::move(config);
  const Config& made = running->config;
  EntryOutput* output = nullptr;
  if (flags_.dry_run != DryRun::kNo) {
    running->printer = std::make_unique<DryRunPrinter>(made.clients, flags_.dry_run == DryRun::kFinal);
    output = running->printer.get();
  } else {
    std::vector<std::shared_ptr<PushClient>> clients;
    for (const ClientConfig& client : made.clients) {
      std::shared_ptr<PushClient> same;
      for (const auto& before : old == nullptr ? std::vector<std::shared_ptr<PushClient>>() : old->fanout->clients()) {
        if (same_client(before->config(), client, old->config, made)) same = before;
      }
      if (same == nullptr) {
        KVASIR_TRY(same, make_client(client, made));
      }
      clients.push_back(std::move(same));
    }
    std::unique_ptr<LineRate> rate;
    if (made.limits.readline_rate_enabled) rate = std::make_unique<LineRate>(made.limits, metrics_, clock_);
    running->fanout = std::make_shared<ClientFanout>(std::move(clients), std::move(rate));
    output = running->fanout.get();
  }
  JobContext context;
  context.config = &made;
  context.services = {&clock_, &metrics_, &progress_, positions_.get(), own_hostname()};
  context.output = output;
  context.observer = observer_.get();
  context.wait = [this](Duration time) {
    MutexLock lock(mutex_);
    wake_.wait_for(lock, time, [this] { return stopping_.load(); });
  };
  context.stdin_ended = [this] {
    if (finished_) finished_();
  };
  if (made.stdin_target) {
    KVASIR_TRY(auto job, make_stdin_job(context));
    running->jobs.push_back(std::move(job));
    return running;
  }
  for (const ScrapeConfig& scrape : made.scrape_configs) {
    KVASIR_TRY(auto job, make_job(scrape, context));
    running->jobs.push_back(std::move(job));
  }
  return running;
}

/// Spools are opened here and not before: those who wrote into the same folder must be done with it.
Result<void> Agent::start_clients(Running& running) {
  if (running.fanout == nullptr) return {};
  for (const auto& client : running.fanout->clients()) {
    if (client->started()) continue;
    auto spool = open_spool(client->config(), running.config);
    client->start(spool ? std::move(*spool) : nullptr);
    if (!spool) return fail(spool.error().with_context("spool of client " + client->name()));
  }
  warn_of_lost_spools(running.config);
  return {};
}

/// Ends clients that `fresh` does not keep and whose spool another one goes on with: what they have is on disk then.
void Agent::hand_over_spools(Running& from, const Running& to) {
  if (from.fanout == nullptr || to.fanout == nullptr) return;
  const auto& kept = to.fanout->clients();
  for (const auto& client : from.fanout->clients()) {
    if (client->spool() == nullptr || std::find(kept.begin(), kept.end(), client) != kept.end()) continue;
    const std::string directory = spool_directory(from.config, client->config());
    const bool goes_on = std::any_of(to.config.clients.begin(), to.config.clients.end(), [&](const auto& config) {
      return spool_directory(to.config, config) == directory;
    });
    if (!goes_on) continue;
    client->request_stop();
    client->finish(clock_.steady());
  }
  save_positions();  // and what is delivered leaves the disk
}

Result<void> Agent::start_jobs(Running& running) {
  for (const auto& job : running.jobs) {
    if (auto started = job->start(); !started) return fail(started.error().with_context("job " + job->name));
  }
  return {};
}

void Agent::stop_jobs(Running& running, Duration patience) {
  for (const auto& job : running.jobs) job->stop_discoveries();
  for (const auto& job : running.jobs) {
    for (const auto& target : job->targets) target->request_stop();
  }
  // A source may be waiting for room in a client's queue; after some patience that wait is ended.
  std::atomic<bool> done{false};
  Mutex mutex;
  Condition ended;
  std::thread watchdog([&] {
    MutexLock lock(mutex);
    const bool in_time = ended.wait_for(lock, patience, [&] { return done.load(); });
    if (!in_time && running.fanout != nullptr) running.fanout->cancel();
  });
  for (const auto& job : running.jobs) {
    for (const auto& target : job->targets) target->stop();
  }
  {
    const MutexLock lock(mutex);
    done = true;
    ended.notify_all();
  }
  watchdog.join();
}

void Agent::hand_over_files(Running& from, Running& to) {
  for (const auto& old_job : from.jobs) {
    if (old_job->files == nullptr) continue;
    const auto successor = std::find_if(to.jobs.begin(), to.jobs.end(), [&](const auto& job) {
      return job->files != nullptr && job->name == old_job->name;
    });
    if (successor == to.jobs.end()) continue;
    FileJob& files = *(*successor)->files;
    files.adopt(old_job->files->release_files());
    files.begin_telling();  // what is delivered from now on must not leave the spool untold
    old_job->files->end_telling();
  }
}

Result<bool> Agent::reload() {
  const MutexLock reloading(reload_mutex_);
  std::shared_ptr<Running> old;
  {
    const MutexLock lock(mutex_);
    old = running_;
  }
  const auto failed = [&](const Error& error) {
    reload_fail_->add(1);
    log::error("reload", "failed to reload config", {{"error", error.message()}});
    return fail(error);
  };
  auto config = load_config(flags_);
  if (!config) return failed(config.error());
  if (auto checked = check_config(*config); !checked) return failed(checked.error());
  if (config->source_text == old->config.source_text) {
    reload_fail_->add(1);
    return false;
  }
  config->server = old->config.server;  // the listener stays as it is
  auto built = build(std::move(*config), old.get());
  if (!built) return failed(built.error());
  std::shared_ptr<Running> fresh = std::move(*built);
  stop_jobs(*old, kSourcePatience);
  hand_over_spools(*old, *fresh);
  hand_over_files(*old, *fresh);
  if (auto started = start_clients(*fresh); !started)
    log::error("reload", "a client goes on without its spool", {{"error", started.error().message()}});
  if (auto started = start_jobs(*fresh); !started)
    log::error("reload", "a job did not start", {{"error", started.error().message()}});
  {
    const MutexLock lock(mutex_);
    running_ = fresh;
  }
  if (old->fanout != nullptr) {
    for (const auto& client : old->fanout->clients()) {
      const auto& kept = fresh->fanout->clients();
      if (std::find(kept.begin(), kept.end(), client) != kept.end()) continue;
      client->request_stop();
      client->finish(clock_.steady() + fresh->config.shutdown_timeout);
    }
  }
  reload_success_->add(1);
  log::info("reload", "configuration reloaded");
  return true;
}

void Agent::stop() {
  if (stopping_.exchange(true)) return;
  {
    const MutexLock lock(mutex_);
    wake_.notify_all();
  }
  if (pages_ != nullptr) pages_->stop();
  const MutexLock reloading(reload_mutex_);
  std::shared_ptr<Running> running;
  {
    const MutexLock lock(mutex_);
    running = running_;
  }
  const Duration deadline = clock_.steady() + running->config.shutdown_timeout;
  stop_jobs(*running, std::min(kSourcePatience, running->config.shutdown_timeout / 2));
  if (running->fanout != nullptr) {
    running->fanout->cancel();
    for (const auto& client : running->fanout->clients()) client->request_stop();
    for (const auto& client : running->fanout->clients()) client->finish(deadline);
  }
  if (saver_.joinable()) saver_.join();
  if (positions_ != nullptr) {
    save_positions();
  }
}

bool Agent::all_delivered() const {
  std::shared_ptr<ClientFanout> fanout;  // and no more: jobs must not end here, under the lock of a save
  {
    const MutexLock lock(mutex_);
    fanout = running_->fanout;
  }
  if (fanout == nullptr) return false;
  const auto& clients = fanout->clients();
  return std::all_of(clients.begin(), clients.end(), [](const auto& client) {
    return client->started() && (client->spool() == nullptr || client->spool()->bytes() == 0);
  });
}

void Agent::save_positions() {
  std::vector<std::pair<Spool*, std::vector<std::uint64_t>>> removed;
  std::shared_ptr<Running> running;
  {
    const MutexLock lock(mutex_);
    running = running_;
  }
  if (running->fanout != nullptr) {
    for (const auto& client : running->fanout->clients()) {
      if (client->spool() != nullptr) removed.emplace_back(client->spool(), client->spool()->take_removed());
    }
  }
  if (auto saved = positions_->save(); !saved) {
    log::error("positions", "cannot save positions", {{"error", saved.error().message()}});
    for (const auto& [spool, numbers] : removed) spool->put_back(numbers);
    return;
  }
  for (const auto& [spool, numbers] : removed) spool->purge(numbers);
}

void Agent::save_loop() {
  for (;;) {
    Duration period;
    {
      MutexLock lock(mutex_);
      period = running_->config.positions.sync_period;
      wake_.wait_for(lock, period, [this] { return stopping_.load(); });
    }
    if (stopping_) return;
    save_positions();
  }
}

bool Agent::ready() const {
  std::shared_ptr<Running> running;
  {
    const MutexLock lock(mutex_);
    running = running_;
  }
  if (!running->config.server.health_check_target) return true;
  if (!started_) return false;
  for (const auto& job : running->jobs) {
    for (const auto& target : job->targets) {
      if (target->ready()) return true;
    }
  }
  return false;
}

std::vector<Agent::JobStatus> Agent::status() const {
  std::shared_ptr<Running> running;
  {
    const MutexLock lock(mutex_);
    running = running_;
  }
  std::vector<JobStatus> all;
  for (const auto& job : running->jobs) {
    JobStatus status{job->name, {}};
    for (const auto& target : job->targets) {
      auto some = target->status();
      status.targets.insert(status.targets.end(), some.begin(), some.end());
    }
    all.push_back(std::move(status));
  }
  return all;
}

std::string Agent::config_text() const {
  const MutexLock lock(mutex_);
  return print_config(running_->config);
}

ServerConfig Agent::server_config() const {
  const MutexLock lock(mutex_);
  return running_->config.server;
}

}  // namespace kvasir::agent
