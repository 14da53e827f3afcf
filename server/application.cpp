#include "server/application.h"

#include <fmt/format.h>
#include <prometheus/counter.h>

#include <algorithm>
#include <thread>

#include "common/filesystem.h"
#include "common/log.h"
#include "common/memory_budget.h"
#include "common/mutex.h"
#include "ingest/ingester.h"
#include "ingest/storage.h"
#include "server/answer.h"
#include "server/block_cache_metrics.h"
#include "server/collect_metrics.h"
#include "server/handlers/admin_routes.h"
#include "server/handlers/delete_routes.h"
#include "server/handlers/detected_routes.h"
#include "server/handlers/entry_routes.h"
#include "server/handlers/explain_route.h"
#include "server/handlers/index_routes.h"
#include "server/handlers/ledger_routes.h"
#include "server/handlers/label_routes.h"
#include "server/handlers/prometheus_routes.h"
#include "server/handlers/push_routes.h"
#include "server/handlers/query_routes.h"
#include "server/handlers/rule_routes.h"
#include "server/handlers/tail_routes.h"
#include "server/life_cycle.h"
#include "server/data_folder.h"
#include "server/maintenance.h"
#include "server/maintenance_metrics.h"
#include "server/rule_metrics.h"
#include "server/services.h"
#include "server/start_ruler.h"
#include "server/tail_hub.h"
#include "server/tenant_gate.h"

namespace kvasir::server {
namespace {

constexpr std::string_view kLog = "server";
constexpr std::size_t kPushQueueMax = 256;
constexpr std::size_t kAdminThreads = 2;
constexpr std::size_t kAnswerThreads = 8;  // long answers that go out at one time; they mostly wait for their readers
constexpr std::size_t kAnswersWaitingMax = 64;

std::size_t cores() { return std::max(1u, std::thread::hardware_concurrency()); }

bool reachable_from_elsewhere(const std::string& address) {
  return address != "127.0.0.1" && address != "::1" && address != "localhost";
}

std::uint64_t smaller_positive(std::uint64_t a, std::uint64_t b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

/// Lines in memory that are not in segments yet; more of them make larger blocks, and from some size on little else.
std::uint64_t head_limit(const KvasirConfig& config) {
  constexpr std::uint64_t kLeast = 16u << 20, kMost = 128u << 20;
  if (config.head_limit != 0) return std::max(config.head_limit, kLeast);
  return std::clamp(effective_memory_limit(config) / 4, kLeast, kMost);
}

/// What opened blocks may keep between queries. Charged to the budget of the process.
std::uint64_t block_cache_limit(const KvasirConfig& config) {
  const std::uint64_t memory = effective_memory_limit(config);
  return config.block_cache_size == 0 ? memory / 4 : std::min(config.block_cache_size, memory);
}

void log_exchange(const net::HttpExchange& exchange) {
  if (log::level() != log::Level::kDebug) return;
  log::debug("http", "request",
             {{"method", std::string(exchange.method)}, {"target", std::string(exchange.target)},
              {"status", std::to_string(exchange.status)}, {"peer", std::string(exchange.peer)},
              {"ms", std::to_string(exchange.duration.count() / 1'000'000)}});
}

}  // namespace

/// In the order in which they are made; destroyed the other way round.
struct Application::Parts {
  explicit Parts(const ServerConfig& config)
      : budget("process", effective_memory_limit(config.kvasir)),
        ingest_budget("ingest", 0, &budget),
        query_budget("queries", 0, &budget),
        block_cache(std::make_shared<BlockCache>(block_cache_limit(config.kvasir), &budget)) {}

