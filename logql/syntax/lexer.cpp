#include "logql/syntax/lexer.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "common/number.h"
#include "common/escapes.h"
#include "common/utf8.h"
#include "logql/syntax/number_scan.h"

namespace kvasir::logql {
namespace {

using enum TokenKind;

const std::unordered_map<std::string_view, TokenKind>& reserved_words() {
  static const std::unordered_map<std::string_view, TokenKind> kWords = {
      {"by", kBy}, {"without", kWithout}, {"bool", kBool}, {"on", kOn}, {"ignoring", kIgnoring},
      {"group_left", kGroupLeft}, {"group_right", kGroupRight}, {"offset", kOffset}, {"or", kOr}, {"and", kAnd},
      {"unless", kUnless}, {"unwrap", kUnwrap}, {"json", kJson}, {"regexp", kRegexp}, {"logfmt", kLogfmt},
      {"unpack", kUnpack}, {"pattern", kPattern}, {"line_format", kLineFormat}, {"label_format", kLabelFormat},
      {"decolorize", kDecolorize}, {"drop", kDrop}, {"keep", kKeep}, {"variants", kVariants}, {"of", kOf},
  };
  return kWords;
}

/// Words that are functions only when a call follows.
const std::unordered_map<std::string_view, TokenKind>& function_words() {
  static const std::unordered_map<std::string_view, TokenKind> kWords = {
      {"rate", kRate}, {"rate_counter", kRateCounter}, {"count_over_time", kCountOverTime}, {"bytes_rate", kBytesRate},
      {"bytes_over_time", kBytesOverTime}, {"avg_over_time", kAvgOverTime}, {"sum_over_time", kSumOverTime},
      {"min_over_time", kMinOverTime}, {"max_over_time", kMaxOverTime}, {"stdvar_over_time", kStdvarOverTime},
      {"stddev_over_time", kStddevOverTime}, {"quantile_over_time", kQuantileOverTime},
      {"first_over_time", kFirstOverTime}, {"last_over_time", kLastOverTime}, {"absent_over_time", kAbsentOverTime},
      {"vector", kVector}, {"sum", kSum}, {"avg", kAvg}, {"max", kMax}, {"min", kMin}, {"count", kCount},
      {"stddev", kStddev}, {"stdvar", kStdvar}, {"bottomk", kBottomk}, {"topk", kTopk}, {"sort", kSort},
      {"sort_desc", kSortDesc}, {"approx_topk", kApproxTopk}, {"label_replace", kLabelReplace}, {"bytes", kBytesConv},
      {"duration", kDurationConv}, {"duration_seconds", kDurationSecondsConv}, {"ip", kIp},
  };
  return kWords;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

/// Letters beyond ASCII: everything but the blocks of symbols and punctuation. Only positions in messages depend on it,
/// since no stream can carry such a name.
bool is_letter(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  return c >= 0xc0 && !(c >= 0x2000 && c <= 0x2bff) && !(c >= 0x3000 && c <= 0x3004) && c != 0xfffd;
}

std::size_t first_bad_byte(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Rune rune = decode_utf8(text.substr(i));
    if (!rune.valid || rune.value == 0) return i;
    i += rune.length;
  }
  return text.size();
}

std::size_t run_length(std::string_view text, std::string_view letters) {
  std::size_t n = 0;
  while (n < text.size()) {
    if (is_digit(text[n]) || text[n] == '.' || letters.find(text[n]) != std::string_view::npos) {
      ++n;
    } else if (text.substr(n, 2) == "\xc2\xb5" && letters.find('u') != std::string_view::npos) {
      n += 2;
    } else {
      break;
    }
  }
  return n;
}

constexpr std::array<std::pair<std::string_view, Duration>, 7> kRangeUnits = {{
    {"y", std::chrono::hours(24 * 365)}, {"w", std::chrono::hours(24 * 7)}, {"d", std::chrono::hours(24)},
    {"h", std::chrono::hours(1)}, {"m", std::chrono::minutes(1)}, {"s", std::chrono::seconds(1)},
    {"ms", std::chrono::milliseconds(1)},
}};

std::string quoted(std::string_view text) {
  std::string out;
  append_go_quoted(out, text);
  return out;
}

/// Why `text` is not the inside of a range; empty if it is one.
std::string range_problem(std::string_view text) {
  if (text.empty()) return "empty duration string";
  if (text == "0") return {};
  std::size_t next_unit = 0;
  for (auto rest = text; !rest.empty();) {
    const auto digits = static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), is_digit) - rest.begin());
    const auto after = rest.substr(digits);
    const auto letters = static_cast<std::size_t>(std::find_if(after.begin(), after.end(), is_digit) - after.begin());
    if (digits == 0 || letters == 0) return "not a valid duration string: " + quoted(text);
    const auto unit = std::find_if(kRangeUnits.begin(), kRangeUnits.end(),
                                   [&](const auto& known) { return known.first == after.substr(0, letters); });
    if (unit == kRangeUnits.end()) {
      return "unknown unit " + quoted(after.substr(0, letters)) + " in duration " + quoted(text);
    }
    const auto index = static_cast<std::size_t>(unit - kRangeUnits.begin());
    if (index < next_unit) return "not a valid duration string: " + quoted(text);
    next_unit = index + 1;
    rest = after.substr(letters);
  }
  return parse_prometheus_duration(text) ? "" : "duration out of range";
}

