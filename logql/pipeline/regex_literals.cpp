#include "logql/pipeline/regex_literals.h"

#include <algorithm>
#include <utility>

#include "common/utf8.h"

namespace kvasir::logql {

namespace {

constexpr int kNestingMax = 50;
constexpr std::string_view kOperators = "\\.+*?()[]{}^$|";

// Reads a sequence of atoms. Literal characters that follow each other grow one run; whatever is not a literal, or may
// be left out, ends it. `understood_` turns false at the first construct that is not read here, and then nothing is
// claimed.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  std::vector<std::string> run() {
    std::vector<std::string> found = read_alternatives(0);
    if (!rest_.empty()) understood_ = false;
    if (!understood_) return {};
    return found;
  }

 private:
  // Up to `)` or the end. With more than one alternative nothing is required.
  std::vector<std::string> read_alternatives(int depth) {
    std::vector<std::string> required = read_sequence(depth);
    while (understood_ && !rest_.empty() && rest_[0] == '|') {
      rest_.remove_prefix(1);
      read_sequence(depth);
      required.clear();
    }
    return required;
  }

  std::vector<std::string> read_sequence(int depth) {
    std::vector<std::string> required;
    std::string run;
    const auto end_run = [&] {
      if (!run.empty()) required.push_back(std::exchange(run, {}));
    };
    while (understood_ && !rest_.empty() && rest_[0] != '|' && rest_[0] != ')') {
      if (const std::string character = take_literal(); !character.empty()) {
        const Repeat repeat = take_repeat();
        if (repeat.optional) {
          end_run();
          continue;
        }
        run += character;
        if (repeat.present) end_run();
        continue;
      }
      end_run();
      std::vector<std::string> inner = take_other(depth);
      if (take_repeat().optional) continue;
      std::move(inner.begin(), inner.end(), std::back_inserter(required));
    }
    end_run();
    return required;
  }

  struct Repeat {
    bool present = false;
    bool optional = false;  // zero times is enough
  };

  Repeat take_repeat() {
    Repeat repeat;
    if (rest_.empty()) return repeat;
    if (rest_[0] == '{') {
      const std::size_t end = rest_.find('}');
      const bool counted = end != std::string_view::npos && rest_.size() > 1 && rest_[1] >= '0' && rest_[1] <= '9';
      if (!counted) {
        understood_ = false;  // a literal brace; rare
        return repeat;
      }
      repeat = {true, rest_[1] == '0'};  // "{01}" reads as optional: claims less
      rest_.remove_prefix(end + 1);
    } else if (rest_[0] == '*' || rest_[0] == '?' || rest_[0] == '+') {
      repeat = {true, rest_[0] != '+'};
      rest_.remove_prefix(1);
    } else {
      return repeat;
    }
    if (!rest_.empty() && rest_[0] == '?') rest_.remove_prefix(1);  // lazy
    if (!rest_.empty() && std::string_view("*+?{").find(rest_[0]) != std::string_view::npos) understood_ = false;
    return repeat;
  }

  // One literal character, escaped or not; "" if something else stands here.
  std::string take_literal() {
    if (rest_[0] == '\\') {
      if (rest_.size() < 2) return {};
      const char c = rest_[1];
      const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
      if (word || static_cast<unsigned char>(c) >= 0x80) return {};
      rest_.remove_prefix(2);
      return std::string(1, c);
    }
    if (kOperators.find(rest_[0]) != std::string_view::npos) return {};
    const Rune rune = decode_utf8(rest_);
    if (!rune.valid) {
      understood_ = false;
      return {};
    }
    std::string character(rest_.substr(0, rune.length));
    rest_.remove_prefix(rune.length);
    return character;
  }

  // A class, a dot, an anchor, a group.
  std::vector<std::string> take_other(int depth) {
    const char c = rest_[0];
    if (c == '.' || c == '^' || c == '$') {
      rest_.remove_prefix(1);
      return {};
    }
    if (c == '[') return take_class();
    if (c == '\\') return take_class_escape();
    if (c == '(' && depth < kNestingMax) return take_group(depth);
    understood_ = false;
    return {};
  }

  std::vector<std::string> take_class_escape() {
    if (rest_.size() >= 2 && std::string_view("dDwWsSbBAz").find(rest_[1]) != std::string_view::npos) {
      rest_.remove_prefix(2);
    } else {
      understood_ = false;
    }
    return {};
  }

  std::vector<std::string> take_class() {
    std::size_t at = 1;
    if (at < rest_.size() && rest_[at] == '^') ++at;
    if (at < rest_.size() && rest_[at] == ']') ++at;  // a bracket in first place is itself
    for (; at < rest_.size() && rest_[at] != ']'; ++at) {
      if (rest_[at] == '\\') ++at;
      if (at < rest_.size() && rest_[at] == '[') understood_ = false;  // [[:alpha:]]
    }
    if (at >= rest_.size()) understood_ = false;
    rest_.remove_prefix(std::min(rest_.size(), at + 1));
    return {};
  }

  std::vector<std::string> take_group(int depth) {
    rest_.remove_prefix(1);
    if (!rest_.empty() && rest_[0] == '?' && !take_group_head()) return {};
    std::vector<std::string> inner = read_alternatives(depth + 1);
    if (rest_.empty() || rest_[0] != ')') {
      understood_ = false;
      return {};
    }
    rest_.remove_prefix(1);
    return inner;
  }

  // `?:`, `?P<name>`, `?<name>`. Flags are not understood.
  bool take_group_head() {
    if (rest_.substr(0, 2) == "?:") {
      rest_.remove_prefix(2);
      return true;
    }
    const bool named = rest_.substr(0, 3) == "?P<" || rest_.substr(0, 2) == "?<";
    const std::size_t end = named ? rest_.find('>') : std::string_view::npos;
    if (end == std::string_view::npos) {
      understood_ = false;
      return false;
    }
    rest_.remove_prefix(end + 1);
    return true;
  }

  std::string_view rest_;
  bool understood_ = true;
};

}  // namespace

std::optional<std::string> regex_as_literal(std::string_view expression) {
  std::string literal;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    if (expression[i] == '\\' && i + 1 < expression.size() &&
        kOperators.find(expression[i + 1]) != std::string_view::npos) {
      literal += expression[++i];
    } else if (kOperators.find(expression[i]) != std::string_view::npos) {
      return std::nullopt;
    } else {
      literal += expression[i];
    }
  }
  if (!is_valid_utf8(literal)) return std::nullopt;
  return literal;
}

std::optional<std::string> regex_as_caseless_literal(std::string_view expression) {
  constexpr std::string_view kFlag = "(?i)";
  if (expression.substr(0, kFlag.size()) != kFlag) return std::nullopt;
  return regex_as_literal(expression.substr(kFlag.size()));
}

std::vector<std::string> required_literals_of_regex(std::string_view expression) { return Reader(expression).run(); }

}  // namespace kvasir::logql
