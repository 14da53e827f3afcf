// logfmt_scan.h -- cuts a line into key=value pairs.
//
// Notes:    bytes up to 0x20 separate pairs; a pair that breaks the rules is reported and can be skipped.
// Errors:   the texts are those that appear in __error_details__.
// Threads:  one thread per scanner.
#pragma once

#include <cstdint>
#include <string_view>

#include "logql/pipeline/arena.h"

namespace kvasir::logql {

class LogfmtScanner {
 public:
  enum class Step : std::uint8_t { kPair, kEnd, kError };
  struct Pair {
    std::string_view key;
    std::string_view value;   // unescaped; may lie in the arena
    bool has_value = false;   // an `=` follows the key
  };

  LogfmtScanner(std::string_view line, Arena& arena) : line_(line), arena_(arena) {}

  Step next(Pair& pair);
  /// After kError: what is wrong, and the 1-based byte where.
  std::string_view error() const { return error_; }
  std::size_t error_position() const { return error_at_ + 1; }
  /// After kError: passes the rest of the broken pair.
  void skip_pair();

 private:
  Step take_value(Pair& pair);
  Step take_quoted(Pair& pair);
  Step fail(std::string_view error, std::size_t at);

  std::string_view line_;
  Arena& arena_;
  std::size_t at_ = 0;
  std::string_view error_;
  std::size_t error_at_ = 0;
};

}  // namespace kvasir::logql
