#include "logql/syntax/arithmetic.h"

#include <cmath>
#include <limits>

namespace kvasir::logql {

double apply(BinaryOp op, double left, double right) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  switch (op) {
    case BinaryOp::kEqual: return left == right ? 1 : 0;
    case BinaryOp::kNotEqual: return left != right ? 1 : 0;
    case BinaryOp::kGreater: return left > right ? 1 : 0;
    case BinaryOp::kGreaterOrEqual: return left >= right ? 1 : 0;
    case BinaryOp::kLess: return left < right ? 1 : 0;
    case BinaryOp::kLessOrEqual: return left <= right ? 1 : 0;
    case BinaryOp::kAdd: return left + right;
    case BinaryOp::kSubtract: return left - right;
    case BinaryOp::kMultiply: return left * right;
    case BinaryOp::kDivide: return right == 0 ? kNaN : left / right;
    case BinaryOp::kModulo: return right == 0 ? kNaN : std::fmod(left, right);
    case BinaryOp::kPower: return std::pow(left, right);
    default: return kNaN;  // set operators have no value
  }
}

}  // namespace kvasir::logql
