// quoting.h -- Go's literals: quoted strings, characters, integers in any base, floats.
//
// Threads:  free functions without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvasir::gotemplate {

/// strconv.Unquote of "..." or `...`, quotes included.
std::optional<std::string> unquote_go(std::string_view literal);
/// The code point of 'c', quotes included.
std::optional<char32_t> unquote_go_character(std::string_view literal);

/// An integer with optional sign and base prefix: 42, -5, 0x1F, 0b101, 0o17, 017, 1_000.
std::optional<std::int64_t> parse_go_integer(std::string_view text);
/// A float as Go source writes it, underscores included.
std::optional<double> parse_go_float_literal(std::string_view text);

}  // namespace kvasir::gotemplate
