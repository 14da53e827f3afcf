// functions.h -- the functions that a JMESPath expression may call.
//
// Errors:   invalid_argument: `Invalid type for: ...`, `incorrect number of args`.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "common/result.h"
#include "promtail-agent/stages/jmespath/ast.h"
#include "promtail-agent/stages/json_tree.h"

namespace kvasir::agent::jmespath {

bool is_function(std::string_view name);

/// One argument: a value, or an expression to be applied (`&expr`).
struct Argument {
  const JsonNode* value = nullptr;
  const Node* expression = nullptr;
};

/// What functions need of the evaluator.
struct CallContext {
  JsonPool& pool;
  std::function<Result<const JsonNode*>(const Node&, const JsonNode&)> evaluate;
};

/// REQUIRES: is_function(name).
Result<const JsonNode*> call_function(std::string_view name, std::span<const Argument> arguments, CallContext& context);

}  // namespace kvasir::agent::jmespath
