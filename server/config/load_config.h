// load_config.h -- command line and files to one ServerConfig.
//
// Flags:    -x=v, -x v and --x=v; every setting has one (flag_name()); a boolean's value must follow `=` or be left
//           out.
// Files:    -config.file takes candidates divided by commas, the first that exists wins; without the flag config.yaml
//           and config/config.yaml are tried, and with neither the server starts on 127.0.0.1:3100 without tenants.
// Errors:   not_found (no candidate exists), parse, invalid_argument; texts are for a person at a terminal.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/env_expand.h"
#include "common/result.h"
#include "server/config/server_config.h"

namespace kvasir::server {

struct CommandLine {
  std::vector<std::string> config_files;   // candidates
  bool config_file_given = false;
  bool expand_env = false;
  bool verify_only = false;
  bool print_config = false;
  bool version = false;
  bool help = false;
  bool list_targets = false;
  bool health = false;
  std::string health_url = "http://localhost:3100/ready";
  std::vector<std::pair<std::string, std::string>> settings;  // flag name, value
};

/// Errors: invalid_argument `flag provided but not defined: -x`.
Result<CommandLine> parse_command_line(std::span<const std::string> arguments);

struct LoadedConfig {
  ServerConfig config;
  ConfigNotes notes;
  std::string file;   // "" when there was none
};

/// On the heap, since tables point into it.
Result<std::unique_ptr<LoadedConfig>> load_config(const CommandLine& line, const EnvSource& environment);

/// Where data goes.
struct DataFolders {
  std::string root;
  std::string segments;
  std::string wal;
  std::string rules;
};
DataFolders data_folders(const ServerConfig& config, const EnvSource& environment);

/// What -help prints.
std::string flags_text();

}  // namespace kvasir::server
