// regex.h -- compiles RE2 patterns the way Go programs expect them, with Go's error texts.
//
// Dialect:  RE2 with Perl classes; `(?P<name>...)` and `(?<name>...)` both name a group.
// Limits:   program memory is bounded (kRegexMemoryMax); RE2 never backtracks.
// Errors:   parse: `error parsing regexp: missing closing ]: `[``, as Go words it.
// Threads:  a compiled pattern is immutable and may be shared.
#pragma once

#include <memory>
#include <string_view>

#include <re2/re2.h>

#include "common/result.h"

namespace kvasir {

inline constexpr std::int64_t kRegexMemoryMax = 16 << 20;  // bytes per pattern: program and automaton cache

struct RegexOptions {
  bool anchored = false;           // as if ^(?:pattern)$
  bool dot_matches_newline = false;
  bool case_insensitive = false;
};

Result<std::shared_ptr<const re2::RE2>> compile_regex(std::string_view pattern, RegexOptions options);

}  // namespace kvasir
