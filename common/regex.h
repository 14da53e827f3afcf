// regex.h -- compiles RE2 patterns the way Go programs expect them, with Go's error texts.
//
// Dialect:  RE2 with Perl classes; `(?P<name>...)` and `(?<name>...)` both name a group.
// Limits:   program memory is bounded (kRegexMemoryMax); RE2 never backtracks.
// Errors:   parse: `error parsing regexp: missing closing ]: `[``, as Go words it.
// Threads:  a compiled pattern is immutable and may be shared.
#pragma once

#include <memory>
#include <string>
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

/// True if the pattern matches somewhere (everywhere, if it was compiled so). A byte that is no UTF-8 counts as U+FFFD,
/// as in Go; RE2 alone has nothing that would match it.
bool regex_matches(const re2::RE2& regex, std::string_view text);

/// A text to search in with groups: what RE2 is given, and the way back to the bytes as they are.
class RegexSubject {
 public:
  /// `text` must outlive the subject.
  explicit RegexSubject(std::string_view text);
  RegexSubject(const RegexSubject&) = delete;
  RegexSubject& operator=(const RegexSubject&) = delete;

  re2::StringPiece text() const {
    return is_copy_ ? re2::StringPiece(copy_) : re2::StringPiece(original_.data(), original_.size());
  }
  /// The part of the original that was found; a group that took no part stays null.
  re2::StringPiece original(re2::StringPiece found) const;

 private:
  std::size_t original_offset(std::size_t offset) const;

  std::string_view original_;
  bool is_copy_ = false;
  std::string copy_;
};

}  // namespace kvasir
