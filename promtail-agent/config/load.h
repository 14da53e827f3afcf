// load.h -- from a command line to a checked Config.
//
// Order:    defaults, then the file, then the flags that were given.
// Errors:   invalid_argument and parse, worded as users of Promtail search for them; the caller adds `Unable to parse
//           config: `.
// Notes:    pipelines and relabel rules are not built here; check-syntax and start do that.
#pragma once

#include <string_view>

#include "common/result.h"
#include "promtail-agent/config/config.h"
#include "promtail-agent/config/flags.h"

namespace kvasir::agent {

/// Reads the file named by the flags (if any), expands it, merges. Does not check that the parts fit together.
Result<Config> load_config(const Flags& flags);
/// The same over a given text.
Result<Config> parse_config(std::string_view text, const Flags& flags);
/// What must hold before start: clients, job names, sources, limits.
Result<void> check_config(const Config& config);

/// The effective configuration as YAML, secrets shown as <secret>.
std::string print_config(const Config& config);
std::string print_client(const ClientConfig& client);
/// Everything that tells clients apart, secrets in plain text: for comparing and hashing, never for showing.
std::string client_identity(const ClientConfig& client);

}  // namespace kvasir::agent
