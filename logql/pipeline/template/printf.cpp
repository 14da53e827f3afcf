#include "logql/pipeline/template/printf.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <optional>

#include "common/labels.h"
#include "common/number.h"
#include "common/utf8.h"

namespace kvasir::gotemplate {

namespace {

constexpr int kWidthMax = 1000000;

struct Spec {
  bool minus = false, plus = false, sharp = false, space = false, zero = false;
  std::optional<int> width;
  std::optional<int> precision;
  char verb = 0;
};

std::size_t count_runes(std::string_view text) {
  std::size_t runes = 0;
  for (; !text.empty(); ++runes) text.remove_prefix(decode_utf8(text).length);
  return runes;
}

std::string_view first_runes(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  while (count-- > 0 && end < text.size()) end += decode_utf8(text.substr(end)).length;
  return text.substr(0, end);
}

std::string type_of(const Value& value) { return value.is_nil() ? "<nil>" : std::string(value.type_name()); }

std::string shown(const Value& value) {
  std::string out;
  if (value.is_nil()) return "<nil>";
  value.append_to(out);
  return out;
}

class Printer {
 public:
  Printer(std::string_view format, std::span<const Value> values) : format_(format), values_(values) {}

  std::string run() {
    while (!format_.empty()) {
      const std::size_t percent = format_.find('%');
      out_ += format_.substr(0, percent);
      if (percent == std::string_view::npos) break;
      format_.remove_prefix(percent + 1);
      take_spec();
    }
    if (next_ < values_.size()) append_extra();
    return std::move(out_);
  }

 private:
  void append_extra() {
    out_ += "%!(EXTRA ";
    for (std::size_t i = next_; i < values_.size(); ++i) {
      if (i != next_) out_ += ", ";
      out_ += values_[i].is_nil() ? "<nil>" : type_of(values_[i]) + "=" + shown(values_[i]);
    }
    out_ += ')';
  }

  void take_spec() {
    Spec spec;
    while (!format_.empty() && take_flag(spec)) format_.remove_prefix(1);
    spec.width = take_count("%!(BADWIDTH)");
    if (spec.width && *spec.width < 0) {
      spec.minus = true;
      spec.width = -*spec.width;
    }
    if (!format_.empty() && format_[0] == '.') {
      format_.remove_prefix(1);
      spec.precision = take_count("%!(BADPREC)").value_or(0);
    }
    if (format_.empty()) {
      out_ += "%!(NOVERB)";
      return;
    }
    const std::size_t length = decode_utf8(format_).length;
    const auto verb = format_.substr(0, length);
    format_.remove_prefix(length);
    if (verb == "%") {
      out_ += '%';
      return;
    }
    if (next_ >= values_.size()) {
      out_ += "%!" + std::string(verb) + "(MISSING)";
      return;
    }
    spec.verb = length == 1 ? verb[0] : '\0';
    format_value(spec, values_[next_++], verb);
  }

  bool take_flag(Spec& spec) const {
    switch (format_[0]) {
      case '-': spec.minus = true; return true;
      case '+': spec.plus = true; return true;
      case '#': spec.sharp = true; return true;
      case ' ': spec.space = true; return true;
      case '0': spec.zero = true; return true;
      default: return false;
    }
  }

  std::optional<int> take_count(std::string_view complaint) {
    if (!format_.empty() && format_[0] == '*') {
      format_.remove_prefix(1);
      const bool fits = next_ < values_.size() && values_[next_].kind() == Value::Kind::kInt &&
                        std::abs(values_[next_].as_int()) <= kWidthMax;
      if (fits) return static_cast<int>(values_[next_++].as_int());
      out_ += complaint;
      if (next_ < values_.size()) ++next_;
      return std::nullopt;
    }
    std::optional<int> number;
    while (!format_.empty() && format_[0] >= '0' && format_[0] <= '9') {
      number = std::min(kWidthMax, number.value_or(0) * 10 + (format_[0] - '0'));
      format_.remove_prefix(1);
    }
    return number;
  }

  void pad(const Spec& spec, std::string_view text, bool zeros_allowed = false) {
    const std::size_t width = count_runes(text);
    const std::size_t missing =
        spec.width && static_cast<std::size_t>(*spec.width) > width ? static_cast<std::size_t>(*spec.width) - width : 0;
    if (spec.minus) {
      out_ += text;
      out_.append(missing, ' ');
      return;
    }
    if (spec.zero && zeros_allowed) {
      const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+' || text[0] == ' ');
      if (sign) out_ += text[0];
      out_.append(missing, '0');
      out_ += text.substr(sign ? 1 : 0);
      return;
    }
    out_.append(missing, ' ');
    out_ += text;
  }

  void bad_verb(const Value& value, std::string_view verb) {
    out_ += "%!" + std::string(verb) + "(";
    out_ += value.is_nil() ? "<nil>" : type_of(value) + "=" + shown(value);
    out_ += ")";
  }

  void format_value(const Spec& spec, const Value& value, std::string_view verb) {
    if (spec.verb == 'T') return pad(spec, type_of(value));
    if (value.is_nil()) return spec.verb == 'v' ? pad(spec, "<nil>") : bad_verb(value, verb);
    bool done = false;
    switch (value.kind()) {
      case Value::Kind::kString: done = format_string(spec, value.as_string()); break;
      case Value::Kind::kInt: done = format_int(spec, value.as_int()); break;
      case Value::Kind::kFloat: done = format_float(spec, value.as_real()); break;
      case Value::Kind::kBool:
        done = spec.verb == 't' || spec.verb == 'v';
        if (done) pad(spec, shown(value));
        break;
      default:
        done = spec.verb == 'v' || spec.verb == 's';
        if (done) pad(spec, shown(value));
    }
    if (!done) bad_verb(value, verb);
  }

