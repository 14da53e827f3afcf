// main.cpp -- the program: modes, signals, exit codes.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "common/log.h"
#include "common/log_format.h"
#include "promtail-agent/agent.h"
#include "promtail-agent/check_syntax.h"
#include "promtail-agent/verify.h"
#include "promtail-agent/version.h"

namespace kvasir::agent {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitError = 1;
constexpr int kExitFlags = 2;

int print_version() {
  fmt::print("kvasir-agent, version {} (branch: , revision: )\n  build user:       \n  build date:       {}\n",
             kVersion, __DATE__);
  fmt::print("  go version:       \n  platform:         linux/amd64\n  tags:             kvasir\n");
  return kExitOk;
}

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Blocks the signals we act on in every thread; they are read from the descriptor.
int catch_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return ::signalfd(-1, &set, SFD_CLOEXEC);
}

/// What every job does, into the log.
void log_status(const Agent& agent) {
  for (const auto& job : agent.status()) {
    for (const TargetStatus& target : job.targets) {
      std::string details;
      for (const auto& [name, value] : target.details) details += fmt::format("{}={} ", name, value);
      log::info("main", "status",
                {{"job", job.name}, {"type", target.type}, {"ready", target.ready ? "true" : "false"},
                 {"labels", target.labels.to_string()}, {"details", details}});
    }
  }
}

/// Until SIGINT, SIGTERM or the end of standard input.
void run_until_stopped(Agent& agent, int signals, int finished) {
  for (;;) {
    pollfd fds[2] = {{signals, POLLIN, 0}, {finished, POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0) continue;
    if ((fds[1].revents & POLLIN) != 0) return;
    signalfd_siginfo info{};
    if (::read(signals, &info, sizeof info) != sizeof info) continue;
    if (info.ssi_signo == SIGHUP) {
      (void)agent.reload();
    } else if (info.ssi_signo == SIGQUIT) {
      log_status(agent);
    } else {
      return;
    }
  }
}

void print_effective(const Flags& flags, const Config& config) {
  const std::string text = print_config(config);
  if (flags.print_config) {
    fmt::print(stderr, "---\n# Loki Config\n# (version={}, branch=, revision=)\n{}\n", kVersion, text);
  }
  if (!flags.log_config_reverse) return;
  std::string_view rest = text;
  while (!rest.empty()) {
    rest.remove_suffix(1);
    const std::size_t start = rest.rfind('\n') == std::string_view::npos ? 0 : rest.rfind('\n') + 1;
    log::info("config", rest.substr(start));
    rest = rest.substr(0, start);
  }
}

int run(const Flags& flags) {
  auto config = load_config(flags);
  if (!config) {
    fmt::print(stderr, "Unable to parse config: {}\n", config.error().message());
    return kExitError;
  }
  if (!log::set_level(config->server.log_level)) {
    fmt::print(stderr, "Invalid log level\n");
    return kExitError;
  }
  if (config->server.log_format == "json") log::set_format(log::Format::kJson);
  print_effective(flags, *config);
  for (const auto& warning : config->warnings) log::warn("config", warning);
  if (auto checked = check_config(*config); !checked) {
    log::error("main", "error creating promtail", {{"error", checked.error().message()}});
    return kExitError;
  }
  const int signals = catch_signals();
  const int finished = ::eventfd(0, EFD_CLOEXEC);
  raise_file_limit();
  Agent agent(flags, std::move(*config));
  agent.set_finished_callback([finished] {
    const std::uint64_t one = 1;
    (void)!::write(finished, &one, sizeof one);
  });
  if (auto started = agent.start(); !started) {
    log::error("main", "error creating promtail", {{"error", started.error().message()}});
    return kExitError;
  }
  run_until_stopped(agent, signals, finished);
  agent.stop();
  return kExitOk;
}

/// `verify [-lines] [flags] FILE`
int verify(std::vector<std::string> arguments) {
  const std::string usage = "usage: kvasir-agent verify [-lines] -config.file=CONFIG FILE\n";
  if (arguments.empty() || arguments.back().starts_with('-')) {
    fmt::print(stderr, "{}", usage);
    return kExitFlags;
  }
  const std::string path = arguments.back();
  arguments.pop_back();
  const auto asks_for_lines = [](const std::string& text) { return text == "-lines" || text == "--lines"; };
  const bool lines = std::erase_if(arguments, asks_for_lines) > 0;
  const auto flags = parse_flags(arguments);
  if (!flags) {
    fmt::print(stderr, "{}\n{}", flags.error().message(), usage);
    return kExitFlags;
  }
  const auto config = load_config(*flags);
  if (!config) {
    fmt::print(stderr, "Unable to parse config: {}\n", config.error().message());
    return kExitError;
  }
  return run_verify(*config, std::filesystem::absolute(path).lexically_normal().string(), lines);
}

int main_with(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments.front() == "verify") return verify({arguments.begin() + 1, arguments.end()});
  const auto flags = parse_flags(arguments);
  if (!flags) {
    fmt::print(stderr, "{}\nRun with -help to get list of available parameters\n", flags.error().message());
    return kExitFlags;
  }
  if (flags->help) {
    fmt::print("{}", flags_usage());
    return kExitFlags;
  }
  if (flags->version) return print_version();
  if (flags->check_syntax != SyntaxCheck::kNo) return run_check_syntax(*flags);
  return run(*flags);
}

}  // namespace
}  // namespace kvasir::agent

int main(int argc, char** argv) {
  return kvasir::agent::main_with(std::vector<std::string>(argv + 1, argv + argc));
}
