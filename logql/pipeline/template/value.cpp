#include "logql/pipeline/template/value.h"

#include <algorithm>

#include "common/number.h"

namespace kvasir::gotemplate {

Value Value::boolean(bool value) {
  Value out;
  out.kind_ = Kind::kBool;
  out.integer_ = value ? 1 : 0;
  return out;
}

Value Value::integer(std::int64_t value) {
  Value out;
  out.kind_ = Kind::kInt;
  out.integer_ = value;
  return out;
}

Value Value::real(double value) {
  Value out;
  out.kind_ = Kind::kFloat;
  out.real_ = value;
  return out;
}

Value Value::string(std::string_view text) {
  Value out;
  out.kind_ = Kind::kString;
  out.text_ = text.data() == nullptr ? "" : text.data();
  out.size_ = text.size();
  return out;
}

Value Value::time(const GoTime* time) {
  Value out;
  out.kind_ = Kind::kTime;
  out.time_ = time;
  return out;
}

Value Value::list(const List* list) {
  Value out;
  out.kind_ = Kind::kList;
  out.list_ = list;
  return out;
}

Value Value::map(const MapSource* map) {
  Value out;
  out.kind_ = Kind::kMap;
  out.map_ = map;
  return out;
}

bool Value::truth() const {
  switch (kind_) {
    case Kind::kNil: return false;
    case Kind::kBool:
    case Kind::kInt: return integer_ != 0;
    case Kind::kFloat: return real_ != 0;
    case Kind::kString: return size_ != 0;
    case Kind::kTime: return true;
    case Kind::kList: return !list_->empty();
    case Kind::kMap: return map_->size() != 0;
  }
  return false;
}

std::string_view Value::type_name() const {
  switch (kind_) {
    case Kind::kNil: return "<nil>";
    case Kind::kBool: return "bool";
    case Kind::kInt: return "int";
    case Kind::kFloat: return "float64";
    case Kind::kString: return "string";
    case Kind::kTime: return "time.Time";
    case Kind::kList: return "[]interface {}";
    case Kind::kMap: break;
  }
  return map_->missing().is_string() ? "map[string]string" : "map[string]interface {}";
}

namespace {

// Inside a list or map nil shows differently.
void append_element(std::string& out, const Value& value) {
  if (value.is_nil()) out += "<nil>";
  else value.append_to(out);
}

}  // namespace

void Value::append_to(std::string& out) const {
  switch (kind_) {
    case Kind::kNil: out += "<no value>"; return;
    case Kind::kBool: out += integer_ != 0 ? "true" : "false"; return;
    case Kind::kInt: out += std::to_string(integer_); return;
    case Kind::kFloat: out += format_go_float(real_); return;
    case Kind::kString: out += as_string(); return;
    case Kind::kTime: out += format_go_time(*time_); return;
    case Kind::kList: {
      out += '[';
      bool first = true;
      for (const Value& item : *list_) {
        if (!std::exchange(first, false)) out += ' ';
        append_element(out, item);
      }
      out += ']';
      return;
    }
    case Kind::kMap: break;
  }
  out += "map[";
  bool first = true;
  map_->each([&](std::string_view key, const Value& value) {
    if (!std::exchange(first, false)) out += ' ';
    out += key;
    out += ':';
    append_element(out, value);
    return true;
  });
  out += ']';
}

void OwnedMap::set(std::string_view key, Value value) {
  const auto at =
      std::lower_bound(pairs_.begin(), pairs_.end(), key, [](const auto& pair, auto k) { return pair.first < k; });
  if (at != pairs_.end() && at->first == key) at->second = value;
  else pairs_.insert(at, {key, value});
}

void OwnedMap::erase(std::string_view key) {
  std::erase_if(pairs_, [&](const auto& pair) { return pair.first == key; });
}

std::optional<Value> OwnedMap::find(std::string_view key) const {
  const auto at =
      std::lower_bound(pairs_.begin(), pairs_.end(), key, [](const auto& pair, auto k) { return pair.first < k; });
  if (at == pairs_.end() || at->first != key) return std::nullopt;
  return at->second;
}

void OwnedMap::each(const std::function<bool(std::string_view, const Value&)>& visit) const {
  for (const auto& [key, value] : pairs_) {
    if (!visit(key, value)) return;
  }
}

Value Heap::time(GoTime time) {
  times_.push_back(std::move(time));
  return Value::time(&times_.back());
}

List& Heap::list() { return lists_.emplace_back(); }
OwnedMap& Heap::map() { return maps_.emplace_back(); }

void Heap::reset() {
  arena_.reset();
  if (!times_.empty()) times_.clear();
  if (!lists_.empty()) lists_.clear();
  if (!maps_.empty()) maps_.clear();
}

}  // namespace kvasir::gotemplate
