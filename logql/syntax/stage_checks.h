// stage_checks.h -- what is wrong with the expression of `| regexp "..."` and `| pattern "..."`.
//
// Errors:   the text that follows `invalid regexp parser: ` and `invalid pattern parser: `; empty if the expression is
//           fine.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::logql {

std::string regexp_parser_problem(std::string_view expression);
std::string pattern_parser_problem(std::string_view expression);

}  // namespace kvasir::logql