/// The text of a quoted literal. Nothing: an escape is out of range; the scanner has seen that each is well written.
std::optional<std::string> unquoted(std::string_view body) {
  std::string out;
  while (!body.empty()) {
    const std::size_t plain = std::min(body.find('\\'), body.size());
    out += body.substr(0, plain);
    body.remove_prefix(plain);
    if (body.empty()) break;
    body.remove_prefix(1);
    const GoEscape escape = take_go_escape(body, '"');
    if (!escape.valid()) return std::nullopt;
    escape.append_to(out);
  }
  return out;
}

/// Bytes of the escape at the start of `text` (a backslash), or 0 if it is none.
std::size_t escape_length(std::string_view text, char quote) {
  std::string_view rest = text.substr(1);
  return take_go_escape(rest, quote).kind == GoEscape::Kind::kMalformed ? 0 : text.size() - rest.size();
}

}  // namespace

Lexer::Lexer(std::string_view text) : text_(text), bad_offset_(first_bad_byte(text)) {
  if (text_.starts_with("\xef\xbb\xbf")) offset_ = 3;
}

void Lexer::advance() {
  const Rune rune = decode_utf8(text_.substr(offset_));
  offset_ += rune.length;
  ++column_;
  if (rune.value == '\n') {
    ++line_;
    column_ = 1;
  }
}

void Lexer::advance_to(std::size_t offset) {
  while (offset_ < offset) advance();
}

Error Lexer::error_here(const Mark& mark, std::string_view message) const {
  return parse_error({mark.line, mark.column}, message);
}

Token Lexer::make(TokenKind kind, const Mark& mark, std::string text) const {
  return Token{.kind = kind, .position = {mark.line, mark.column}, .line = mark.line, .text = std::move(text)};
}

Result<void> Lexer::skip_block_comment() {
  const Mark mark{offset_, line_, column_};
  const auto end = text_.find("*/", offset_ + 2);
  if (end == std::string_view::npos) return fail(error_here(mark, "comment not terminated"));
  advance_to(end + 2);
  return {};
}

Result<void> Lexer::skip_blanks() {
  while (!at_end()) {
    if (is_blank(peek())) {
      advance();
    } else if (peek() == '#' || (peek() == '/' && peek(1) == '/')) {
      advance_to(std::min(text_.find('\n', offset_), text_.size()));
    } else if (peek() == '/' && peek(1) == '*') {
      KVASIR_CHECK_OK(skip_block_comment());
    } else {
      break;
    }
  }
  return {};
}

Result<Token> Lexer::next() {
  KVASIR_CHECK_OK(skip_blanks());
  const Mark mark{offset_, line_, column_};
  if (at_end() && bad_offset_ == text_.size()) {
    // Nothing was read at all: the reference has no position then.
    return text_.empty() ? Token{} : make(kEnd, mark);
  }
  auto token = offset_ < bad_offset_ ? lex_token(mark) : Result<Token>(Token{});
  if (token && offset_ >= bad_offset_ && bad_offset_ < text_.size()) {
    const bool nul = text_[bad_offset_] == '\0';
    return fail(error_here(mark, nul ? "invalid character NUL" : "invalid UTF-8 encoding"));
  }
  return token;
}

