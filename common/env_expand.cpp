#include "common/env_expand.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include "common/number.h"

namespace kvasir {
namespace {

char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// `[abc]`, `[a-z]`, `[^x]`; moves `at` past the class. False with at unchanged: not a class.
bool class_matches(std::string_view pattern, std::size_t& at, char c) {
  const std::size_t close = pattern.find(']', at + 2);
  if (close == std::string_view::npos) return pattern[at++] == c;
  std::string_view body = pattern.substr(at + 1, close - at - 1);
  at = close + 1;
  const bool negated = body.front() == '^' || body.front() == '!';
  if (negated) body.remove_prefix(1);
  bool found = false;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const bool range = i + 2 < body.size() && body[i + 1] == '-';
    found |= range ? body[i] <= c && c <= body[i + 2] : body[i] == c;
    if (range) i += 2;
  }
  return found != negated;
}

/// Shell pattern over the whole text: * ? [class] \x.
bool shell_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    std::size_t next = p;
    bool same = false;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
      continue;
    }
    if (p < pattern.size()) {
      if (pattern[p] == '?') {
        same = true, next = p + 1;
      } else if (pattern[p] == '[' && p + 2 < pattern.size()) {
        same = class_matches(pattern, next, text[t]);
      } else {
        const std::size_t literal = pattern[p] == '\\' && p + 1 < pattern.size() ? p + 1 : p;
        same = pattern[literal] == text[t], next = literal + 1;
      }
    }
    if (same) {
      p = next, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1, t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string without_prefix(const std::string& value, const std::string& pattern, bool longest) {
  for (std::size_t i = 0; i <= value.size(); ++i) {
    const std::size_t n = longest ? value.size() - i : i;
    if (shell_match(pattern, std::string_view(value).substr(0, n))) return value.substr(n);
  }
  return value;
}

std::string without_suffix(const std::string& value, const std::string& pattern, bool longest) {
  for (std::size_t i = 0; i <= value.size(); ++i) {
    const std::size_t keep = longest ? i : value.size() - i;
    if (shell_match(pattern, std::string_view(value).substr(keep))) return value.substr(0, keep);
  }
  return value;
}

std::string part_of(const std::string& value, const std::string& position, const std::optional<std::string>& length) {
  const auto size = static_cast<std::int64_t>(value.size());
  auto begin = parse_int64(position).value_or(0);
  if (begin < 0) begin = std::max<std::int64_t>(0, size + begin);
  if (begin >= size) return "";
  std::int64_t count = size - begin;
  if (length) {
    const auto wanted = parse_int64(*length).value_or(count);
    count = wanted < 0 ? std::max<std::int64_t>(0, count + wanted) : std::min(count, wanted);
  }
  return value.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
}

std::string replaced(std::string value, const std::string& from, const std::string& to, bool every) {
  if (from.empty()) return value;
  for (std::size_t at = value.find(from); at != std::string::npos; at = value.find(from, at + to.size())) {
    value.replace(at, from.size(), to);
    if (!every) break;
  }
  return value;
}

class Expander {
 public:
  Expander(std::string_view text, const EnvSource& source) : text_(text), source_(source) {}

  Result<std::string> run() {
    std::string out;
    while (at_ < text_.size()) KVASIR_CHECK_OK(step(out, 0));
    return out;
  }

 private:
  /// One character, escape or expression of the running text.
  Result<void> step(std::string& out, int depth) {
    const char c = text_[at_];
    const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c == '$' && next == '{') return expression(out, depth);
    const bool escape = (c == '$' && next == '$') || (c == '\\' && (next == '\\' || next == '/'));
    out += escape ? next : c;
    at_ += escape ? 2 : 1;
    return {};
  }

  /// Text of an argument up to one of `stops` (not consumed).
  Result<std::string> argument(std::string_view stops, int depth) {
    std::string out;
    while (at_ < text_.size() && stops.find(text_[at_]) == std::string_view::npos) KVASIR_CHECK_OK(step(out, depth));
    if (at_ >= text_.size()) return missing_brace();
    return out;
  }

  bool take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Unexpected missing_brace() const { return fail(ErrorCode::kParse, "missing closing brace"); }

  Result<void> expression(std::string& out, int depth) {
    if (depth >= kEnvNestingMax) return fail(ErrorCode::kParse, "variables are nested too deeply");
    at_ += 2;
    if (take("file:")) return file(out, depth);
    const bool length_of = take("#");
    std::string name;
    while (at_ < text_.size() && is_name_character(text_[at_])) name += text_[at_++];
    const std::string value = source_.variable(name).value_or("");
    if (length_of) {
      out += std::to_string(value.size());
    } else {
      KVASIR_TRY(const std::string text, apply(value, depth));
      out += text;
    }
    return take("}") ? Result<void>() : missing_brace();
  }

  Result<void> file(std::string& out, int depth) {
    KVASIR_TRY(const std::string path, argument("}", depth + 1));
    if (!source_.file) return fail(ErrorCode::kUnsupported, "${file:...} is not available here");
    KVASIR_TRY(std::string content, source_.file(path));
    if (content.ends_with('\n')) content.pop_back();
    out += content;
    return take("}") ? Result<void>() : missing_brace();
  }

  Result<std::string> apply(const std::string& value, int depth) {
    for (const char* mark : {":-", ":=", ":?", ":+", "="}) {
      if (!take(mark)) continue;
      KVASIR_TRY(std::string fallback, argument("}", depth + 1));
      return value.empty() ? fallback : value;
    }
    if (take(":")) return substring(value, depth);
    if (take("^^")) return mapped(value, ascii_upper, value.size());
    if (take("^")) return mapped(value, ascii_upper, 1);
    if (take(",,")) return mapped(value, ascii_lower, value.size());
    if (take(",")) return mapped(value, ascii_lower, 1);
    for (const char* mark : {"##", "#", "%%", "%"}) {
      if (!take(mark)) continue;
      KVASIR_TRY(const std::string pattern, argument("}", depth + 1));
      const bool longest = mark[1] != '\0';
      return mark[0] == '#' ? without_prefix(value, pattern, longest) : without_suffix(value, pattern, longest);
    }
    return take("/") ? replacement(value, depth) : Result<std::string>(value);
  }

  static std::string mapped(std::string value, char (*change)(char), std::size_t count) {
    for (std::size_t i = 0; i < std::min(count, value.size()); ++i) value[i] = change(value[i]);
    return value;
  }

  Result<std::string> substring(const std::string& value, int depth) {
    KVASIR_TRY(const std::string position, argument(":}", depth + 1));
    if (!take(":")) return part_of(value, position, std::nullopt);
    KVASIR_TRY(const std::string length, argument("}", depth + 1));
    return part_of(value, position, length);
  }

  Result<std::string> replacement(const std::string& value, int depth) {
    const bool every = take("/");
    const bool prefix = !every && take("#");
    const bool suffix = !every && !prefix && take("%");
    KVASIR_TRY(const std::string from, argument("/}", depth + 1));
    std::string to;
    if (take("/")) {
      KVASIR_TRY(to, argument("}", depth + 1));
    }
    if (prefix) return value.starts_with(from) ? to + value.substr(from.size()) : value;
    if (suffix) return value.ends_with(from) ? value.substr(0, value.size() - from.size()) + to : value;
    return replaced(value, from, to, every);
  }

  std::string_view text_;
  const EnvSource& source_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::string> expand_env(std::string_view text, const EnvSource& source) { return Expander(text, source).run(); }

EnvSource process_environment() {
  EnvSource source;
  source.variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  source.file = [](const std::string& path) -> Result<std::string> {
    std::ifstream in(path, std::ios::binary);
    if (!in) return fail(ErrorCode::kIo, "read " + path + ": cannot open the file");
    std::ostringstream content;
    content << in.rdbuf();
    return std::move(content).str();
  };
  return source;
}

}  // namespace kvasir
