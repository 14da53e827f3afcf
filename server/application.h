// application.h -- the whole server as one object: opens storage, starts the parts in order, stops them in reverse.
//
// Order:    start: the listener, which answers 503 to everything; storage, log replay, queries, rules; then the routes.
//           stop: listener drained, rules, queries, ingester, storage.
// Threads:  start(), reload() and stop() by one thread (main); everything else has its own.
// Errors:   start: io, corruption, invalid_argument, with what was being started in front.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/env_expand.h"
#include "common/result.h"
#include "server/config/load_config.h"

namespace kvasir::server {

class Application {
 public:
  /// Starts nothing; use start().
  Application(CommandLine line, std::unique_ptr<LoadedConfig> loaded);
  /// request_stop: called from any thread when an admin route asks for the end.
  static Result<std::unique_ptr<Application>> start(CommandLine line, std::unique_ptr<LoadedConfig> loaded,
                                                    std::function<void()> request_stop);
  ~Application();  // stop()
  /// What a start would refuse although the file could be read: credentials, policies, keys, certificates, overrides.
  static Result<void> check(const LoadedConfig& loaded);

  std::uint16_t port() const;
  /// Every second, by main: reads the runtime overrides again when their period is over.
  void tick();
  /// Configuration file (limits, log level, certificates) and overrides. On error the old values stay.
  Result<void> reload();
  void stop();

 private:
  struct Parts;
  Result<void> listen();
  Result<void> open_storage();
  Result<void> open_server(std::function<void()> request_stop);
  void make_grpc();
  Result<void> start_grpc();
  Result<void> start_rules();
  Result<bool> reload_overrides();
  Result<void> reload_all();

  CommandLine line_;
  std::unique_ptr<LoadedConfig> loaded_;
  EnvSource environment_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace kvasir::server
