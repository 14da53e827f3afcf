// kvasir: the server program. Flags, signals and exit codes; everything else is Application.
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "common/log.h"
#include "common/log_format.h"
#include "common/net/http_client.h"
#include "server/application.h"
#include "server/server_metrics.h"

namespace kvasir::server {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

void print_error(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

/// Signals are taken by main alone; every thread made later inherits the mask.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return set;
}

int ask_health(const std::string& url) {
  auto client = net::make_http_client({});
  if (!client) return kExitFailure;
  net::HttpCall call;
  call.url = url;
  call.timeout = std::chrono::seconds(5);
  const auto response = (*client)->send(call);
  return response && response->status == 200 ? 0 : kExitFailure;
}

int print_version() {
  std::printf("kvasir, version %s (loki api %s)\n", BuildInfo::kKvasirVersion, BuildInfo::kVersion);
  return 0;
}

/// Until SIGTERM or SIGINT.
void serve(Application& application, const sigset_t& signals) {
  for (;;) {
    const timespec second{1, 0};
    const int number = sigtimedwait(&signals, nullptr, &second);
    if (number == SIGTERM || number == SIGINT) return;
    if (number == SIGHUP) {
      if (const auto done = application.reload(); !done) {
        log::error("config", "reload failed, the old configuration stays", {{"error", done.error().message()}});
      }
    }
    application.tick();
  }
}

/// Whoever configured one must hear that data stays in files.
bool names_object_store(std::string_view path) {
  static constexpr std::string_view kBlocks[] = {"common.storage.", "storage_config.", "ruler.storage."};
  static constexpr std::string_view kStores[] = {"s3", "aws", "gcs", "azure", "swift", "bos", "cos", "alibabacloud"};
  return std::any_of(std::begin(kBlocks), std::end(kBlocks), [path](std::string_view block) {
    const std::string_view store = path.starts_with(block) ? path.substr(block.size()) : "";
    return std::find(std::begin(kStores), std::end(kStores), store.substr(0, store.find('.'))) != std::end(kStores);
  });
}

int run(const CommandLine& line) {
  auto loaded = load_config(line, process_environment());
  if (!loaded) {
    print_error("failed parsing config: " + loaded.error().message());
    return kExitFailure;
  }
  auto& config = (*loaded)->config;
  if (!log::set_level(config.http.log_level)) {
    print_error("CONFIG ERROR: server.log_level must be debug, info, warn or error");
    return kExitFailure;
  }
  if (config.http.log_format == "json") log::set_format(log::Format::kJson);
  for (const auto& warning : (*loaded)->notes.warnings) log::warn("config", warning);
  for (const auto& path : (*loaded)->notes.ignored) {
    const auto level = names_object_store(path) ? log::Level::kWarn : log::Level::kDebug;
    log::write(level, "config", "key has no effect here", {{"key", path}});
  }
  if (line.print_config) print_error(print_yaml(settings(config)));
  if (line.verify_only) {
    if (auto checked = Application::check(**loaded); !checked) {
      print_error("CONFIG ERROR: " + checked.error().message());
      return kExitFailure;
    }
    log::info("config", "config is valid");
    return 0;
  }
  const sigset_t signals = block_signals();
  const Duration delay = config.shutdown_delay;
  auto application = Application::start(line, std::move(*loaded), [] { kill(getpid(), SIGTERM); });
  if (!application) {
    log::error("server", "cannot start", {{"error", application.error().message()}});
    return kExitFailure;
  }
  log::info("server", "listening",
            {{"port", std::to_string((*application)->port())}, {"version", BuildInfo::kKvasirVersion}});
  serve(**application, signals);
  log::info("server", "stopping");
  if (delay.count() > 0) {
    const timespec wait{delay.count() / 1'000'000'000, delay.count() % 1'000'000'000};
    nanosleep(&wait, nullptr);
  }
  (*application)->stop();
  return 0;
}

/// Memory that is freed by another thread than took it stays in the taker's arena: few arenas keep a server that hands
/// work from thread to thread small.
void limit_arenas() {
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  mallopt(M_ARENA_MAX, std::max(2, cores / 2));
}

int start(int argc, char** argv) {
  limit_arenas();
  const auto line = parse_command_line(std::vector<std::string>(argv + 1, argv + argc));
  if (!line) {
    print_error(line.error().message() + "\nRun with -help to get list of available parameters");
    return kExitUsage;
  }
  if (line->version) return print_version();
  if (line->help) {
    std::printf("Usage of kvasir:\n%s", flags_text().c_str());
    return 0;
  }
  if (line->list_targets) {
    std::printf("all\n");
    return 0;
  }
  return line->health ? ask_health(line->health_url) : run(*line);
}

}  // namespace
}  // namespace kvasir::server

int main(int argc, char** argv) { return kvasir::server::start(argc, argv); }
