// json_scanner.h -- walks strict JSON once: skips, checks and finds the bounds of values without building anything.
//
// Grammar:  RFC 8259, and nothing beyond: no leading zeros, no trailing commas, no control bytes in strings, escapes
//           checked, numbers that a double can hold. Bytes above 0x7f pass as they are, valid UTF-8 or not.
// Lifetime: spans point into the text given.
// Limits:   kJsonDepthMax; deeper documents are malformed.
// Errors:   every step returns false at the first fault; the scanner is of no use afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvasir::agent {

class Arena;

inline constexpr int kJsonDepthMax = 1000;

enum class JsonType : std::uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

/// A value where it stands. Strings without their quotes, still escaped.
struct JsonSpan {
  JsonType type = JsonType::kNull;
  bool escaped = false;   // strings: a backslash is in there
  bool integer = false;   // numbers: digits only, perhaps with a minus
  std::string_view text;
};

class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  /// The value here, checked to its last byte, and stands behind it.
  bool value(JsonSpan& span) { return value_at(span, 0); }
  /// As value(), at that depth of nesting.
  bool value_at(JsonSpan& span, int depth);
  /// The string here; its opening quote is next.
  bool string(JsonSpan& span);
  void skip_space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool at_end() const { return at_ == end_; }
  const char* position() const { return at_; }
  bool at(char c) const { return at_ < end_ && *at_ == c; }
  /// Steps over `c`, or fails.
  bool take(char c) {
    if (!at(c)) return false;
    ++at_;
    return true;
  }

  /// Calls f(key span, scanner) for each member; f must step over the value. Stands before the opening brace.
  template <class F>
  bool object(F f) {
    if (!take('{')) return false;
    skip_space();
    if (take('}')) return true;
    while (true) {
      JsonSpan key;
      skip_space();
      if (!string(key)) return false;
      skip_space();
      if (!take(':')) return false;
      skip_space();
      if (!f(key, *this)) return false;
      skip_space();
      if (take(',')) continue;
      return take('}');
    }
  }
  template <class F>
  bool array(F f) {
    if (!take('[')) return false;
    skip_space();
    if (take(']')) return true;
    while (true) {
      skip_space();
      if (!f(*this)) return false;
      skip_space();
      if (take(',')) continue;
      return take(']');
    }
  }

 private:
  bool number(JsonSpan& span);
  bool word(std::string_view text);
  bool escape();

  const char* at_;
  const char* end_;
};

/// The text of a string span; from the span itself if nothing is escaped. Lone surrogates become U+FFFD.
/// REQUIRES: the span came from a scanner.
std::string_view decode_json_string(const JsonSpan& span, Arena& arena);

/// The double of a number span.
double decode_json_number(std::string_view text);

}  // namespace kvasir::agent
