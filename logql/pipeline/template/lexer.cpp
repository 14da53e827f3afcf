#include "logql/pipeline/template/lexer.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "common/labels.h"
#include "common/utf8.h"
#include "logql/pipeline/unicode_text.h"

namespace kvasir::gotemplate {

namespace {

constexpr std::string_view kLeft = "{{";
constexpr std::string_view kRight = "}}";

constexpr std::array<std::pair<std::string_view, TokenKind>, 12> kKeywords{{
    {"block", TokenKind::kBlock},
    {"break", TokenKind::kBreak},
    {"continue", TokenKind::kContinue},
    {"define", TokenKind::kDefine},
    {"else", TokenKind::kElse},
    {"end", TokenKind::kEndKeyword},
    {"if", TokenKind::kIf},
    {"nil", TokenKind::kNil},
    {"range", TokenKind::kRange},
    {"template", TokenKind::kTemplate},
    {"with", TokenKind::kWith},
    {".", TokenKind::kDot},
}};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string code_point_name(char32_t c) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "U+%04X", static_cast<unsigned>(c));
  std::string out = buffer.data();
  if (c >= 0x20 && c != 0x7f) {
    out += " '";
    append_utf8(out, c);
    out += "'";
  }
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> run() {
    while (!done_ && at_ < text_.size()) take_text();
    if (!done_) add(TokenKind::kEnd, at_, at_);
    return std::move(tokens_);
  }

 private:
  bool starts(std::string_view prefix) const { return text_.substr(at_, prefix.size()) == prefix; }
  bool at_right_trim() const {
    return at_ + 1 < text_.size() && is_space(text_[at_]) && text_[at_ + 1] == '-' &&
           text_.substr(at_ + 2, 2) == kRight;
  }

