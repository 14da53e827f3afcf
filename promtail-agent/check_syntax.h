// check_syntax.h -- everything that is wrong in a configuration file (-check-syntax).
//
// Shape:    reads the file, goes on behind keys and values that are wrong, builds every relabel rule and pipeline and
//           throws them away. Text that is not YAML, or has a key twice, ends the check where it stands.
// Notes:    what only the machine it will run on can tell (ports, certificates, folders) is not asked.
#pragma once

#include <string>
#include <vector>

#include "promtail-agent/config/load.h"

namespace kvasir::agent {

struct SyntaxReport {
  std::vector<ConfigProblem> problems;  // by line
  std::vector<std::string> warnings;
};

/// Of a configuration that was read; `problems` of reading it are taken over.
SyntaxReport check_loaded(const LoadedConfig& loaded);
/// Prints the report, as `file:line: text`. The exit code.
int run_check_syntax(const Flags& flags);

}  // namespace kvasir::agent
