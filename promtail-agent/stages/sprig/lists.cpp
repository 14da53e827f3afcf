// Sprig's lists and dicts.
#include <algorithm>

#include "promtail-agent/stages/sprig/conversions.h"

namespace kvasir::agent::sprig {
namespace {

bool same(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kNil: return true;
    case Kind::kBool: return a.as_bool() == b.as_bool();
    case Kind::kInt: return a.as_int() == b.as_int();
    case Kind::kFloat: return a.as_real() == b.as_real();
    default: return to_text(a) == to_text(b);
  }
}

bool holds(const List& list, const Value& value) {
  return std::any_of(list.begin(), list.end(), [&](const Value& item) { return same(item, value); });
}

Answer list(const Call& call) { return new_list(call, List(call.arguments.begin(), call.arguments.end())); }

List pieces(const Call& call, std::string_view divider, std::string_view text, std::int64_t count) {
  List out;
  while (!text.empty() && divider.empty()) {
    out.push_back(call.string(text.substr(0, 1)));
    text.remove_prefix(1);
  }
  if (divider.empty()) return out;
  for (std::size_t at = text.find(divider); at != std::string_view::npos && --count != 0; at = text.find(divider)) {
    out.push_back(call.string(text.substr(0, at)));
    text.remove_prefix(at + divider.size());
  }
  out.push_back(call.string(text));
  return out;
}

Value numbered(const Call& call, const List& items) {
  auto& map = call.environment.heap.map();
  for (std::size_t i = 0; i < items.size(); ++i) map.set(call.string("_" + std::to_string(i)).as_string(), items[i]);
  return Value::map(&map);
}

Answer split_list(const Call& call) { return new_list(call, pieces(call, call.text(0), call.text(1), -1)); }
Answer split(const Call& call) { return numbered(call, pieces(call, call.text(0), call.text(1), -1)); }
Answer splitn(const Call& call) { return numbered(call, pieces(call, call.text(0), call.text(2), call.integer(1))); }

Answer join(const Call& call) {
  if (call[1].kind() != Kind::kList) return call.string(to_text(call[1]));
  std::string out;
  bool first = true;
  for (const Value& item : call[1].as_list()) {
    if (item.is_nil()) continue;
    if (!first) out += call.text(0);
    first = false;
    out += to_text(item);
  }
  return call.string(out);
}

Answer sort_alpha(const Call& call) {
  if (call[0].kind() != Kind::kList) return new_list(call, {call.string(to_text(call[0]))});
  List out;
  for (const Value& item : call[0].as_list()) out.push_back(call.string(to_text(item)));
  std::sort(out.begin(), out.end(), [](const Value& a, const Value& b) { return a.as_string() < b.as_string(); });
  return new_list(call, std::move(out));
}

Answer first(const Call& call) {
  KVASIR_TRY(const List* items, need_list(call[0], "first"));
  return items->empty() ? Value() : items->front();
}
Answer last(const Call& call) {
  KVASIR_TRY(const List* items, need_list(call[0], "last"));
  return items->empty() ? Value() : items->back();
}
Answer rest(const Call& call) {
  KVASIR_TRY(const List* items, need_list(call[0], "rest"));
  return items->empty() ? new_list(call, {}) : new_list(call, List(items->begin() + 1, items->end()));
}
Answer initial(const Call& call) {
  KVASIR_TRY(const List* items, need_list(call[0], "initial"));
  return items->empty() ? new_list(call, {}) : new_list(call, List(items->begin(), items->end() - 1));
}
Answer has(const Call& call) {
  if (call[1].is_nil()) return Value::boolean(false);
  KVASIR_TRY(const List* items, need_list(call[1], "has"));
  return Value::boolean(holds(*items, call[0]));
}
Answer without(const Call& call) {
  KVASIR_TRY(const List* items, need_list(call[0], "without"));
  const List unwanted(call.arguments.begin() + 1, call.arguments.end());
  List out;
  for (const Value& item : *items)
    if (!holds(unwanted, item)) out.push_back(item);
  return new_list(call, std::move(out));
}
Answer uniq(const Call& call) {
  KVASIR_TRY(const List* items, need_list(call[0], "uniq"));
  List out;
  for (const Value& item : *items)
    if (!holds(out, item)) out.push_back(item);
  return new_list(call, std::move(out));
}
Answer compact(const Call& call) {
  KVASIR_TRY(const List* items, need_list(call[0], "compact"));
  List out;
  for (const Value& item : *items)
    if (item.truth()) out.push_back(item);
  return new_list(call, std::move(out));
}
Answer append(const Call& call) {
  KVASIR_TRY(const List* items, need_list(call[0], "push"));
  List out = *items;
  out.push_back(call[1]);
  return new_list(call, std::move(out));
}
Answer prepend(const Call& call) {
  KVASIR_TRY(const List* items, need_list(call[0], "prepend"));
  List out{call[1]};
  out.insert(out.end(), items->begin(), items->end());
  return new_list(call, std::move(out));
}
Answer concat(const Call& call) {
  List out;
  for (const Value& value : call.arguments) {
    KVASIR_TRY(const List* items, need_list(value, "concat"));
    out.insert(out.end(), items->begin(), items->end());
  }
  return new_list(call, std::move(out));
}
Answer reverse(const Call& call) {
  KVASIR_TRY(const List* items, need_list(call[0], "reverse"));
  return new_list(call, List(items->rbegin(), items->rend()));
}

Answer dict(const Call& call) {
  auto& map = call.environment.heap.map();
  for (std::size_t i = 0; i < call.size(); i += 2)
    map.set(call.string(to_text(call[i])).as_string(), i + 1 < call.size() ? call[i + 1] : call.string(""));
  return Value::map(&map);
}

Value copy_of(const Call& call, const gotemplate::MapSource& source,
              const std::function<bool(std::string_view)>& wanted) {
  auto& map = call.environment.heap.map();
  source.each([&](std::string_view key, const Value& value) {
    if (wanted(key)) map.set(call.string(key).as_string(), value);
    return true;
  });
  return Value::map(&map);
}

bool named(const Call& call, std::string_view key) {
  return std::any_of(call.arguments.begin() + 1, call.arguments.end(),
                     [&](const Value& name) { return to_text(name) == key; });
}

Answer get(const Call& call) {
  KVASIR_TRY(const auto* map, need_map(call[0], "get"));
  const auto value = map->find(call.text(1));
  return value ? *value : call.string("");
}
Answer has_key(const Call& call) {
  KVASIR_TRY(const auto* map, need_map(call[0], "hasKey"));
  return Value::boolean(map->find(call.text(1)).has_value());
}
Answer set_key(const Call& call) {
  KVASIR_TRY(const auto* source, need_map(call[0], "set"));
  const std::string key = to_text(call[1]);
  Value out = copy_of(call, *source, [&](std::string_view name) { return name != key; });
  auto& map = call.environment.heap.map();
  out.as_map().each([&](std::string_view name, const Value& value) { return map.set(name, value), true; });
  map.set(call.string(key).as_string(), call[2]);
  return Value::map(&map);
}
Answer pick(const Call& call) {
  KVASIR_TRY(const auto* map, need_map(call[0], "pick"));
  return copy_of(call, *map, [&](std::string_view key) { return named(call, key); });
}
Answer omit(const Call& call) {
  KVASIR_TRY(const auto* map, need_map(call[0], "omit"));
  return copy_of(call, *map, [&](std::string_view key) { return !named(call, key); });
}
Answer keys(const Call& call) {
  List out;
  for (const Value& value : call.arguments) {
    KVASIR_TRY(const auto* map, need_map(value, "keys"));
    map->each([&](std::string_view key, const Value&) { return out.push_back(call.string(key)), true; });
  }
  return new_list(call, std::move(out));
}
Answer values(const Call& call) {
  KVASIR_TRY(const auto* map, need_map(call[0], "values"));
  List out;
  map->each([&](std::string_view, const Value& value) { return out.push_back(value), true; });
  return new_list(call, std::move(out));
}
// What the first has counts.
Answer merge(const Call& call) {
  auto& out = call.environment.heap.map();
  for (const Value& value : call.arguments) {
    KVASIR_TRY(const auto* map, need_map(value, "merge"));
    map->each([&](std::string_view key, const Value& item) {
      if (!out.find(key)) out.set(call.string(key).as_string(), item);
      return true;
    });
  }
  return Value::map(&out);
}

}  // namespace

void add_list_functions(FunctionSet& set) {
  set.add("list", "a*", list)
      .add("tuple", "a*", list)
      .add("splitList", "ss", split_list)
      .add("split", "ss", split)
      .add("splitn", "sis", splitn);
  set.add("join", "sa", join)
      .add("sortAlpha", "a", sort_alpha)
      .add("first", "a", first)
      .add("last", "a", last)
      .add("rest", "a", rest);
  set.add("initial", "a", initial)
      .add("has", "aa", has)
      .add("without", "aa*", without)
      .add("uniq", "a", uniq)
      .add("compact", "a", compact);
  set.add("append", "aa", append)
      .add("push", "aa", append)
      .add("prepend", "aa", prepend)
      .add("concat", "a*", concat)
      .add("reverse", "a", reverse);
  set.add("dict", "a*", dict)
      .add("get", "as", get)
      .add("set", "asa", set_key)
      .add("hasKey", "as", has_key)
      .add("keys", "aa*", keys);
  set.add("values", "a", values).add("pick", "aa*", pick).add("omit", "aa*", omit).add("merge", "aa*", merge);
}

}  // namespace kvasir::agent::sprig
