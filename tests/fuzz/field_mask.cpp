// Masking of fields: what was valid JSON stays valid JSON, and no masked key keeps its value.
#include <cstdint>
#include <string_view>

#include <simdjson.h>

#include "server/field_mask.h"

namespace {

using kvasir::server::kMasked;

void check(simdjson::dom::element value) {
  simdjson::dom::object object;
  simdjson::dom::array array;
  if (value.get(object) == simdjson::SUCCESS) {
    for (const auto field : object) {
      std::string_view text;
      const bool secret = field.key == "password" || field.key == "k";
      if (secret && (field.value.get(text) != simdjson::SUCCESS || text != kMasked)) __builtin_trap();
      if (!secret) check(field.value);
    }
  } else if (value.get(array) == simdjson::SUCCESS) {
    for (const auto item : array) check(item);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const kvasir::server::FieldMask kMask({"password", "k"});
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  std::string storage;
  const std::string shown(kMask.apply(line, storage));
  simdjson::dom::parser before, after;
  simdjson::dom::element root;
  if (before.parse(simdjson::padded_string(line)).get(root) != simdjson::SUCCESS ||
      !(root.is_object() || root.is_array()))
    return 0;
  simdjson::dom::element masked;
  if (after.parse(simdjson::padded_string(std::string_view(shown))).get(masked) != simdjson::SUCCESS) __builtin_trap();
  check(masked);
  return 0;
}
