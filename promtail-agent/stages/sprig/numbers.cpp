// Sprig's arithmetic, conversions, and choices between values.
#include <algorithm>

#include "common/number.h"
#include "logql/pipeline/template/coercion.h"
#include "promtail-agent/stages/sprig/conversions.h"

namespace kvasir::agent::sprig {
namespace {

using gotemplate::coerce_to_int;

constexpr std::int64_t kUntilMax = 100'000;

// Go's integers wrap around.
Answer add1(const Call& call) {
  return Value::integer(static_cast<std::int64_t>(static_cast<std::uint64_t>(coerce_to_int(call[0])) + 1));
}
Answer to_int(const Call& call) { return Value::integer(coerce_to_int(call[0])); }
Answer atoi(const Call& call) { return Value::integer(parse_int64(call.text(0)).value_or(0)); }

Answer empty(const Call& call) { return Value::boolean(!call[0].truth()); }
Answer coalesce(const Call& call) {
  for (const Value& value : call.arguments)
    if (value.truth()) return value;
  return Value();
}
Answer ternary(const Call& call) {
  if (call[2].kind() != Kind::kBool) return wrong("ternary needs a bool");
  return call[2].as_bool() ? call[0] : call[1];
}
Answer all(const Call& call) {
  return Value::boolean(
      std::all_of(call.arguments.begin(), call.arguments.end(), [](const Value& v) { return v.truth(); }));
}
Answer any(const Call& call) {
  return Value::boolean(
      std::any_of(call.arguments.begin(), call.arguments.end(), [](const Value& v) { return v.truth(); }));
}

std::string_view kind_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kNil: return "invalid";
    case Kind::kBool: return "bool";
    case Kind::kInt: return "int";
    case Kind::kFloat: return "float64";
    case Kind::kString: return "string";
    case Kind::kTime: return "struct";
    case Kind::kList: return "slice";
    case Kind::kMap: return "map";
  }
  return "invalid";
}

Answer kind_of(const Call& call) { return call.string(kind_name(call[0])); }
Answer kind_is(const Call& call) { return Value::boolean(kind_name(call[1]) == call.text(0)); }
Answer type_of(const Call& call) {
  return call.string(call[0].is_nil() ? std::string_view("<nil>") : call[0].type_name());
}
Answer type_is(const Call& call) { return Value::boolean(call[1].type_name() == call.text(0)); }

Answer until(const Call& call) {
  const std::int64_t count = call.integer(0);
  if (count > kUntilMax || count < -kUntilMax) return wrong("until: the list is too long");
  List items;
  for (std::int64_t i = 0; i != count; i += count > 0 ? 1 : -1) items.push_back(Value::integer(i));
  return new_list(call, std::move(items));
}

// 1..n, a..b or a..b by a step, as text.
Answer seq(const Call& call) {
  std::int64_t first = 1;
  std::int64_t step = 1;
  std::int64_t last = 0;
  if (call.size() == 1) last = coerce_to_int(call[0]);
  if (call.size() >= 2) first = coerce_to_int(call[0]), last = coerce_to_int(call[call.size() - 1]);
  if (call.size() == 3) step = coerce_to_int(call[1]);
  else step = first <= last ? 1 : -1;
  std::string out;
  for (std::int64_t i = first, n = 0; step != 0 && (step > 0 ? i <= last : i >= last); i += step) {
    if (++n > kUntilMax) return wrong("seq: the list is too long");
    if (!out.empty()) out += ' ';
    out += std::to_string(i);
  }
  return call.string(out);
}

Answer fail_with(const Call& call) { return wrong(std::string(call.text(0))); }

}  // namespace

void add_number_functions(FunctionSet& set) {
  set.add("add1", "a", add1).add("int64", "a", to_int).add("atoi", "s", atoi);
  set.add("empty", "a", empty)
      .add("coalesce", "a*", coalesce)
      .add("ternary", "aaa", ternary)
      .add("all", "a*", all)
      .add("any", "a*", any);
  set.add("kindOf", "a", kind_of).add("kindIs", "sa", kind_is).add("typeOf", "a", type_of).add("typeIs", "sa", type_is);
  set.add("until", "i", until).add("seq", "aa*", seq).add("fail", "s", fail_with);
}

}  // namespace kvasir::agent::sprig
