#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "common/number.h"
#include "logql/pipeline/template/coercion.h"
#include "logql/pipeline/template/function_groups.h"
#include "logql/pipeline/value_text.h"

namespace kvasir::gotemplate {

namespace {

Unexpected refuse(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

// ---- integers wrap around, as Go's do

std::int64_t wrap(std::uint64_t value) { return static_cast<std::int64_t>(value); }

std::int64_t plus(std::int64_t a, std::int64_t b) {
  return wrap(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t times(std::int64_t a, std::int64_t b) {
  return wrap(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}
std::int64_t larger(std::int64_t a, std::int64_t b) { return std::max(a, b); }
std::int64_t smaller(std::int64_t a, std::int64_t b) { return std::min(a, b); }

template <std::int64_t (*Combine)(std::int64_t, std::int64_t)>
Result<Value> fold(const Call& call) {
  std::int64_t result = call.size() == 0 ? 0 : coerce_to_int(call[0]);
  for (std::size_t i = 1; i < call.size(); ++i) result = Combine(result, coerce_to_int(call[i]));
  return Value::integer(result);
}

Result<Value> sub(const Call& call) {
  const auto a = static_cast<std::uint64_t>(coerce_to_int(call[0]));
  return Value::integer(wrap(a - static_cast<std::uint64_t>(coerce_to_int(call[1]))));
}

Result<Value> divide(const Call& call) {
  const std::int64_t a = coerce_to_int(call[0]), b = coerce_to_int(call[1]);
  if (b == 0) return refuse("runtime error: integer divide by zero");
  return Value::integer(b == -1 ? wrap(-static_cast<std::uint64_t>(a)) : a / b);
}

Result<Value> modulo(const Call& call) {
  const std::int64_t a = coerce_to_int(call[0]), b = coerce_to_int(call[1]);
  if (b == 0) return refuse("runtime error: integer divide by zero");
  return Value::integer(b == -1 ? 0 : a % b);
}

// ---- decimals: extended precision and one rounding at the end give what decimal arithmetic gives

using Decimal = long double;

// The decimal that is shown, not the binary value: 0.1 is a tenth.
Decimal to_decimal(const Value& value) {
  const double real = coerce_to_float(value);
  return std::isfinite(real) ? std::strtold(format_go_float(real).c_str(), nullptr) : static_cast<Decimal>(real);
}

Decimal add_decimal(Decimal a, Decimal b) { return a + b; }
Decimal subtract_decimal(Decimal a, Decimal b) { return a - b; }
Decimal multiply_decimal(Decimal a, Decimal b) { return a * b; }

// Quotients keep sixteen digits behind the point.
Decimal divide_decimal(Decimal a, Decimal b) {
  constexpr Decimal kScale = 1e16L;
  const Decimal quotient = a / b;
  return std::fabs(quotient) < 100 ? std::round(quotient * kScale) / kScale : quotient;
}

template <Decimal (*Combine)(Decimal, Decimal)>
Result<Value> fold_decimals(const Call& call) {
  Decimal result = call.size() == 0 ? 0 : to_decimal(call[0]);
  for (std::size_t i = 1; i < call.size(); ++i) result = Combine(result, to_decimal(call[i]));
  return Value::real(static_cast<double>(result));
}

Result<Value> divide_decimals(const Call& call) {
  for (std::size_t i = 1; i < call.size(); ++i) {
    if (coerce_to_float(call[i]) == 0) return refuse("decimal division by 0");
  }
  return fold_decimals<divide_decimal>(call);
}

// ---- floats

Result<Value> largest(const Call& call) {
  double result = coerce_to_float(call[0]);
  for (std::size_t i = 1; i < call.size(); ++i) result = std::max(result, coerce_to_float(call[i]));
  return Value::real(result);
}

Result<Value> smallest(const Call& call) {
  double result = coerce_to_float(call[0]);
  for (std::size_t i = 1; i < call.size(); ++i) result = std::min(result, coerce_to_float(call[i]));
  return Value::real(result);
}

// Up when the fraction reaches `on`, down otherwise; so -1.5 gives -2.
Result<Value> round_places(const Call& call) {
  const double on = call.size() > 2 ? coerce_to_float(call[2]) : 0.5;
  const double power = std::pow(10.0, static_cast<double>(coerce_to_int(call[1])));
  const double scaled = power * coerce_to_float(call[0]);
  double whole = 0;
  const double fraction = std::modf(scaled, &whole);
  return Value::real((fraction >= on ? std::ceil(scaled) : std::floor(scaled)) / power);
}

Result<Value> bytes(const Call& call) {
  std::string details;
  const auto size = logql::parse_bytes_text(call.text(0), details);
  if (!size) return refuse(details);
  return Value::real(static_cast<double>(*size));
}

Result<Value> duration_seconds(const Call& call) {
  std::string details;
  const auto duration = logql::parse_duration_text(call.text(0), details);
  if (!duration) return refuse(details);
  return Value::real(std::chrono::duration<double>(*duration).count());
}

Result<Value> default_value(const Call& call) {
  return call.size() < 2 || !call[1].truth() ? call[0] : call[1];
}

}  // namespace

void add_number_functions(FunctionSet& set) {
  set.add("int", "a", [](const Call& c) -> Result<Value> { return Value::integer(coerce_to_int(c[0])); });
  set.add("float64", "a", [](const Call& c) -> Result<Value> { return Value::real(coerce_to_float(c[0])); });
  set.add("add", "a*", fold<plus>).add("sub", "aa", sub).add("mul", "aa*", fold<times>);
  set.add("div", "aa", divide).add("mod", "aa", modulo);
  set.add("max", "aa*", fold<larger>).add("min", "aa*", fold<smaller>);
  set.add("addf", "a*", fold_decimals<add_decimal>).add("subf", "aa*", fold_decimals<subtract_decimal>);
  set.add("mulf", "aa*", fold_decimals<multiply_decimal>).add("divf", "aa*", divide_decimals);
  set.add("maxf", "aa*", largest).add("minf", "aa*", smallest);
  set.add("ceil", "a", [](const Call& c) -> Result<Value> { return Value::real(std::ceil(coerce_to_float(c[0]))); });
  set.add("floor", "a", [](const Call& c) -> Result<Value> { return Value::real(std::floor(coerce_to_float(c[0]))); });
  set.add("round", "aia*", round_places);
  set.add("bytes", "s", bytes).add("duration", "s", duration_seconds).add("duration_seconds", "s", duration_seconds);
  set.add("default", "aa*", default_value);
  set.add("fromJson", "s",
          [](const Call& c) -> Result<Value> { return value_from_json(c.text(0), c.environment.heap); });
}

}  // namespace kvasir::gotemplate
