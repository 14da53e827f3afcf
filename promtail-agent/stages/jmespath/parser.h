// parser.h -- JMESPath text to tree.
//
// Errors:   parse: `SyntaxError: ...` with the position; `unknown function: f`.
#pragma once

#include <string_view>

#include "common/result.h"
#include "promtail-agent/stages/jmespath/ast.h"

namespace kvasir::agent::jmespath {

Result<NodePtr> parse(std::string_view text);

}  // namespace kvasir::agent::jmespath
