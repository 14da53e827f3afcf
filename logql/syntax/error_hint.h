// error_hint.h -- what a terminal can add to an error of a query: where it is, and what was probably meant.
//
// Notes:    the texts of errors are the reference system's, and clients compare them; so a hint is found from the query
//           and the text afterwards, and never changes either.
// Threads:  free functions without state.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "logql/syntax/ast.h"

namespace kvasir::logql {

/// The place that `parse error at line 1, col 9: ...` names; message may have more around it. Line 0, which the
/// reference system says for some tokens, is line 1 if the query has only one.
std::optional<SourcePosition> error_position(std::string_view query, std::string_view message);

/// What to write instead, as a sentence; empty if nothing is near.
std::string error_hint(std::string_view query, std::string_view message);

/// The message, the line of the query with a caret below the place, and the hint; lines end with \n but for the last.
std::string explain_query_error(std::string_view query, std::string_view message);

}  // namespace kvasir::logql
