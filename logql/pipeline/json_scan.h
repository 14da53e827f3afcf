// json_scan.h -- the lenient JSON scanner that LogQL's json stages are defined by.
//
// Notes:    not a validator. It finds the ends of strings and blocks and takes any token for a number; what it accepts
//           and where it stops decides which labels a damaged line still gives, so it follows the recorded behaviour of
//           the language, not RFC 8259. On valid documents it agrees with any parser (property-tested against
//           simdjson).
// Errors:   the texts are those that appear in __error_details__.
// Threads:  free functions without state.
// Limits:   kJsonDepthMax nested objects are looked into; deeper ones are skipped whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "logql/pipeline/arena.h"

namespace kvasir::logql::json {

inline constexpr int kJsonDepthMax = 128;

inline constexpr std::string_view kObjectError = "Value looks like object, but can't find closing '}' symbol";
inline constexpr std::string_view kArrayError = "Value is array, but can't find closing ']' symbol";
inline constexpr std::string_view kStringError = "Value is string, but can't find closing '\"' symbol";
inline constexpr std::string_view kMalformedError = "Malformed JSON error";
inline constexpr std::string_view kUnknownValueError = "Unknown value type";
inline constexpr std::string_view kEscapeError = "Encountered an invalid escape sequence in a string";

enum class ValueKind : std::uint8_t { kString, kNumber, kBoolean, kNull, kObject, kArray };

struct ScannedValue {
  ValueKind kind = ValueKind::kNull;
  bool escaped = false;           // kString: holds a backslash
  std::string_view text;          // a string without its quotes; anything else as it stands
};

/// Walks over one text. Every method that can fail gives an empty view or an empty optional and sets error().
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::string_view error() const { return error_; }
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return text_[at_]; }
  void advance() { ++at_; }
  std::size_t position() const { return at_; }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  /// The text of a string whose opening quote was just passed, and passes the closing one. Nothing if it never closes.
  std::optional<ScannedValue> take_string_body();
  /// The next value. Leading white space is passed.
  std::optional<ScannedValue> take_value();
  bool fail(std::string_view error) {
    error_ = error;
    return false;
  }

  static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

 private:
  std::optional<ScannedValue> take_block(char open, char close, ValueKind kind);
  std::optional<ScannedValue> take_token();

  std::string_view text_;
  std::size_t at_ = 0;
  std::string_view error_;
};

/// Opens an object for next_member. False: not an object.
bool open_object(Scanner& scanner);

struct Member {
  std::string_view key;  // unescaped
  ScannedValue value;
};
enum class MemberStep : std::uint8_t {
  kMember,
  kEnd,
  kError,       // damage between values
  kValueError,  // member.key is known, its value is damaged
};
/// The next property of the object that `scanner` is in. `first` is true until the first call returned.
MemberStep next_member(Scanner& scanner, bool& first, Arena& arena, Member& member);

/// logfmt knows `\'` as well, and takes a lone surrogate for U+FFFD.
enum class Escapes : std::uint8_t { kJson, kLogfmt };

/// Resolves the escapes of a string's text. Empty optional: a bad escape or (in JSON) a lone surrogate.
std::optional<std::string_view> unescape(std::string_view text, Arena& arena, Escapes escapes = Escapes::kJson);

/// What a string value becomes as a label: unescaped, "" if that fails, spaces for U+FFFD and bad bytes.
std::string_view label_text(const ScannedValue& value, Arena& arena);

}  // namespace kvasir::logql::json
