// json_writer.h -- appends JSON to a string; nothing is built in memory twice.
//
// Escaping: as Go's encoding/json with HTML escaping: < > & U+2028 U+2029 and control bytes as six-character escapes
//           (newline, return, tab, backspace, form feed, quote, backslash short); invalid UTF-8 becomes U+FFFD.
// Use:      commas are placed by the writer; keys and values must alternate inside an object (checked in debug builds).
// Threads:  one writer per thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir {

/// The text between quotes, escaped.
void append_json_escaped(std::string& out, std::string_view text);
/// With the quotes.
void append_json_string(std::string& out, std::string_view text);

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view text);
  JsonWriter& integer(std::int64_t value);
  JsonWriter& unsigned_integer(std::uint64_t value);
  /// Shortest form; NaN and infinities, which JSON lacks, become null.
  JsonWriter& number(double value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  /// Already JSON.
  JsonWriter& raw(std::string_view json);

 private:
  void separate();

  std::string& out_;
  std::vector<bool> has_items_;  // one per open object or array
  bool after_key_ = false;
};

}  // namespace kvasir
