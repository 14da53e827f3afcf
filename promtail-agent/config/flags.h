// flags.h -- the command line: -name=value, --name=value, -name value, in the manner of Go's flag package.
//
// Errors:   invalid_argument: `flag provided but not defined: -nosuch`, `invalid value "x" for flag -y: parse error`.
// Notes:    parsing ends at the first word that is no flag. A bool flag takes its value only behind `=`.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "promtail-agent/config/config.h"

namespace kvasir::agent {

enum class SyntaxCheck { kNo, kParseOnly, kFull };
enum class DryRun { kNo, kEntries, kFinal };  // kFinal: what would go on the wire

struct Flags {
  std::string config_files;  // separated by commas: the first that exists
  bool expand_env = false;
  SyntaxCheck check_syntax = SyntaxCheck::kNo;
  DryRun dry_run = DryRun::kNo;
  bool inspect = false;
  bool stdin_target = false;
  bool version = false;
  bool help = false;
  bool print_config = false;
  bool log_config_reverse = false;
  std::map<std::string, std::string> values;  // every other flag that was given, checked for its type
};

Result<Flags> parse_flags(std::span<const std::string> arguments);

/// Writes the given flags over the configuration; the client.* ones go to `client`.
void apply_flags(const Flags& flags, Config& config, ClientConfig& client);
/// The text of -client.external-labels as a map.
StringMap external_labels_of(const Flags& flags);

/// One line per flag, for -help.
std::string flags_usage();

}  // namespace kvasir::agent
