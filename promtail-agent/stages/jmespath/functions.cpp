#include "promtail-agent/stages/jmespath/functions.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/number.h"
#include "common/utf8.h"

namespace kvasir::agent::jmespath {
namespace {

using Arguments = std::span<const Argument>;
using Answer = Result<const JsonNode*>;

std::string_view type_name(const JsonNode& node) {
  switch (node.type) {
    case JsonType::kNull: return "null";
    case JsonType::kBool: return "boolean";
    case JsonType::kNumber: return "number";
    case JsonType::kString: return "string";
    case JsonType::kArray: return "array";
    case JsonType::kObject: return "object";
  }
  return "null";
}

Unexpected wrong_type(const Argument& argument) {
  const std::string_view what = argument.value == nullptr ? "expression" : type_name(*argument.value);
  return fail(ErrorCode::kInvalidArgument, "Invalid type for: " + std::string(what));
}

bool is(const Argument& argument, JsonType type) { return argument.value != nullptr && argument.value->type == type; }

bool all_of_type(const JsonNode& array, JsonType type) {
  return std::all_of(array.items.begin(), array.items.end(),
                     [type](const JsonNode* item) { return item->type == type; });
}

bool array_of(const Argument& argument, JsonType type) {
  return is(argument, JsonType::kArray) && all_of_type(*argument.value, type);
}

bool less(const JsonNode& a, const JsonNode& b) {
  return a.type == JsonType::kString ? a.text < b.text : a.number < b.number;
}

Answer numeric(Arguments args, CallContext& context, double (*f)(double)) {
  if (!is(args[0], JsonType::kNumber)) return wrong_type(args[0]);
  return context.pool.of(f(args[0].value->number));
}

Answer f_abs(Arguments args, CallContext& context) {
  return numeric(args, context, [](double x) { return std::fabs(x); });
}
Answer f_ceil(Arguments args, CallContext& context) {
  return numeric(args, context, [](double x) { return std::ceil(x); });
}
Answer f_floor(Arguments args, CallContext& context) {
  return numeric(args, context, [](double x) { return std::floor(x); });
}

double total(const JsonNode& array) {
  double sum = 0;
  for (const JsonNode* item : array.items) sum += item->number;
  return sum;
}

Answer f_sum(Arguments args, CallContext& context) {
  if (!array_of(args[0], JsonType::kNumber)) return wrong_type(args[0]);
  return context.pool.of(total(*args[0].value));
}

Answer f_avg(Arguments args, CallContext& context) {
  if (!array_of(args[0], JsonType::kNumber)) return wrong_type(args[0]);
  const std::size_t count = args[0].value->items.size();
  if (count == 0) return context.pool.of(std::numeric_limits<double>::quiet_NaN());
  return context.pool.of(total(*args[0].value) / static_cast<double>(count));
}

Answer f_contains(Arguments args, CallContext& context) {
  if (args[1].value == nullptr) return wrong_type(args[1]);
  const JsonNode& needle = *args[1].value;
  if (is(args[0], JsonType::kString)) {
    const bool found =
        needle.type == JsonType::kString && args[0].value->text.find(needle.text) != std::string_view::npos;
    return context.pool.of(found);
  }
  if (!is(args[0], JsonType::kArray)) return wrong_type(args[0]);
  const auto& items = args[0].value->items;
  return context.pool.of(
      std::any_of(items.begin(), items.end(), [&](const JsonNode* item) { return json_equal(*item, needle); }));
}

Answer f_starts_with(Arguments args, CallContext& context) {
  for (const Argument& argument : args)
    if (!is(argument, JsonType::kString)) return wrong_type(argument);
  return context.pool.of(args[0].value->text.starts_with(args[1].value->text));
}

Answer f_ends_with(Arguments args, CallContext& context) {
  for (const Argument& argument : args)
    if (!is(argument, JsonType::kString)) return wrong_type(argument);
  return context.pool.of(args[0].value->text.ends_with(args[1].value->text));
}

Answer f_join(Arguments args, CallContext& context) {
  if (!is(args[0], JsonType::kString)) return wrong_type(args[0]);
  if (!array_of(args[1], JsonType::kString)) return wrong_type(args[1]);
  std::string joined;
  for (const JsonNode* item : args[1].value->items) {
    if (item != args[1].value->items.front()) joined += args[0].value->text;
    joined += item->text;
  }
  return context.pool.of(context.pool.arena().copy(joined));
}

Answer f_keys(Arguments args, CallContext& context) {
  if (!is(args[0], JsonType::kObject)) return wrong_type(args[0]);
  JsonNode* out = context.pool.make(JsonType::kArray);
  for (const JsonMember& member : args[0].value->members) out->items.push_back(context.pool.of(member.key));
  return out;
}

Answer f_values(Arguments args, CallContext& context) {
  if (!is(args[0], JsonType::kObject)) return wrong_type(args[0]);
  JsonNode* out = context.pool.make(JsonType::kArray);
  for (const JsonMember& member : args[0].value->members) out->items.push_back(member.value);
  return out;
}

std::size_t code_points(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(decode_utf8(text).length);
  return count;
}

Answer f_length(Arguments args, CallContext& context) {
  if (args[0].value == nullptr) return wrong_type(args[0]);
  const JsonNode& value = *args[0].value;
  switch (value.type) {
    case JsonType::kString: return context.pool.of(static_cast<double>(code_points(value.text)));
    case JsonType::kArray: return context.pool.of(static_cast<double>(value.items.size()));
    case JsonType::kObject: return context.pool.of(static_cast<double>(value.members.size()));
    default: return wrong_type(args[0]);
  }
}

Answer f_map(Arguments args, CallContext& context) {
  if (args[0].expression == nullptr) return wrong_type(args[0]);
  if (!is(args[1], JsonType::kArray)) return wrong_type(args[1]);
  JsonNode* out = context.pool.make(JsonType::kArray);
  for (const JsonNode* item : args[1].value->items) {
    KVASIR_TRY(const JsonNode* mapped, context.evaluate(*args[0].expression, *item));
    out->items.push_back(mapped);
  }
  return out;
}

bool ordered_array(const Argument& argument) {
  return array_of(argument, JsonType::kNumber) || array_of(argument, JsonType::kString);
}

const JsonNode* extreme(const JsonNode& array, bool largest, JsonPool& pool) {
  const JsonNode* best = nullptr;
  for (const JsonNode* item : array.items)
    if (best == nullptr || (largest ? less(*best, *item) : less(*item, *best))) best = item;
  return best == nullptr ? pool.null() : best;
}

Answer f_max(Arguments args, CallContext& context) {
  if (!ordered_array(args[0])) return wrong_type(args[0]);
  return extreme(*args[0].value, true, context.pool);
}

Answer f_min(Arguments args, CallContext& context) {
  if (!ordered_array(args[0])) return wrong_type(args[0]);
  return extreme(*args[0].value, false, context.pool);
}

struct Keyed {
  const JsonNode* key;
  const JsonNode* item;
};

// The items with their keys, all numbers or all strings.
Result<std::vector<Keyed>> keyed_items(Arguments args, CallContext& context) {
  if (!is(args[0], JsonType::kArray)) return wrong_type(args[0]);
  if (args[1].expression == nullptr) return wrong_type(args[1]);
  std::vector<Keyed> out;
  for (const JsonNode* item : args[0].value->items) {
    KVASIR_TRY(const JsonNode* key, context.evaluate(*args[1].expression, *item));
    const bool sortable = key->type == JsonType::kNumber || key->type == JsonType::kString;
    if (!sortable || (!out.empty() && out.front().key->type != key->type)) return wrong_type({key, nullptr});
    out.push_back({key, item});
  }
  return out;
}

Answer f_sort_by(Arguments args, CallContext& context) {
  KVASIR_TRY(auto keyed, keyed_items(args, context));
  std::stable_sort(keyed.begin(), keyed.end(), [](const Keyed& a, const Keyed& b) { return less(*a.key, *b.key); });
  JsonNode* out = context.pool.make(JsonType::kArray);
  for (const Keyed& entry : keyed) out->items.push_back(entry.item);
  return out;
}

Answer extreme_by(Arguments args, CallContext& context, bool largest) {
  KVASIR_TRY(auto keyed, keyed_items(args, context));
  const Keyed* best = nullptr;
  for (const Keyed& entry : keyed)
    if (best == nullptr || (largest ? less(*best->key, *entry.key) : less(*entry.key, *best->key))) best = &entry;
  return best == nullptr ? context.pool.null() : best->item;
}

Answer f_max_by(Arguments args, CallContext& context) { return extreme_by(args, context, true); }
Answer f_min_by(Arguments args, CallContext& context) { return extreme_by(args, context, false); }

Answer f_merge(Arguments args, CallContext& context) {
  JsonNode* out = context.pool.make(JsonType::kObject);
  for (const Argument& argument : args) {
    if (!is(argument, JsonType::kObject)) return wrong_type(argument);
    out->members.insert(out->members.end(), argument.value->members.begin(), argument.value->members.end());
  }
  normalise_members(out->members);
  return out;
}

Answer f_not_null(Arguments args, CallContext& context) {
  for (const Argument& argument : args) {
    if (argument.value == nullptr) return wrong_type(argument);
    if (argument.value->type != JsonType::kNull) return argument.value;
  }
  return context.pool.null();
}

std::string reversed(std::string_view text) {
  std::string out(text.size(), '\0');
  std::size_t at = text.size();
  while (!text.empty()) {
    const std::size_t length = decode_utf8(text).length;
    at -= length;
    out.replace(at, length, text.substr(0, length));
    text.remove_prefix(length);
  }
  return out;
}

Answer f_reverse(Arguments args, CallContext& context) {
  if (is(args[0], JsonType::kString)) return context.pool.of(context.pool.arena().copy(reversed(args[0].value->text)));
  if (!is(args[0], JsonType::kArray)) return wrong_type(args[0]);
  JsonNode* out = context.pool.make(JsonType::kArray);
  out->items.assign(args[0].value->items.rbegin(), args[0].value->items.rend());
  return out;
}

Answer f_sort(Arguments args, CallContext& context) {
  if (!ordered_array(args[0])) return wrong_type(args[0]);
  JsonNode* out = context.pool.make(JsonType::kArray);
  out->items = args[0].value->items;
  std::stable_sort(out->items.begin(), out->items.end(),
                   [](const JsonNode* a, const JsonNode* b) { return less(*a, *b); });
  return out;
}

Answer f_to_array(Arguments args, CallContext& context) {
  if (args[0].value == nullptr) return wrong_type(args[0]);
  if (is(args[0], JsonType::kArray)) return args[0].value;
  JsonNode* out = context.pool.make(JsonType::kArray);
  out->items.push_back(args[0].value);
  return out;
}

Answer f_to_number(Arguments args, CallContext& context) {
  if (args[0].value == nullptr) return wrong_type(args[0]);
  if (is(args[0], JsonType::kNumber)) return args[0].value;
  if (!is(args[0], JsonType::kString)) return context.pool.null();
  const auto number = parse_go_float(args[0].value->text);
  return number ? context.pool.of(*number) : context.pool.null();
}

Answer f_to_string(Arguments args, CallContext& context) {
  if (args[0].value == nullptr) return wrong_type(args[0]);
  if (is(args[0], JsonType::kString)) return args[0].value;
  std::string text;
  append_json(text, *args[0].value);
  return context.pool.of(context.pool.arena().copy(text));
}

Answer f_type(Arguments args, CallContext& context) {
  if (args[0].value == nullptr) return wrong_type(args[0]);
  return context.pool.of(type_name(*args[0].value));
}

struct Function {
  std::string_view name;
  std::size_t arity;
  bool variadic;  // at least `arity`
  Answer (*call)(Arguments, CallContext&);
};

constexpr Function kFunctions[] = {
    {"abs", 1, false, f_abs},           {"avg", 1, false, f_avg},
    {"ceil", 1, false, f_ceil},         {"contains", 2, false, f_contains},
    {"ends_with", 2, false, f_ends_with}, {"floor", 1, false, f_floor},
    {"join", 2, false, f_join},         {"keys", 1, false, f_keys},
    {"length", 1, false, f_length},     {"map", 2, false, f_map},
    {"max", 1, false, f_max},           {"max_by", 2, false, f_max_by},
    {"merge", 1, true, f_merge},        {"min", 1, false, f_min},
    {"min_by", 2, false, f_min_by},     {"not_null", 1, true, f_not_null},
    {"reverse", 1, false, f_reverse},   {"sort", 1, false, f_sort},
    {"sort_by", 2, false, f_sort_by},   {"starts_with", 2, false, f_starts_with},
    {"sum", 1, false, f_sum},           {"to_array", 1, false, f_to_array},
    {"to_number", 1, false, f_to_number}, {"to_string", 1, false, f_to_string},
    {"type", 1, false, f_type},         {"values", 1, false, f_values},
};

const Function* find_function(std::string_view name) {
  const auto* at =
      std::find_if(std::begin(kFunctions), std::end(kFunctions), [name](const Function& f) { return f.name == name; });
  return at == std::end(kFunctions) ? nullptr : at;
}

}  // namespace

bool is_function(std::string_view name) { return find_function(name) != nullptr; }

Result<const JsonNode*> call_function(std::string_view name, std::span<const Argument> arguments,
                                      CallContext& context) {
  const Function& function = *find_function(name);
  const bool fits = function.variadic ? arguments.size() >= function.arity : arguments.size() == function.arity;
  if (!fits) return fail(ErrorCode::kInvalidArgument, "incorrect number of args");
  return function.call(arguments, context);
}

}  // namespace kvasir::agent::jmespath
