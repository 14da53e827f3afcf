#include "common/regex.h"

#include <string>

#include "common/utf8.h"

namespace kvasir {
namespace {

constexpr std::size_t kReplacementBytes = 3;  // U+FFFD in UTF-8

// RE2 of Debian 12 knows only (?P<name>; Go knows (?<name> as well. Rewrites outside classes and escapes.
std::string with_named_groups(std::string_view pattern) {
  std::string out;
  out.reserve(pattern.size() + 8);
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      out += c;
      out += pattern[++i];
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out += c;
    const bool named = !in_class && c == '(' && pattern.substr(i + 1, 2) == "?<" && i + 3 < pattern.size() &&
                       pattern[i + 3] != '=' && pattern[i + 3] != '!';
    if (named) {
      out += "?P<";
      i += 2;
    }
  }
  return out;
}

std::string_view go_reason(re2::RE2::ErrorCode code) {
  switch (code) {
    case re2::RE2::ErrorBadEscape: return "invalid escape sequence";
    case re2::RE2::ErrorBadCharClass: return "invalid character class";
    case re2::RE2::ErrorBadCharRange: return "invalid character class range";
    case re2::RE2::ErrorMissingBracket: return "missing closing ]";
    case re2::RE2::ErrorMissingParen: return "missing closing )";
    case re2::RE2::ErrorUnexpectedParen: return "unexpected )";
    case re2::RE2::ErrorTrailingBackslash: return "trailing backslash at end of expression";
    case re2::RE2::ErrorRepeatArgument: return "missing argument to repetition operator";
    case re2::RE2::ErrorRepeatSize: return "invalid repeat count";
    case re2::RE2::ErrorRepeatOp: return "invalid nested repetition operator";
    case re2::RE2::ErrorBadPerlOp: return "invalid or unsupported Perl syntax";
    case re2::RE2::ErrorBadUTF8: return "invalid UTF-8";
    case re2::RE2::ErrorBadNamedCapture: return "invalid named capture";
    case re2::RE2::ErrorPatternTooLarge: return "expression too large";
    default: return "internal error";
  }
}

std::string go_error(const re2::RE2& regex) {
  const auto code = regex.error_code();
  std::string text = "error parsing regexp: " + std::string(go_reason(code));
  // Go names no argument for a trailing backslash; it shows the whole expression for an open or a stray parenthesis.
  if (code == re2::RE2::ErrorTrailingBackslash) return text + ": ``";
  const bool whole = code == re2::RE2::ErrorMissingParen || code == re2::RE2::ErrorUnexpectedParen;
  return text + ": `" + (whole ? regex.pattern() : regex.error_arg()) + "`";
}

// RE2 takes any letter in the name of a group, Go only word characters.
std::string bad_group_name(const re2::RE2& regex) {
  for (const auto& [name, index] : regex.NamedCapturingGroups()) {
    for (const char c : name) {
      if (static_cast<unsigned char>(c) >= 0x80)
        return "error parsing regexp: invalid named capture: `(?P<" + name + ">`";
    }
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const re2::RE2>> compile_regex(std::string_view pattern, RegexOptions options) {
  re2::RE2::Options re2_options;
  re2_options.set_log_errors(false);
  re2_options.set_max_mem(kRegexMemoryMax);
  re2_options.set_dot_nl(options.dot_matches_newline);
  re2_options.set_case_sensitive(!options.case_insensitive);
  std::string text = with_named_groups(pattern);
  if (options.anchored) text = "^(?:" + text + ")$";
  auto regex = std::make_shared<const re2::RE2>(text, re2_options);
  if (regex->ok()) {
    if (std::string problem = bad_group_name(*regex); !problem.empty())
      return fail(ErrorCode::kParse, std::move(problem));
    return regex;
  }
  // Reported for the pattern as it was written, not as it was wrapped.
  const re2::RE2 plain{re2::StringPiece(pattern.data(), pattern.size()), re2_options};
  return fail(ErrorCode::kParse, go_error(plain.ok() ? *regex : plain));
}

bool regex_matches(const re2::RE2& regex, std::string_view text) {
  if (re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), regex)) return true;
  return !is_valid_utf8(text) && re2::RE2::PartialMatch(replace_invalid_utf8(text), regex);
}

RegexSubject::RegexSubject(std::string_view text) : original_(text), is_copy_(!is_valid_utf8(text)) {
  if (is_copy_) copy_ = replace_invalid_utf8(text);
}

re2::StringPiece RegexSubject::original(re2::StringPiece found) const {
  if (!is_copy_ || found.data() == nullptr) return found;
  const auto begin = static_cast<std::size_t>(found.data() - copy_.data());
  const std::size_t from = original_offset(begin);
  return {original_.data() + from, original_offset(begin + found.size()) - from};
}

std::size_t RegexSubject::original_offset(std::size_t offset) const {
  std::size_t at = 0;
  for (std::size_t copied = 0; copied < offset;) {
    const Rune rune = decode_utf8(original_.substr(at));
    at += rune.length;
    copied += rune.valid ? rune.length : kReplacementBytes;
  }
  return at;
}

}  // namespace kvasir
