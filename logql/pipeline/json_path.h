// json_path.h -- the paths of `| json x="a.b[0]"`: field names, quoted keys, array indexes.
//
// Grammar:  (field | ["key"] | [index]) { .field | ["key"] | [index] }
// Errors:   parse: `cannot parse expression [b..c]: syntax error: unexpected DOT, expecting FIELD`.
// Threads:  free functions without state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/result.h"

namespace kvasir::logql {

using JsonPathPart = std::variant<std::string, std::size_t>;
using JsonPath = std::vector<JsonPathPart>;

Result<JsonPath> parse_json_path(std::string_view expression);

/// The expression of `| logfmt x="key"`: an identifier, or a quoted string with escapes.
Result<std::string> parse_logfmt_key(std::string_view expression);

}  // namespace kvasir::logql
