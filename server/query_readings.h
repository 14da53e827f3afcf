// query_readings.h -- the places at which a query reads logs, and how far from its own times.
//
// Lifetime: readings point into the expression.
// Threads:  free functions.
#pragma once

#include <vector>

#include "common/time.h"
#include "logql/syntax/ast.h"

namespace kvasir::server {

struct Reading {
  const logql::Selector* selector = nullptr;
  const std::vector<logql::Stage>* stages = nullptr;
  Duration before{0};   // the range goes so much further back
  Duration offset{0};   // and is moved back by this, or forward if it is negative
};

/// Left to right. `variants` and what `let` names are not followed further than their expressions.
std::vector<Reading> collect_readings(const logql::Expr& expr);

}  // namespace kvasir::server