  MemoryBudget budget;
  MemoryBudget ingest_budget;
  MemoryBudget query_budget;
  std::shared_ptr<BlockCache> block_cache;
  ServerMetrics metrics;
  LifeCycle life;
  std::unique_ptr<TenantSettingsStore> tenants;
  std::unique_ptr<DataFolderLock> data_lock;
  std::unique_ptr<ingest::Storage> storage;
  std::unique_ptr<ingest::Ingester> ingester;
  std::unique_ptr<DeleteRequests> deletes;
  std::unique_ptr<StoreSource> store;
  std::unique_ptr<Maintenance> maintenance;
  std::unique_ptr<TenantGate> gate;
  std::unique_ptr<RunningQueries> running;
  std::unique_ptr<QueryScheduler> scheduler;
  std::unique_ptr<net::WorkerPool> answers;
  std::unique_ptr<ResultCache> results;
  std::unique_ptr<Services> services;
  std::unique_ptr<TailHub> tails;
  RulerParts ruler;
  std::unique_ptr<net::HttpServer> server;
  std::unique_ptr<net::GrpcServer> grpc;
  Mutex reload_mutex;  // signals and requests ask for reloads
  Duration next_override_reload{0};
  bool stopped = false;
};

Application::Application(CommandLine line, std::unique_ptr<LoadedConfig> loaded)
    : line_(std::move(line)),
      loaded_(std::move(loaded)),
      environment_(process_environment()),
      parts_(std::make_unique<Parts>(loaded_->config)) {}

Application::~Application() { stop(); }

Result<std::unique_ptr<Application>> Application::start(CommandLine line, std::unique_ptr<LoadedConfig> loaded,
                                                        std::function<void()> request_stop) {
  auto application = std::make_unique<Application>(std::move(line), std::move(loaded));
  KVASIR_CHECK_OK(application->listen());
  KVASIR_CHECK_OK(application->open_storage());
  KVASIR_CHECK_OK(application->open_server(std::move(request_stop)));
  return application;
}

/// The port answers from now on: that the server is not ready, until it is.
Result<void> Application::listen() {
  const auto& config = loaded_->config;
  auto& parts = *parts_;
  net::HttpServerOptions options;
  options.address = config.http.listen_address;
  options.port = config.http.listen_port;
  options.io_threads = std::max<std::size_t>(1, cores() / 4);
  if (config.http.connections_max != 0) options.connections_max = config.http.connections_max;
  options.header_timeout = options.body_timeout = config.http.read_timeout;
  options.idle_timeout = config.http.idle_timeout;
  options.write_timeout = config.http.write_timeout;
  options.pools = {{"ingest", std::max<std::size_t>(2, cores()), kPushQueueMax}, {"admin", kAdminThreads, 64}};
  options.set_aside = [&parts](const net::HttpRequest& request) {
    return !is_open_route(request.route) && parts.gate->is_slow(request);
  };
  options.tls = config.http.tls;
  options.path_prefix = config.http.path_prefix;
  options.on_exchange = [&metrics = parts.metrics](const net::HttpExchange& exchange) {
    metrics.observe_exchange(exchange);
    log_exchange(exchange);
  };
  parts.server = std::make_unique<net::HttpServer>(std::move(options));
  return parts.server->start_closed([&life = parts.life](const net::HttpRequest& request) {
    const bool asks = request.path == "/ready";
    auto answer = plain_error(503, fmt::format("{}, {} %",
                                               asks ? "Ingester not ready: replaying the log"
                                                    : "the server is starting: it replays its log",
                                               life.replayed_percent.load()));
    answer.headers.set("Retry-After", "1");
    return answer;
  });
}

Result<void> Application::open_storage() {
  const auto& config = loaded_->config;
  auto& parts = *parts_;
  parts.tenants = std::make_unique<TenantSettingsStore>(config.limits, config.runtime.files, environment_);
  KVASIR_CHECK_OK(reload_overrides());
  const DataFolders folders = data_folders(config, environment_);
  auto& filesystem = posix_filesystem();
  KVASIR_CHECK_OK(filesystem.make_directories(folders.root));
  KVASIR_TRY(parts.data_lock, DataFolderLock::take(folders.root));
  KVASIR_TRY(parts.storage, ingest::Storage::open(folders.root, filesystem));
  ingest::IngesterOptions options;
  options.wal_directory = folders.wal;
  options.ledger_path = join_path(folders.root, "ledger");
  options.wal_sync = ingest::parse_wal_sync(config.ingester.wal_sync).value_or(ingest::WalSync::kGroup);
  if (!config.ingester.wal_enabled) {
    log::warn(kLog,
              "ingester.wal.enabled is false: the log is written but not synced, a crash of the machine loses what was "
              "acknowledged");
    options.wal_sync = ingest::WalSync::kNever;
  }
  options.wal_sync_interval = config.ingester.wal_sync_interval;
  options.chunk_idle = config.ingester.chunk_idle_period;
  options.chunk_age_max = config.ingester.max_chunk_age;
  options.head_bytes_max = head_limit(config.kvasir);
  options.flush_threads = config.ingester.concurrent_flushes;
  options.on_replay = [&life = parts.life](unsigned percent) { life.replayed_percent = percent; };
  const Duration window = config.ingester.max_chunk_age / 2;
  options.limits = [tenants = parts.tenants.get(), window](std::string_view tenant) {
    const auto settings = tenants->of(tenant);
    const auto& write = settings->write;
    return ingest::AdmitLimits{smaller_positive(write.max_global_streams_per_user, write.max_streams_per_user), window};
  };
  KVASIR_TRY(parts.ingester, ingest::Ingester::open(std::move(options), *parts.storage, filesystem, system_clock(),
                                                    parts.ingest_budget));
  parts.deletes = std::make_unique<DeleteRequests>(*parts.storage, system_clock());
  parts.store = std::make_unique<StoreSource>(*parts.storage, *parts.ingester, parts.deletes.get(), parts.block_cache);
  MaintenanceOptions maintenance;
  maintenance.retention_enabled = config.compactor.retention_enabled;
  maintenance.retention_interval = config.compactor.compaction_interval;
  maintenance.delete_cancel_period = config.compactor.delete_request_cancel_period;
  maintenance.size_max = config.kvasir.retention_size;
  maintenance.disk_reserve = config.kvasir.disk_reserve;
  maintenance.merge_budget = {config.kvasir.merge_cpu_percent, config.kvasir.merge_rate};
  maintenance.free_bytes = [root = folders.root] { return free_disk_bytes(root); };
  maintenance.retention = [tenants = parts.tenants.get()](std::string_view tenant) {
    return tenants->of(tenant)->retention;
  };
  parts.maintenance = std::make_unique<Maintenance>(std::move(maintenance), *parts.storage, *parts.ingester,
                                                    *parts.deletes, filesystem, system_clock());
  collect_maintenance(parts.metrics, *parts.maintenance);
  parts.maintenance->start();
  return {};
}

Result<void> Application::open_server(std::function<void()> request_stop) {
  const auto& config = loaded_->config;
  auto& parts = *parts_;
  const Clock& clock = system_clock();
  KVASIR_TRY(auto authenticator, Authenticator::create(config.kvasir, clock));
  if (!authenticator->required() && reachable_from_elsewhere(config.http.listen_address)) {
    log::warn(kLog, "whoever reaches this port may read, write and delete; see docs/security.md",
              {{"address", config.http.listen_address.empty() ? "every address" : config.http.listen_address}});
  }
  parts.gate =
      std::make_unique<TenantGate>(TenantGateOptions{config.auth_enabled, config.querier.multi_tenant_queries_enabled},
                                   std::move(authenticator), *parts.tenants);
  parts.running = std::make_unique<RunningQueries>(clock);
  const std::size_t threads = std::max<std::size_t>(config.querier.max_concurrent, cores());
  parts.scheduler = std::make_unique<QueryScheduler>(threads, config.querier.max_outstanding_per_tenant, clock);
  parts.answers =
      std::make_unique<net::WorkerPool>(net::WorkerPoolOptions{"answers", kAnswerThreads, kAnswersWaitingMax});
  parts.results = std::make_unique<ResultCache>(config.querier.cache_results ? config.querier.result_cache_mb << 20 : 0,
                                                &parts.budget);
  parts.services = std::make_unique<Services>(
      Services{clock, config, *parts.gate, *parts.tenants, parts.metrics, *parts.store, *parts.ingester, *parts.storage,
               *parts.scheduler, *parts.running, parts.query_budget, *parts.deletes, *parts.results, *parts.answers});
  collect_metrics(*parts.services, parts.ingest_budget);
  collect_block_cache(parts.metrics, parts.block_cache);
  parts.tails = std::make_unique<TailHub>(*parts.ingester, *parts.store, parts.metrics, clock);
  parts.life.request_stop = std::move(request_stop);
  parts.life.reload = [this] { return reload(); };
  KVASIR_CHECK_OK(start_rules());
  const Services& services = *parts.services;
  add_query_routes(*parts.server, services);
  add_label_routes(*parts.server, services);
  add_index_routes(*parts.server, services);
  add_detected_routes(*parts.server, services);
  add_tail_routes(*parts.server, services, *parts.tails);
  add_admin_routes(*parts.server, services, parts.life);
  add_delete_routes(*parts.server, services, *parts.deletes);
  add_rule_routes(*parts.server, {*parts.gate, *parts.ruler.ruler, config.ruler.enable_api});
  add_prometheus_routes(*parts.server, services);
  add_entry_routes(*parts.server, services);
  add_ledger_routes(*parts.server, services);
  add_explain_route(*parts.server, services);
  make_grpc();
  add_push_routes(*parts.server, parts.grpc.get(), services);
  parts.life.ready = true;
  KVASIR_CHECK_OK(parts.server->open_routes());
  return start_grpc();
}

void Application::make_grpc() {
  const auto& config = loaded_->config;
  if (config.kvasir.otlp_grpc_port == 0) return;
  net::GrpcServerOptions options;
  options.address = config.http.listen_address;
  options.port = config.kvasir.otlp_grpc_port;
  options.message_bytes_max = config.ingester.max_recv_msg_size;
  options.call_timeout = config.http.read_timeout;
  options.set_aside = [this](const net::HttpRequest& request) { return parts_->gate->is_slow(request); };
  options.tls = config.http.tls;
  parts_->grpc = std::make_unique<net::GrpcServer>(std::move(options));
}

Result<void> Application::start_grpc() {
  auto& parts = *parts_;
  if (parts.grpc == nullptr) return {};
  auto started = parts.grpc->start();
  if (started) return {};
  if (loaded_->notes.given.contains("kvasir.otlp_grpc_listen_port")) return started;
  log::warn(kLog, "no OTLP over gRPC; kvasir.otlp_grpc_listen_port may name another port",
            {{"error", started.error().message()}});
  parts.grpc = nullptr;
  return {};
}

Result<void> Application::start_rules() {
  auto& parts = *parts_;
  const DataFolders folders = data_folders(loaded_->config, environment_);
  KVASIR_TRY(parts.ruler, start_ruler(loaded_->config.ruler, {folders.rules, join_path(folders.root, "ruler")},
                                      system_clock(), posix_filesystem(), make_rule_queries(*parts.services)));
  parts.metrics.set_rules(std::make_shared<RuleMetrics>(parts.ruler, *parts.gate, folders.rules));
  return {};
}

Result<void> Application::check(const LoadedConfig& loaded) {
  const auto& config = loaded.config;
  KVASIR_CHECK_OK(Authenticator::create(config.kvasir, system_clock()));
  TenantSettingsStore overrides(config.limits, config.runtime.files, process_environment());
  std::vector<std::string> warnings;
  KVASIR_CHECK_OK(overrides.reload(warnings));
  for (const auto& warning : warnings) log::warn("config", warning);
  net::HttpServerOptions options;
  options.tls = config.http.tls;
  return net::HttpServer(std::move(options)).reload_tls();
}

std::uint16_t Application::port() const { return parts_->server->port(); }

Result<bool> Application::reload_overrides() {
  std::vector<std::string> warnings;
  auto changed = parts_->tenants->reload(warnings);
  for (const auto& warning : warnings) log::warn("config", warning);
  return changed;
}

void Application::tick() {
  const auto& runtime = loaded_->config.runtime;
  const Duration now = system_clock().steady();
  if (runtime.files.empty() || runtime.period.count() <= 0 || now < parts_->next_override_reload) return;
  parts_->next_override_reload = now + runtime.period;
  MutexLock lock(parts_->reload_mutex);
  const auto changed = reload_overrides();
  if (!changed) {
    parts_->metrics.reload_failures().Increment();
    log::error("config", "runtime overrides could not be read, the old ones stay",
               {{"error", changed.error().message()}});
  } else if (*changed) {
    log::info("config", "runtime overrides were read again");
  }
}

Result<void> Application::reload() {
  MutexLock lock(parts_->reload_mutex);
  auto done = reload_all();
  if (!done) parts_->metrics.reload_failures().Increment();
  return done;
}

/// Everything is read and checked before anything changes.
Result<void> Application::reload_all() {
  KVASIR_TRY(const auto fresh, load_config(line_, environment_));
  std::vector<std::string> warnings = fresh->notes.warnings;
  const auto before = parts_->gate->authenticator();
  KVASIR_TRY(auto authenticator, Authenticator::create(fresh->config.kvasir, system_clock(), before.get()));
  KVASIR_TRY(auto tenants, parts_->tenants->prepare(fresh->config.limits, warnings));
  if (loaded_->config.http.tls.enabled()) {  // these check before they change, too
    KVASIR_CHECK_OK(parts_->server->reload_tls());
    if (parts_->grpc) KVASIR_CHECK_OK(parts_->grpc->reload_tls());
  }
  for (const auto& warning : warnings) log::warn("config", warning);
  parts_->gate->set_authenticator(std::move(authenticator));
  parts_->tenants->use(std::move(tenants));
  log::set_level(fresh->config.http.log_level);
  log::info("config", "configuration was read again");
  return {};
}

void Application::stop() {
  auto& parts = *parts_;
  if (parts.stopped) return;
  parts.stopped = true;
  parts.life.stopping = true;
  if (parts.tails) parts.tails->close("the server is stopping");
  if (parts.grpc) parts.grpc->drain(loaded_->config.http.graceful_shutdown_timeout);
  if (parts.server) parts.server->drain(loaded_->config.http.graceful_shutdown_timeout);
  parts.metrics.set_rules(nullptr);
  parts.ruler = {};
  if (parts.scheduler) parts.scheduler->close();
  if (parts.answers) parts.answers->stop();
  if (parts.maintenance) parts.maintenance->stop();
  if (parts.ingester)
    parts.ingester->close(loaded_->config.ingester.flush_on_shutdown || parts.life.prepared_to_shut_down);
  log::info(kLog, "stopped");
}

}  // namespace kvasir::server
