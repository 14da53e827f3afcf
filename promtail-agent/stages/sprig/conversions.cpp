#include "promtail-agent/stages/sprig/conversions.h"

namespace kvasir::agent::sprig {

std::string to_text(const Value& value) {
  if (value.is_string()) return std::string(value.as_string());
  std::string out;
  if (!value.is_nil()) value.append_to(out);
  return out;
}

Result<const List*> need_list(const Value& value, const char* function) {
  if (value.kind() == Kind::kList) return &value.as_list();
  return wrong(std::string("Cannot find ") + function + " on type " + std::string(value.type_name()));
}

Result<const gotemplate::MapSource*> need_map(const Value& value, const char* function) {
  if (value.kind() == Kind::kMap) return &value.as_map();
  return wrong(std::string("wrong type for ") + function + ": " + std::string(value.type_name()));
}

Value new_list(const Call& call, List items) {
  List& list = call.environment.heap.list();
  list = std::move(items);
  return Value::list(&list);
}

}  // namespace kvasir::agent::sprig
