// logfmt_parser.h -- key=value records.
//
// Grammar:  bytes up to 0x20 divide; a key is a run without `=`, `"` and those; a bare key has the value ""; a quoted
//           value has JSON's escapes. After an error the rest of the physical line is not read; pairs before it count.
// Lifetime: keys are views of the text; values too, or of the arena.
// Limits:   none on lengths.
#pragma once

#include <string_view>

namespace kvasir::agent {

class Arena;

struct LogfmtPair {
  std::string_view key;
  std::string_view value;
};

class LogfmtParser {
 public:
  LogfmtParser(std::string_view text, Arena& arena) : rest_(text), arena_(arena) {}
  /// The next pair; false at the end of the text.
  bool next(LogfmtPair& pair);
  /// Records that were cut short by an error.
  int errors() const { return errors_; }

 private:
  bool read_pair(LogfmtPair& pair);
  bool read_value(std::string_view& value);
  bool read_quoted(std::string_view& value);

  std::string_view rest_;
  Arena& arena_;
  int errors_ = 0;
};

}  // namespace kvasir::agent
