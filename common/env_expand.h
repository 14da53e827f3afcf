// env_expand.h -- replaces ${NAME} forms in the raw text of a configuration file.
//
// Shape:    text in, text out; only `${...}` is expanded, a bare `$NAME` stays. `$$` -> `$`, `\\` -> `\`, `\/` -> `/`.
//           ${V} ${V:-d} ${V:=d} ${V=d} ${V:?d} ${V:+d}   value, or d when V is unset or empty (nothing is ever
//           assigned) ${#V} ${V^} ${V^^} ${V,} ${V,,}               length in bytes; upper and lower case of the first
//           or every character ${V:pos} ${V:pos:len}                         part of the value
//           ${V#p} ${V##p} ${V%p} ${V%%p}                 without the shortest or longest prefix or suffix that matches
//           p ${V/a/b} ${V//a/b} ${V/#a/b} ${V/%a/b}        first, every, leading, trailing `a` becomes `b`
//           ${file:/path}                                 the content of a file without its last newline (secrets)
//           Arguments may hold further ${...}.
// Errors:   parse: "missing closing brace"; io: the file of ${file:...} cannot be read.
// Limits:   kEnvNestingMax levels; the expansion of one file of at most a few hundred KiB.
// Source:   reference behaviour of -config.expand-env in Loki and Promtail.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace kvasir {

inline constexpr int kEnvNestingMax = 16;

struct EnvSource {
  /// An empty optional for an unset variable.
  std::function<std::optional<std::string>(const std::string& name)> variable;
  /// Used by ${file:/path}; may be empty, then that form is an error.
  std::function<Result<std::string>(const std::string& path)> file;
};

Result<std::string> expand_env(std::string_view text, const EnvSource& source);

/// The environment of this process and its files.
EnvSource process_environment();

}  // namespace kvasir
