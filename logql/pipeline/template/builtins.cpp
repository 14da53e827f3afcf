#include <cmath>

#include "logql/pipeline/template/escaping.h"
#include "logql/pipeline/template/functions.h"
#include "logql/pipeline/template/printf.h"

namespace kvasir::gotemplate {

namespace {

using Kind = Value::Kind;

Unexpected refuse(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

std::string type_text(const Value& value) { return std::string(value.type_name()); }

// ---- comparison

bool comparable(const Value& value) {
  return value.kind() == Kind::kBool || value.kind() == Kind::kInt || value.kind() == Kind::kFloat ||
         value.is_string() || value.kind() == Kind::kTime;
}

bool equal_values(const Value& a, const Value& b) {
  switch (a.kind()) {
    case Kind::kBool: return a.as_bool() == b.as_bool();
    case Kind::kInt: return a.as_int() == b.as_int();
    case Kind::kFloat: return a.as_real() == b.as_real();
    case Kind::kString: return a.as_string() == b.as_string();
    case Kind::kTime: return a.as_time() == b.as_time();
    default: return false;
  }
}

Result<bool> equals_any(const Call& call) {
  const Value& first = call[0];
  if (call.size() < 2) return refuse("missing argument for comparison");
  for (std::size_t i = 1; i < call.size(); ++i) {
    const Value& other = call[i];
    if (first.is_nil() || other.is_nil()) {
      if (first.is_nil() && other.is_nil()) return true;
      continue;
    }
    if (first.kind() != other.kind()) return refuse("incompatible types for comparison");
    if (!comparable(first)) {
      return refuse("non-comparable type " + type_text(first) + ": " + go_sprint(call.arguments.subspan(0, 1)));
    }
    if (equal_values(first, other)) return true;
  }
  return false;
}

Result<bool> less(const Value& a, const Value& b) {
  const auto ordered = [](const Value& v) {
    return v.kind() == Kind::kInt || v.kind() == Kind::kFloat || v.is_string();
  };
  if (a.is_nil() || b.is_nil()) return refuse("invalid type for comparison");
  if (a.kind() != b.kind()) return refuse("incompatible types for comparison");
  if (!ordered(a)) return refuse("invalid type for comparison");
  if (a.kind() == Kind::kInt) return a.as_int() < b.as_int();
  if (a.kind() == Kind::kFloat) return a.as_real() < b.as_real();
  return a.as_string() < b.as_string();
}

Result<Value> eq(const Call& call) {
  KVASIR_TRY(const bool equal, equals_any(call));
  return Value::boolean(equal);
}

Result<Value> ne(const Call& call) {
  KVASIR_TRY(const bool equal, equals_any(call));
  return Value::boolean(!equal);
}

Result<Value> lt(const Call& call) {
  KVASIR_TRY(const bool result, less(call[0], call[1]));
  return Value::boolean(result);
}

Result<Value> le(const Call& call) {
  KVASIR_TRY(const bool smaller, less(call[0], call[1]));
  return Value::boolean(smaller || equal_values(call[0], call[1]));
}

Result<Value> gt(const Call& call) {
  KVASIR_TRY(const bool smaller, less(call[0], call[1]));
  const bool unordered =
      call[0].kind() == Kind::kFloat && (std::isnan(call[0].as_real()) || std::isnan(call[1].as_real()));
  return Value::boolean(!smaller && !unordered && !equal_values(call[0], call[1]));
}

Result<Value> ge(const Call& call) {
  KVASIR_TRY(const bool smaller, less(call[0], call[1]));
  const bool unordered =
      call[0].kind() == Kind::kFloat && (std::isnan(call[0].as_real()) || std::isnan(call[1].as_real()));
  return Value::boolean(!smaller && !unordered);
}

// ---- collections

Result<std::size_t> checked_index(const Value& index, std::size_t size) {
  if (index.is_nil()) return refuse("cannot index slice/array with nil");
  if (index.kind() != Kind::kInt) return refuse("cannot index slice/array with type " + type_text(index));
  if (index.as_int() < 0 || static_cast<std::uint64_t>(index.as_int()) >= size) {
    return refuse("index out of range: " + std::to_string(index.as_int()));
  }
  return static_cast<std::size_t>(index.as_int());
}

Result<Value> index_one(const Value& item, const Value& index) {
  switch (item.kind()) {
    case Kind::kNil: return refuse("index of untyped nil");
    case Kind::kList: {
      KVASIR_TRY(const std::size_t at, checked_index(index, item.as_list().size()));
      return item.as_list()[at];
    }
    case Kind::kString: {
      KVASIR_TRY(const std::size_t at, checked_index(index, item.as_string().size()));
      return Value::integer(static_cast<unsigned char>(item.as_string()[at]));
    }
    case Kind::kMap:
      if (index.is_nil()) return refuse("value is nil; should be of type string");
      if (!index.is_string()) return refuse("value has type " + type_text(index) + "; should be string");
      return item.as_map().find(index.as_string()).value_or(item.as_map().missing());
    default: return refuse("can't index item of type " + type_text(item));
  }
}

Result<Value> index(const Call& call) {
  Value item = call[0];
  if (item.is_nil()) return refuse("index of untyped nil");
  for (std::size_t i = 1; i < call.size(); ++i) {
    KVASIR_TRY(item, index_one(item, call[i]));
  }
  return item;
}

Result<Value> length(const Call& call) {
  const Value& item = call[0];
  switch (item.kind()) {
    case Kind::kString: return Value::integer(static_cast<std::int64_t>(item.as_string().size()));
    case Kind::kList: return Value::integer(static_cast<std::int64_t>(item.as_list().size()));
    case Kind::kMap: return Value::integer(static_cast<std::int64_t>(item.as_map().size()));
    case Kind::kNil: return refuse("len of untyped nil");
    default: return refuse("len of type " + type_text(item));
  }
}

Result<Value> slice(const Call& call) {
  const Value& item = call[0];
  const bool text = item.is_string();
  if (item.is_nil()) return refuse("slice of untyped nil");
  if (!text && item.kind() != Kind::kList) return refuse("can't slice item of type " + type_text(item));
  if (call.size() > 4) return refuse("too many slice indexes: " + std::to_string(call.size() - 1));
  if (text && call.size() == 4) return refuse("cannot 3-index slice a string");
  const std::size_t size = text ? item.as_string().size() : item.as_list().size();
  std::size_t bounds[2] = {0, size};
  for (std::size_t i = 1; i < call.size() && i <= 2; ++i) {
    KVASIR_TRY(bounds[i - 1], checked_index(call[i], size + 1));
  }
  if (bounds[0] > bounds[1]) {
    return refuse("invalid slice index: " + std::to_string(bounds[0]) + " > " + std::to_string(bounds[1]));
  }
  if (text) return Value::string(item.as_string().substr(bounds[0], bounds[1] - bounds[0]));
  List& out = call.environment.heap.list();
  out.assign(item.as_list().begin() + static_cast<std::ptrdiff_t>(bounds[0]),
             item.as_list().begin() + static_cast<std::ptrdiff_t>(bounds[1]));
  return Value::list(&out);
}

// ---- text

Result<Value> print(const Call& call) { return call.string(go_sprint(call.arguments)); }
Result<Value> println(const Call& call) { return call.string(go_sprintln(call.arguments)); }
Result<Value> printf(const Call& call) { return call.string(go_sprintf(call.text(0), call.arguments.subspan(1))); }

// One string as it is, anything else printed.
std::string printed(const Call& call) {
  return call.size() == 1 && call[0].is_string() ? std::string(call.text(0)) : go_sprint(call.arguments);
}

Result<Value> html(const Call& call) { return call.string(escape_html(printed(call))); }
Result<Value> js(const Call& call) { return call.string(escape_js(printed(call))); }
Result<Value> urlquery(const Call& call) { return call.string(escape_query(printed(call))); }

Result<Value> logical_not(const Call& call) { return Value::boolean(!call[0].truth()); }

Result<Value> call_function(const Call& call) {
  if (call[0].is_nil()) return refuse("call of nil");
  return refuse("non-function " + go_sprint(call.arguments.subspan(0, 1)) + " of type " + type_text(call[0]));
}

// The executor evaluates `and` and `or` itself; the entries make the names known.
Result<Value> last_of(const Call& call) { return call[call.size() - 1]; }

FunctionSet make_builtins() {
  FunctionSet set;
  set.add("and", "a*", last_of).add("or", "a*", last_of).add("not", "a", logical_not);
  set.add("eq", "aa*", eq)
      .add("ne", "aa", ne)
      .add("lt", "aa", lt)
      .add("le", "aa", le)
      .add("gt", "aa", gt)
      .add("ge", "aa", ge);
  set.add("len", "a", length).add("index", "aa*", index).add("slice", "aa*", slice);
  set.add("print", "a*", print).add("printf", "sa*", printf).add("println", "a*", println);
  set.add("html", "a*", html).add("js", "a*", js).add("urlquery", "a*", urlquery);
  set.add("call", "aa*", call_function);
  return set;
}

}  // namespace

const FunctionSet& builtin_functions() {
  static const FunctionSet set = make_builtins();
  return set;
}

}  // namespace kvasir::gotemplate
