// regex_literals.h -- what a regular expression says about plain bytes, for searching before matching.
//
// Law:      every text that the expression matches somewhere contains all of required_literals(). Constructs that are
//           not understood give nothing, never a wrong literal (property-tested against RE2).
// Threads:  free functions without state.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir::logql {

/// The expression is just this text.
std::optional<std::string> regex_as_literal(std::string_view expression);
/// The expression is `(?i)` and then just this text.
std::optional<std::string> regex_as_caseless_literal(std::string_view expression);
/// Byte strings that every match holds; may be empty.
std::vector<std::string> required_literals_of_regex(std::string_view expression);

}  // namespace kvasir::logql
