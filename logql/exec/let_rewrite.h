// let_rewrite.h -- replaces the names that `let` bound by what they stand for.
//
// Meaning:  `let before = count_over_time({service="s", version="v1"}[1h]); let after = ...v2...; (after - before) /
//           before` means the totals, whatever other labels the streams carry: bare range aggregations that meet in
//           arithmetic without on() or ignoring() are first summed (or grouped) by the labels that every one of their
//           selectors pins to one value.
// Source:   docs/logql-extensions.md
#pragma once

#include "logql/syntax/ast.h"

namespace kvasir::logql {

/// A tree without LetExpression and LetVariable.
ExprPtr resolve_let(const ExprPtr& expr);

}  // namespace kvasir::logql
