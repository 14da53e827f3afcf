// Masking of fields: what was valid JSON stays valid JSON, and no masked key keeps its value, whatever stands in
// brackets behind its name.
#include <cstdint>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "server/field_mask.h"

namespace {

using kvasir::server::kMasked;

bool is_secret(std::string_view key) {
  return key == "password" || key == "k" ||
         ((key.starts_with("password[") || key.starts_with("k[")) && key.ends_with(']'));
}

void check_brackets(const kvasir::server::FieldMask& mask, std::string_view key) {
  constexpr std::size_t kKeyMax = 1000;
  if (key.size() > kKeyMax || key.find_first_of("]%\\\x1b") != std::string_view::npos) return;
  std::string storage;
  for (const std::string& line : {"k[" + std::string(key) + "]=SECRET", "k%5b" + std::string(key) + "%5D%3DSECRET"}) {
    if (mask.apply(line, storage).ends_with("SECRET")) __builtin_trap();
  }
}

void check(simdjson::dom::element value) {
  simdjson::dom::object object;
  simdjson::dom::array array;
  if (value.get(object) == simdjson::SUCCESS) {
    for (const auto field : object) {
      std::string_view text;
      const bool secret = is_secret(field.key);
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
  check_brackets(kMask, line);
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
