#include "ingest/wire/otlp_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/json_writer.h"
#include "common/number.h"

namespace kvasir::ingest {
namespace {

/// As Go's encoding/json prints a float64.
std::string double_text(double value) {
  const double size = std::fabs(value);
  if (!std::isfinite(value) || size == 0 || (size >= 1e-6 && size < 1e21)) return format_sample_value(value);
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  return {text, end};
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    const std::size_t left = bytes.size() - i;
    out += kDigits[group >> 18];
    out += kDigits[group >> 12 & 63];
    out += left > 1 ? kDigits[group >> 6 & 63] : '=';
    out += left > 2 ? kDigits[group & 63] : '=';
  }
  return out;
}

void append_json(std::string& out, const OtlpValue& value);

void append_json_map(std::string& out, const OtlpValue& value) {
  std::vector<const OtlpAttribute*> pairs;
  for (const auto& pair : value.pairs) pairs.push_back(&pair);
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto* a, const auto* b) { return a->key < b->key; });
  out += '{';
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, pairs[i]->key);
    out += ':';
    append_json(out, pairs[i]->value);
  }
  out += '}';
}

void append_json(std::string& out, const OtlpValue& value) {
  switch (value.kind) {
    case OtlpValue::Kind::kNone: out += "null"; return;
    case OtlpValue::Kind::kString: append_json_string(out, value.text); return;
    case OtlpValue::Kind::kBytes: append_json_string(out, base64(value.text)); return;
    case OtlpValue::Kind::kMap: append_json_map(out, value); return;
    case OtlpValue::Kind::kArray: break;
    default: out += otlp_text(value); return;
  }
  out += '[';
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    if (i > 0) out += ',';
    append_json(out, value.items[i]);
  }
  out += ']';
}

}  // namespace

std::string otlp_text(const OtlpValue& value) {
  switch (value.kind) {
    case OtlpValue::Kind::kNone: return {};
    case OtlpValue::Kind::kString: return std::string(value.text);
    case OtlpValue::Kind::kBool: return value.boolean ? "true" : "false";
    case OtlpValue::Kind::kInt: return std::to_string(value.integer);
    case OtlpValue::Kind::kDouble: return double_text(value.number);
    case OtlpValue::Kind::kBytes: return base64(value.text);
    case OtlpValue::Kind::kArray:
    case OtlpValue::Kind::kMap: break;
  }
  std::string out;
  append_json(out, value);
  return out;
}

std::string otlp_hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  if (bytes.find_first_not_of('\0') == std::string_view::npos) return out;
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

}  // namespace kvasir::ingest