Result<Token> Lexer::lex_token(const Mark& mark) {
  const char c = peek();
  if (is_letter(decode_utf8(text_.substr(offset_)).value)) return lex_word(mark);
  if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return lex_number(mark);
  if (c == '"') return lex_quoted(mark);
  if (c == '`') return lex_raw_string(mark);
  if (c == '\'') return lex_char(mark);
  if (c == '[') return lex_range(mark);
  if (c == '-') return lex_minus(mark);
  return lex_operator(mark);
}

Result<Token> Lexer::lex_word(const Mark& mark) {
  while (!at_end()) {
    const auto c = decode_utf8(text_.substr(offset_)).value;
    if (!is_letter(c) && !(c < 0x80 && is_digit(static_cast<char>(c)))) break;
    advance();
  }
  const auto word = text_.substr(mark.offset, offset_ - mark.offset);
  const std::string key = ascii_lower(word);
  if (const auto it = reserved_words().find(key); it != reserved_words().end()) {
    return make(it->second, mark, std::string(word));
  }
  const auto it = function_words().find(key);
  return make(it != function_words().end() && is_call(offset_) ? it->second : kIdentifier, mark, std::string(word));
}

/// True if `(` follows, or `by (`, or `without (`.
bool Lexer::is_call(std::size_t offset) const {
  const auto skip = [&] {
    while (offset < text_.size() && is_blank(text_[offset])) ++offset;
  };
  skip();
  for (const std::string_view word : {"by", "without"}) {
    if (ascii_lower(text_.substr(offset, word.size())) != word) continue;
    offset += word.size();
    skip();
    break;
  }
  return offset < text_.size() && text_[offset] == '(';
}

Result<Token> Lexer::lex_number(const Mark& mark) {
  const NumberScan scan = scan_number(text_.substr(offset_));
  if (!scan.problem.empty()) return fail(error_here(mark, scan.problem));
  advance_to(offset_ + scan.length);
  const auto rest = text_.substr(offset_);
  Token token = make(kNumber, mark, std::string(text_.substr(mark.offset, scan.length)));
  if (const auto n = run_length(rest, "numshdwy"); n > 0) {
    if (const auto duration = parse_duration(text_.substr(mark.offset, scan.length + n))) {
      advance_to(offset_ + n);
      token.kind = kDuration;
      token.duration = *duration;
      token.position.line = 0;
      return token;
    }
  }
  if (const auto n = run_length(rest, "BikKMGTP"); n > 0) {
    if (const auto bytes = parse_byte_size(text_.substr(mark.offset, scan.length + n))) {
      advance_to(offset_ + n);
      token.kind = kBytes;
      token.bytes = *bytes;
      token.position.line = 0;
    }
  }
  return token;
}

Result<Token> Lexer::lex_quoted(const Mark& mark) {
  advance();
  const std::size_t begin = offset_;
  while (peek() != '"') {
    if (at_end() || peek() == '\n') return fail(error_here(mark, "literal not terminated"));
    if (peek() != '\\') {
      advance();
      continue;
    }
    const std::size_t n = escape_length(text_.substr(offset_), '"');
    if (n == 0)
      return fail(error_here(mark, offset_ + 1 < text_.size() ? "invalid char escape" : "literal not terminated"));
    advance_to(offset_ + n);
  }
  Token token = make(kString, mark);
  auto text = unquoted(text_.substr(begin, offset_ - begin));
  if (!text) return fail(error_here(mark, "invalid syntax"));
  token.text = std::move(*text);
  advance();
  return token;
}

Result<Token> Lexer::lex_raw_string(const Mark& mark) {
  const auto end = text_.find('`', offset_ + 1);
  if (end == std::string_view::npos) return fail(error_here(mark, "literal not terminated"));
  std::string text(text_.substr(offset_ + 1, end - offset_ - 1));
  std::erase(text, '\r');  // as Go reads raw strings
  advance_to(end + 1);
  return make(kString, mark, std::move(text));
}

