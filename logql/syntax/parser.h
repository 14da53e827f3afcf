// parser.h -- LogQL text to tree.
//
// Dialect:  Loki 3.7's LogQL, and our pipes, `let` and the empty selector (docs/logql-extensions.md).
// Errors:   parse, worded as Loki words it: `parse error at line 1, col 5: syntax error: unexpected }, expecting
//           STRING`. In syntax of ours the message also says what to write instead.
// Limits:   kQueryBytesMax of text; kExpressionDepthMax of nesting; kExpressionSizeMax of nodes.
// Threads:  free functions without state.
#pragma once

#include <string_view>

#include "common/result.h"
#include "logql/syntax/ast.h"

namespace kvasir::logql {

inline constexpr std::size_t kQueryBytesMax = 131072;
inline constexpr int kExpressionDepthMax = 500;
inline constexpr std::size_t kExpressionSizeMax = 10000;  // nodes; names bound by let count as what they stand for
inline constexpr std::size_t kMatchersMax = 1000;  // per selector

Result<ExprPtr> parse_query(std::string_view text);

/// A bare selector with an optional pipeline, for series, tail, delete and rules of streams. Metric queries are an
/// error.
Result<LogQuery> parse_log_query(std::string_view text);

/// A bare selector: what `match[]` and retention rules carry. Anything else: `only label matchers are supported`.
Result<Selector> parse_selector(std::string_view text);

}  // namespace kvasir::logql