  bool format_string(const Spec& spec, std::string_view text) {
    if (spec.precision && spec.verb != 'x' && spec.verb != 'X')
      text = first_runes(text, static_cast<std::size_t>(*spec.precision));
    switch (spec.verb) {
      case 'v':
        if (!spec.sharp) return pad(spec, text), true;
        [[fallthrough]];
      case 'q': return pad(spec, quoted(text, spec)), true;
      case 's': return pad(spec, text), true;
      case 'x':
      case 'X': return pad(spec, hex(text, spec)), true;
      default: return false;
    }
  }

  static std::string quoted(std::string_view text, const Spec& spec) {
    if (spec.verb == 'q' && spec.sharp && text.find('`') == std::string_view::npos &&
        text.find('\n') == std::string_view::npos) {
      return "`" + std::string(text) + "`";
    }
    std::string out;
    append_go_quoted(out, text);
    return out;
  }

  static std::string hex(std::string_view bytes, const Spec& spec) {
    const std::string_view digits = spec.verb == 'x' ? "0123456789abcdef" : "0123456789ABCDEF";
    if (spec.precision) bytes = bytes.substr(0, static_cast<std::size_t>(*spec.precision));
    std::string out = spec.sharp && !bytes.empty() ? (spec.verb == 'x' ? "0x" : "0X") : "";
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (i != 0 && spec.space) out += ' ';
      out += digits[static_cast<unsigned char>(bytes[i]) >> 4];
      out += digits[static_cast<unsigned char>(bytes[i]) & 15];
    }
    return out;
  }

  bool format_int(const Spec& spec, std::int64_t value) {
    switch (spec.verb) {
      case 'v':
      case 'd': return pad(spec, integer(spec, value, 10), !spec.precision), true;
      case 'b': return pad(spec, integer(spec, value, 2), !spec.precision), true;
      case 'o':
      case 'O': return pad(spec, integer(spec, value, 8), !spec.precision), true;
      case 'x':
      case 'X': return pad(spec, integer(spec, value, 16), !spec.precision), true;
      case 'c': return pad(spec, character(value)), true;
      case 'q': return pad(spec, "'" + character(value) + "'"), true;
      case 'U': return pad(spec, "U+" + code_point(value)), true;
      default: return false;
    }
  }

  static std::string character(std::int64_t value) {
    std::string out;
    append_utf8(out, value >= 0 && value <= 0x10ffff ? static_cast<char32_t>(value) : U'\ufffd');
    return out;
  }
  static std::string code_point(std::int64_t value) {
    std::array<char, 24> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%04llX", static_cast<unsigned long long>(value));
    return buffer.data();
  }

  static std::string integer(const Spec& spec, std::int64_t value, int base) {
    std::uint64_t rest = value < 0 ? -static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    const std::string_view alphabet = spec.verb == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    std::string digits;
    do {
      digits.insert(digits.begin(), alphabet[rest % static_cast<unsigned>(base)]);
      rest /= static_cast<unsigned>(base);
    } while (rest != 0);
    const auto wanted = static_cast<std::size_t>(spec.precision.value_or(0));
    if (digits.size() < wanted) digits.insert(0, wanted - digits.size(), '0');
    if (spec.sharp && base == 16) digits.insert(0, spec.verb == 'x' ? "0x" : "0X");
    if (spec.sharp && base == 8) digits.insert(0, "0");
    if (spec.sharp && base == 2) digits.insert(0, "0b");
    if (spec.verb == 'O') digits.insert(0, "0o");
    return (value < 0 ? "-" : spec.plus ? "+" : spec.space ? " " : "") + digits;
  }

  bool format_float(const Spec& spec, double value) {
    if (std::string_view("vgGeEfF").find(spec.verb) == std::string_view::npos) return false;
    const bool shortest = (spec.verb == 'v' || spec.verb == 'g' || spec.verb == 'G') && !spec.precision;
    std::string text = !std::isfinite(value) || shortest ? format_go_float(value) : c_format(spec, value);
    if (spec.verb == 'G') {
      for (char& c : text) c = c == 'e' ? 'E' : c;
    }
    const bool has_sign = text[0] == '-' || text[0] == '+';
    if (!has_sign && spec.plus) text.insert(0, "+");
    else if (!has_sign && spec.space) text.insert(0, " ");
    pad(spec, text, std::isfinite(value));
    return true;
  }

  static std::string c_format(const Spec& spec, double value) {
    const char verb = spec.verb == 'v' ? 'g' : spec.verb == 'F' ? 'f' : spec.verb;
    const std::string format = std::string("%.*") + verb;
    const int precision = std::min(spec.precision.value_or(6), 1000);
    std::array<char, 1400> buffer{};
    std::snprintf(buffer.data(), buffer.size(), format.c_str(), precision, value);
    return buffer.data();
  }

  std::string_view format_;
  std::span<const Value> values_;
  std::size_t next_ = 0;
  std::string out_;
};

}  // namespace

std::string go_sprintf(std::string_view format, std::span<const Value> values) { return Printer(format, values).run(); }

std::string go_sprint(std::span<const Value> values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0 && !values[i].is_string() && !values[i - 1].is_string()) out += ' ';
    out += shown(values[i]);
  }
  return out;
}

std::string go_sprintln(std::span<const Value> values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ' ';
    out += shown(values[i]);
  }
  return out + "\n";
}

}  // namespace kvasir::gotemplate
