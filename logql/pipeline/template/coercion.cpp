#include "logql/pipeline/template/coercion.h"

#include <cmath>

#include "logql/pipeline/template/quoting.h"
#include "logql/pipeline/value_text.h"

namespace kvasir::gotemplate {

namespace {

std::int64_t truncate(double value) {
  if (std::isnan(value)) return INT64_MIN;
  if (value >= 9223372036854775808.0) return INT64_MAX;
  if (value <= -9223372036854775808.0) return INT64_MIN;
  return static_cast<std::int64_t>(value);
}

// `3.7` without its fraction; only a plain decimal has one.
std::string_view without_fraction(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return text;
  for (const char c : text.substr(dot + 1)) {
    if (c < '0' || c > '9') return text;
  }
  return text.substr(0, dot);
}

}  // namespace

std::int64_t coerce_to_int(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kBool:
    case Value::Kind::kInt: return value.as_int();
    case Value::Kind::kFloat: return truncate(value.as_real());
    case Value::Kind::kString: return parse_go_integer(without_fraction(value.as_string())).value_or(0);
    default: return 0;
  }
}

double coerce_to_float(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kBool:
    case Value::Kind::kInt: return static_cast<double>(value.as_int());
    case Value::Kind::kFloat: return value.as_real();
    case Value::Kind::kString: {
      std::string ignored;
      return logql::parse_number_text(value.as_string(), ignored).value_or(0);
    }
    default: return 0;
  }
}

}  // namespace kvasir::gotemplate
