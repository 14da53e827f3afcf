#include "common/json_writer.h"

#include <cmath>
#include <fmt/format.h>

#include "common/assert.h"
#include "common/number.h"
#include "common/utf8.h"

namespace kvasir {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// True for ASCII that stands for itself inside a JSON string.
constexpr bool is_plain(unsigned char c) {
  return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

void append_escaped_ascii(std::string& out, unsigned char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    default: break;
  }
  out += "\\u00";
  out += kHex[c >> 4];
  out += kHex[c & 15];
}

std::size_t append_escaped_rune(std::string& out, std::string_view text) {
  const Rune rune = decode_utf8(text);
  if (!rune.valid) {
    out += "\\ufffd";
  } else if (rune.value == 0x2028 || rune.value == 0x2029) {
    out += rune.value == 0x2028 ? "\\u2028" : "\\u2029";
  } else {
    out.append(text.substr(0, rune.length));
  }
  return rune.length;
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  std::size_t plain_from = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (is_plain(c)) {
      ++i;
      continue;
    }
    out.append(text.substr(plain_from, i - plain_from));
    if (c < 0x80) {
      append_escaped_ascii(out, c);
      ++i;
    } else {
      i += append_escaped_rune(out, text.substr(i));
    }
    plain_from = i;
  }
  out.append(text.substr(plain_from));
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (has_items_.empty()) return;
  if (has_items_.back()) out_ += ',';
  has_items_.back() = true;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  out_ += '{';
  has_items_.push_back(false);
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  KVASIR_DASSERT(!has_items_.empty() && !after_key_, "object closed at the wrong place");
  out_ += '}';
  has_items_.pop_back();
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  out_ += '[';
  has_items_.push_back(false);
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  KVASIR_DASSERT(!has_items_.empty() && !after_key_, "array closed at the wrong place");
  out_ += ']';
  has_items_.pop_back();
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  append_json_string(out_, name);
  out_ += ':';
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  append_json_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::integer(std::int64_t value) { return raw(fmt::format_int(value).c_str()); }
JsonWriter& JsonWriter::unsigned_integer(std::uint64_t value) { return raw(fmt::format_int(value).c_str()); }

JsonWriter& JsonWriter::number(double value) {
  if (!std::isfinite(value)) return null();
  separate();
  append_sample_value(out_, value);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) { return raw(value ? "true" : "false"); }
JsonWriter& JsonWriter::null() { return raw("null"); }

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_.append(json);
  return *this;
}

}  // namespace kvasir