/// 'x' is not a string: messages call one character a name, anything else is an error.
Result<Token> Lexer::lex_char(const Mark& mark) {
  advance();
  std::size_t count = 0;
  for (; peek() != '\''; ++count) {
    if (at_end() || peek() == '\n') return fail(error_here(mark, "literal not terminated"));
    const std::size_t n = peek() == '\\' ? escape_length(text_.substr(offset_), '\'') : 0;
    if (peek() == '\\' && n == 0) return fail(error_here(mark, "invalid char escape"));
    n == 0 ? advance() : advance_to(offset_ + n);
  }
  advance();
  if (count != 1) return fail(error_here(mark, "invalid char literal"));
  return make(kCharacter, mark, std::string(text_.substr(mark.offset, offset_ - mark.offset)));
}

Result<Token> Lexer::lex_range(const Mark& mark) {
  const auto end = text_.find(']', offset_);
  if (end == std::string_view::npos) return fail(parse_error({0, mark.column}, "missing closing ']' in duration"));
  const auto body = text_.substr(offset_ + 1, end - offset_ - 1);
  if (const std::string problem = range_problem(body); !problem.empty()) {
    return fail(parse_error({0, mark.column}, problem));
  }
  Token token = make(kRange, mark, std::string(body));
  token.position.line = 0;
  token.duration = *parse_prometheus_duration(body);
  advance_to(end + 1);
  return token;
}

/// A minus, a flag (--strict) or a negative duration (-5m, Go's units only).
Result<Token> Lexer::lex_minus(const Mark& mark) {
  advance();
  const auto rest = text_.substr(offset_);
  if (rest.starts_with("-")) {
    std::size_t n = 1;
    while (n < rest.size() && (is_letter(static_cast<unsigned char>(rest[n])) || rest[n] == '-') && rest[n] != '_') ++n;
    const auto flag = rest.substr(1, n - 1);
    if (flag == "strict" || flag == "keep-empty") {
      advance_to(offset_ + n);
      Token token = make(kFunctionFlag, mark, "--" + std::string(flag));
      token.position.line = 0;
      return token;
    }
  }
  if (const auto n = run_length(rest, "numshdwy"); n > 0 && is_digit(rest.front())) {
    const auto duration = parse_go_duration(rest.substr(0, n));
    if (duration && rest.substr(0, n).find_first_not_of("0123456789.") != std::string_view::npos) {
      advance_to(offset_ + n);
      Token token = make(kDuration, mark, "-" + std::string(rest.substr(0, n)));
      token.position.line = 0;
      token.duration = -*duration;
      return token;
    }
  }
  return make(kSubtract, mark, "-");
}

Result<Token> Lexer::lex_operator(const Mark& mark) {
  static constexpr std::array<std::pair<std::string_view, TokenKind>, 10> kPairs = {{
      {"=~", kRegexMatch}, {"!~", kNotRegexMatch}, {"!=", kNotEqual}, {"==", kEqual}, {">=", kGreaterOrEqual},
      {"<=", kLessOrEqual}, {"|=", kPipeExact}, {"|~", kPipeMatch}, {"|>", kPipePattern}, {"!>", kNotPattern},
  }};
  const auto pair = text_.substr(offset_, 2);
  const auto found = std::find_if(kPairs.begin(), kPairs.end(), [&](const auto& known) { return known.first == pair; });
  if (found != kPairs.end()) {
    advance_to(offset_ + 2);
    Token token = make(found->second, mark, std::string(pair));
    token.position.line = 0;
    return token;
  }
  static constexpr std::array<std::pair<char, TokenKind>, 18> kSingles = {{
      {'{', kOpenBrace}, {'}', kCloseBrace}, {'(', kOpenParen}, {')', kCloseParen}, {']', kCloseBracket}, {',', kComma},
      {'.', kDot}, {'=', kAssign}, {'>', kGreater}, {'<', kLess}, {'|', kPipe}, {'+', kAdd}, {'*', kMultiply},
      {'/', kDivide}, {'%', kModulo}, {'^', kPower}, {'[', kOpenBracket}, {'-', kSubtract},
  }};
  const auto single = std::find_if(kSingles.begin(), kSingles.end(), [&](const auto& k) { return k.first == peek(); });
  advance();
  const std::string text(text_.substr(mark.offset, offset_ - mark.offset));
  return make(single != kSingles.end() ? single->second : kCharacter, mark, text);
}

}  // namespace kvasir::logql
