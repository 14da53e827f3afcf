// expression.h -- a compiled JMESPath expression.
//
// Lifetime: results point into the document, the pool or the expression; use them before the pool is cleared.
// Errors:   compile(): parse. evaluate(): invalid_argument (a function got the wrong type or number of arguments).
// Threads:  immutable; one pool per thread.
// Source:   docs/agent/stages.md; the language is that of jmespath.org without its later additions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "promtail-agent/stages/jmespath/ast.h"
#include "promtail-agent/stages/json_tree.h"

namespace kvasir::agent::jmespath {

class Expression {
 public:
  static Result<Expression> compile(std::string_view text);

  Result<const JsonNode*> evaluate(const JsonNode& root, JsonPool& pool) const;
  /// The names, if the expression is nothing but fields: a.b."c d".
  std::optional<std::vector<std::string>> as_path() const;

 private:
  explicit Expression(NodePtr root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

}  // namespace kvasir::agent::jmespath
