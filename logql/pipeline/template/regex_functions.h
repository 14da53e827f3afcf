// regex_functions.h -- Go's regexp.ReplaceAllString, its literal form, and counting, on RE2.
//
// Threads:  free functions without state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <re2/re2.h>

namespace kvasir::gotemplate {

/// `$1`, `${1}`, `$name`, `$$` in the replacement are expanded.
std::string regex_replace_all(const re2::RE2& regex, std::string_view text, std::string_view replacement);
std::string regex_replace_all_literal(const re2::RE2& regex, std::string_view text, std::string_view replacement);
/// Matches that do not overlap.
std::int64_t regex_count(const re2::RE2& regex, std::string_view text);

}  // namespace kvasir::gotemplate
