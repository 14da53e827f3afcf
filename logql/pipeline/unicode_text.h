// unicode_text.h -- white space, letters and case of Unicode text, as Go's strings and unicode packages see them.
//
// Notes:    invalid bytes count as one character that is neither space nor letter and has no case.
// Threads:  free functions without state.
#pragma once

#include <string>
#include <string_view>

#include "logql/pipeline/arena.h"

namespace kvasir::logql {

bool is_unicode_space(char32_t c);
std::string_view trim_unicode_space(std::string_view text);
std::string_view trim_unicode_space_left(std::string_view text);

/// Simple mappings, one code point to one.
char32_t to_upper(char32_t c);
char32_t to_lower(char32_t c);
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
/// One space for each U+FFFD and each invalid byte; `text` itself if there is none.
std::string_view spaces_for_bad_utf8(std::string_view text, Arena& arena);

bool is_unicode_letter(char32_t c);
bool is_unicode_digit(char32_t c);

}  // namespace kvasir::logql
