// arithmetic.h -- what a binary operator does to two doubles; shared by constant folding and the engine.
#pragma once

#include "logql/syntax/ast.h"

namespace kvasir::logql {

/// Arithmetic gives the number, a comparison 1 or 0. Division and remainder by zero give NaN.
/// REQUIRES: not a set operator.
double apply(BinaryOp op, double left, double right);

}  // namespace kvasir::logql
