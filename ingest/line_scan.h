// line_scan.h -- walks over a line's logfmt pairs and JSON keys without building anything; any surprise ends the walk.
//
// Lifetime: views point into the line.
// Threads:  free functions and locals.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kvasir::ingest {

struct LogfmtPair {
  std::string_view key;
  std::string_view value;  // between quotes where quoted, escapes kept
};

/// The next pair of `rest`, which is advanced; a word without `=` comes with an empty value.
std::optional<LogfmtPair> next_logfmt_pair(std::string_view& rest);

std::string_view trim_blanks(std::string_view text);

/// Walks a JSON object and gives its string members in the order of the text, those of inner objects among them.
class JsonStrings {
 public:
  /// depth_max: of objects that are entered; 0 = any.
  JsonStrings(std::string_view text, std::uint64_t depth_max);

  struct Member {
    std::string_view key;    // escapes kept
    std::string_view value;
  };
  std::optional<Member> next();

 private:
  void skip_space();
  bool take(char c);
  std::optional<std::string_view> string();
  bool skip_value();

  const char* at_;
  const char* end_;
  std::uint64_t depth_max_;
  std::uint64_t depth_ = 0;
};

}  // namespace kvasir::ingest
