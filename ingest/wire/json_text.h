// json_text.h -- JSON string tokens as views: in place where nothing is escaped, else rewritten into an arena.
//
// Errors:   an empty optional if the token is no string or has a bad escape.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ingest/wire/text_arena.h"

namespace kvasir::ingest {

/// token: a raw JSON token, `"..."` with blanks around it allowed. A lone surrogate becomes U+FFFD.
std::optional<std::string_view> json_string(std::string_view token, TextArena& arena);

/// Appends `{a="x", b="y"}` pair by pair to arena text; values are quoted as Go does.
class LabelTextBuilder {
 public:
  void add(std::string_view name, std::string_view value);
  std::string_view finish(TextArena& arena);

 private:
  std::string text_ = "{";
};

}  // namespace kvasir::ingest
