// load.h -- from a command line to a checked Config.
//
// Order:    defaults, then the file, then the flags that were given.
// Errors:   invalid_argument and parse, worded as users of Promtail search for them; the caller adds `Unable to parse
//           config: `.
// Notes:    pipelines and relabel rules are not built here; start and check_syntax.h do that.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "promtail-agent/config/config.h"
#include "promtail-agent/config/flags.h"

namespace kvasir::agent {

struct ConfigProblem {
  int line = 0;  // of the file; 0: of no line
  std::string text;
};

/// A configuration with what is wrong in it: values that do not suit their keys are left at their defaults.
struct LoadedConfig {
  std::string path;
  Config config;
  std::vector<ConfigProblem> problems;
};

/// Reads the file named by the flags (if any), expands it, merges. Does not check that the parts fit together.
Result<Config> load_config(const Flags& flags);
/// The same over a given text.
Result<Config> parse_config(std::string_view text, const Flags& flags);
/// As load_config, but goes on behind keys and values that are wrong. Errors: files that are not there, text that is
/// not YAML.
Result<LoadedConfig> load_with_problems(const Flags& flags);
/// What is said in front of a list of keys and values that are wrong.
std::string unmarshal_words(const std::string& path, const Flags& flags);
/// What must hold before start: clients, job names, sources, limits.
std::vector<ConfigProblem> find_config_problems(const Config& config);
/// The first of them.
Result<void> check_config(const Config& config);

/// The effective configuration as YAML, secrets shown as <secret>.
std::string print_config(const Config& config);
std::string print_client(const ClientConfig& client);
/// Everything that tells clients apart, secrets in plain text: for comparing and hashing, never for showing.
std::string client_identity(const ClientConfig& client);

}  // namespace kvasir::agent
