#include <simdjson.h>

#include "logql/pipeline/template/function_groups.h"

namespace kvasir::gotemplate {

namespace {

namespace dom = simdjson::dom;

Value convert(const dom::element& element, Heap& heap);

Value convert_array(const dom::array& array, Heap& heap) {
  List& list = heap.list();
  for (const dom::element item : array) list.push_back(convert(item, heap));
  return Value::list(&list);
}

Value convert_object(const dom::object& object, Heap& heap) {
  OwnedMap& map = heap.map();
  for (const auto field : object) map.set(heap.string(field.key).as_string(), convert(field.value, heap));
  return Value::map(&map);
}

// Depth is bounded by the parser.
Value convert(const dom::element& element, Heap& heap) {
  switch (element.type()) {
    case dom::element_type::ARRAY: return convert_array(dom::array(element), heap);
    case dom::element_type::OBJECT: return convert_object(dom::object(element), heap);
    case dom::element_type::STRING: return heap.string(std::string_view(element));
    case dom::element_type::BOOL: return Value::boolean(bool(element));
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
    case dom::element_type::DOUBLE: return Value::real(double(element));
    case dom::element_type::NULL_VALUE: break;
  }
  return Value();
}

}  // namespace

Value value_from_json(std::string_view text, Heap& heap) {
  thread_local dom::parser parser;
  dom::element document;
  if (parser.parse(text.data(), text.size()).get(document) != simdjson::SUCCESS) return Value();
  return convert(document, heap);
}

}  // namespace kvasir::gotemplate