  void add(TokenKind kind, std::size_t begin, std::size_t end) {
    const auto text = text_.substr(begin, end - begin);
    tokens_.push_back({kind, std::string(text), begin, line_at(begin)});
  }
  void error(std::string message) {
    tokens_.push_back({TokenKind::kError, std::move(message), at_, line_at(at_)});
    done_ = true;
  }
  // Positions only grow, so lines are counted once.
  int line_at(std::size_t position) {
    if (position < counted_to_)
      return line_ - static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(position),
                                                 text_.begin() + static_cast<std::ptrdiff_t>(counted_to_), '\n'));
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(counted_to_),
                                         text_.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
    counted_to_ = position;
    return line_;
  }

  // Text up to the next action, and the action.
  void take_text() {
    const std::size_t action = text_.find(kLeft, at_);
    const std::size_t begin = at_;
    if (action == std::string_view::npos) {
      at_ = text_.size();
      add(TokenKind::kText, begin, at_);
      return;
    }
    const bool trims = action + 3 < text_.size() && text_[action + 2] == '-' && is_space(text_[action + 3]);
    std::size_t end = action;
    while (trims && end > begin && is_space(text_[end - 1])) --end;
    if (end > begin) add(TokenKind::kText, begin, end);
    at_ = action + kLeft.size() + (trims ? 2 : 0);
    if (starts("/*")) return skip_comment();
    add(TokenKind::kLeftDelimiter, action, action + kLeft.size());
    parens_ = 0;
    while (!done_ && take_inside()) {
    }
  }

  void trim_following() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  void skip_comment() {
    const std::size_t end = text_.find("*/", at_ + 2);
    if (end == std::string_view::npos) return error("unclosed comment");
    at_ = end + 2;
    if (at_right_trim()) {
      at_ += 4;
      trim_following();
    } else if (starts(kRight)) {
      at_ += kRight.size();
    } else {
      error("comment ends before closing delimiter");
    }
  }

  // One token inside an action. False: the action ended.
  bool take_inside() {
    if (at_right_trim() || starts(kRight)) {
      if (parens_ != 0) return error("unclosed left paren"), false;
      const bool trims = !starts(kRight);
      add(TokenKind::kRightDelimiter, at_, at_ + (trims ? 4 : 2));
      at_ += trims ? 4 : 2;
      if (trims) trim_following();
      return false;
    }
    if (at_ >= text_.size()) return error("unclosed action"), false;
    take_token();
    return true;
  }

  void take_token() {
    const char c = text_[at_];
    if (is_space(c)) return take_space();
    if (c == '=') return take_fixed(TokenKind::kAssign, 1);
    if (c == ':') return starts(":=") ? take_fixed(TokenKind::kDeclare, 2) : error("expected :=");
    if (c == '|') return take_fixed(TokenKind::kPipe, 1);
    if (c == ',') return take_fixed(TokenKind::kComma, 1);
    if (c == '"') return take_quoted();
    if (c == '`') return take_raw();
    if (c == '\'') return take_character();
    if (c == '(') return ++parens_, take_fixed(TokenKind::kLeftParen, 1);
    if (c == ')') return parens_-- == 0 ? error("unexpected right paren") : take_fixed(TokenKind::kRightParen, 1);
    const bool number =
        is_digit(c) || c == '+' || c == '-' || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]));
    if (number) return take_number();
    if (c == '.') return take_name(TokenKind::kField, 1);
    if (c == '$') return take_name(TokenKind::kVariable, 1);
    if (name_length(at_) != 0) return take_name(TokenKind::kIdentifier, 0);
    if (static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f)
      return take_fixed(TokenKind::kOther, 1);
    error("unrecognized character in action: " + code_point_name(decode_utf8(text_.substr(at_)).value));
  }

  void take_fixed(TokenKind kind, std::size_t size) {
    add(kind, at_, at_ + size);
    at_ += size;
  }
  void take_space() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_space(text_[at_]) && !(at_ != begin && at_right_trim())) ++at_;
    add(TokenKind::kSpace, begin, at_);
  }

  // Bytes of the letter, digit or underscore at a place; 0 if it is something else.
  std::size_t name_length(std::size_t at) const {
    if (at >= text_.size()) return 0;
    const Rune rune = decode_utf8(text_.substr(at));
    const char32_t c = rune.value;
    if (!rune.valid) return 0;
    return c == '_' || logql::is_unicode_letter(c) || logql::is_unicode_digit(c) ? rune.length : 0;
  }
  bool at_terminator() const {
    if (at_ >= text_.size() || is_space(text_[at_])) return true;
    return std::string_view(".,|:)(").find(text_[at_]) != std::string_view::npos || starts(kRight);
  }

  // `prefix` bytes and then a name. A lone dot is the current value, a lone `$` the root.
  void take_name(TokenKind kind, std::size_t prefix) {
    const std::size_t begin = at_;
    at_ += prefix;
    if (prefix == 1 && at_terminator()) return add(kind == TokenKind::kField ? TokenKind::kDot : kind, begin, at_);
    while (const std::size_t length = name_length(at_)) at_ += length;
    if (!at_terminator()) return error("bad character " + code_point_name(decode_utf8(text_.substr(at_)).value));
    const auto word = text_.substr(begin, at_ - begin);
    if (kind == TokenKind::kIdentifier) {
      if (word == "true" || word == "false") kind = TokenKind::kBool;
      for (const auto& [name, keyword] : kKeywords) {
        if (name == word) kind = keyword;
      }
    }
    add(kind, begin, at_);
  }

  void take_quoted() {
    const std::size_t begin = at_++;
    for (; at_ < text_.size() && text_[at_] != '\n'; ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        ++at_;
        return add(TokenKind::kString, begin, at_);
      }
    }
    at_ = begin;
    error("unterminated quoted string");
  }
  void take_raw() {
    const std::size_t end = text_.find('`', at_ + 1);
    if (end == std::string_view::npos) return error("unterminated raw quoted string");
    add(TokenKind::kRawString, at_, end + 1);
    at_ = end + 1;
  }
  void take_character() {
    const std::size_t begin = at_++;
    for (; at_ < text_.size() && text_[at_] != '\n'; ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '\'') {
        ++at_;
        return add(TokenKind::kCharacter, begin, at_);
      }
    }
    at_ = begin;
    error("unterminated character constant");
  }
  void take_number() {
    const std::size_t begin = at_++;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const bool exponent_sign =
          (c == '+' || c == '-') && std::string_view("eEpP").find(text_[at_ - 1]) != std::string_view::npos;
      if (name_length(at_) == 0 && c != '.' && !exponent_sign) break;
      at_ += std::max<std::size_t>(1, name_length(at_));
    }
    add(TokenKind::kNumber, begin, at_);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
  int parens_ = 0;
  bool done_ = false;
  int line_ = 1;
  std::size_t counted_to_ = 0;
};

}  // namespace

std::vector<Token> lex_template(std::string_view text) { return Lexer(text).run(); }

std::string describe_token(const Token& token) {
  if (token.kind == TokenKind::kEnd) return "EOF";
  if (token.kind == TokenKind::kError) return token.text;
  if (token.kind >= TokenKind::kDot) return "<" + token.text + ">";
  std::string out;
  append_go_quoted(out, std::string_view(token.text).substr(0, token.text.size() > 10 ? 10 : token.text.size()));
  if (token.text.size() > 10) out += "...";
  return out;
}

}  // namespace kvasir::gotemplate
