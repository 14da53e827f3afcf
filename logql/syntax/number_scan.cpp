#include "logql/syntax/number_scan.h"

namespace kvasir::logql {
namespace {

bool is_decimal(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_decimal(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

class NumberScanner {
 public:
  explicit NumberScanner(std::string_view text) : text_(text) {}

  NumberScan run() {
    take_prefix();
    take_digits();
    if (peek() == '.') take_fraction();
    if (!any_digit_) note(std::string(literal_name()) + " has no digits");
    take_exponent();
    if (!is_float_ && bad_digit_ != '\0') {
      note(std::string("invalid digit '") + bad_digit_ + "' in " + std::string(literal_name()));
    }
    if (bad_separator()) note("'_' must separate successive digits");
    return {offset_, problem_};
  }

 private:
  char peek() const { return offset_ < text_.size() ? text_[offset_] : '\0'; }

  void note(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }

  std::string_view literal_name() const {
    switch (prefix_) {
      case 'x': return "hexadecimal literal";
      case 'o':
      case '0': return "octal literal";
      case 'b': return "binary literal";
      default: return "decimal literal";
    }
  }

  void take_prefix() {
    if (peek() != '0') return;
    const char mark = text_.size() > 1 ? lower(text_[1]) : '\0';
    if (mark == 'x' || mark == 'o' || mark == 'b') {
      prefix_ = mark;
      offset_ = 2;
    } else {
      prefix_ = '0';
      offset_ = 1;
      any_digit_ = true;
    }
  }

  void take_digits() {
    const char base_end = prefix_ == 'b' ? '2' : prefix_ == 'o' || prefix_ == '0' ? '8' : ':';
    for (;; ++offset_) {
      const char c = peek();
      const bool digit = prefix_ == 'x' ? is_hex(c) : is_decimal(c);
      if (!digit && c != '_') return;
      if (c == '_') continue;
      any_digit_ = true;
      if (prefix_ != 'x' && c >= base_end && bad_digit_ == '\0') bad_digit_ = c;
    }
  }

  void take_fraction() {
    is_float_ = true;
    if (prefix_ == 'o' || prefix_ == 'b') note("invalid radix point in " + std::string(literal_name()));
    ++offset_;
    take_digits();
  }

  void take_exponent() {
    const char mark = lower(peek());
    if (mark != 'e' && mark != 'p') {
      if (prefix_ == 'x' && is_float_) note("hexadecimal mantissa requires a 'p' exponent");
      return;
    }
    const std::string quoted = std::string("'") + peek() + "'";
    if (mark == 'e' && prefix_ != '\0' && prefix_ != '0') note(quoted + " exponent requires decimal mantissa");
    if (mark == 'p' && prefix_ != 'x') note(quoted + " exponent requires hexadecimal mantissa");
    is_float_ = true;
    ++offset_;
    if (peek() == '+' || peek() == '-') ++offset_;
    const std::size_t begin = offset_;
    while (is_decimal(peek()) || peek() == '_') ++offset_;
    if (offset_ == begin) note("exponent has no digits");
  }

  bool bad_separator() const {
    const auto number = text_.substr(0, offset_);
    for (std::size_t i = number.find('_'); i != std::string_view::npos; i = number.find('_', i + 1)) {
      const bool after = i + 1 < number.size() && is_hex(number[i + 1]);
      const bool before = i > 0 && (is_hex(number[i - 1]) || (i == 2 && prefix_ != '\0' && prefix_ != '0'));
      if (!after || !before) return true;
    }
    return false;
  }

  std::string_view text_;
  std::size_t offset_ = 0;
  char prefix_ = '\0';
  bool any_digit_ = false;
  bool is_float_ = false;
  char bad_digit_ = '\0';
  std::string problem_;
};

}  // namespace

NumberScan scan_number(std::string_view text) { return NumberScanner(text).run(); }

}  // namespace kvasir::logql
