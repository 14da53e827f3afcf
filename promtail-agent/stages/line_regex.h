// line_regex.h -- RE2 on log lines, which may hold bytes that are not UTF-8.
//
// Bytes:    in Go a byte that is not UTF-8 counts as U+FFFD, one byte wide; RE2 would not match it at all. Such texts
//           are matched in a copy where each bad byte is U+FFFD, and the groups are cut from the original.
// Lifetime: groups are views of the text searched.
// Errors:   compile(): parse, in Go's words.
// Threads:  immutable; one Scratch per thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <re2/re2.h>

#include "common/result.h"

namespace kvasir::agent {

class LineRegex {
 public:
  struct NamedGroup {
    int index;
    std::string name;
  };

  /// Memory for one search after the other.
  struct Scratch {
    std::vector<re2::StringPiece> pieces;
    std::string sanitised;
    std::vector<std::uint32_t> offsets;  // of each byte of `sanitised` in the text
  };

  static Result<LineRegex> compile(std::string_view pattern);

  bool search(std::string_view text) const;
  /// The first match at or after `from`. groups[0] is all of it; a group that took no part has a null data pointer.
  bool search(std::string_view text, std::size_t from, std::vector<std::string_view>& groups, Scratch& scratch) const;

  int group_count() const { return regex_->NumberOfCapturingGroups(); }
  /// In the order of the groups.
  const std::vector<NamedGroup>& named_groups() const { return named_groups_; }

 private:
  std::shared_ptr<const re2::RE2> regex_;
  std::vector<NamedGroup> named_groups_;
};

/// As common's, with a fast path for ASCII.
bool is_utf8_line(std::string_view text);

}  // namespace kvasir::agent
