#include "ingest/wire/label_string.h"

#include <algorithm>
#include <optional>

#include "common/escapes.h"
#include "common/utf8.h"

namespace kvasir::ingest {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

enum class TokenKind { kEnd, kOpen, kClose, kComma, kOperator, kIdentifier, kString };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::size_t offset = 0;
  std::string_view text;   // as written
  std::string value;       // of a string, unescaped
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<ParsedLabels> run() {
    KVASIR_TRY(Token open, next());
    if (open.kind == TokenKind::kIdentifier) {
      pairs_.push_back({"__name__", std::string(open.text)});
      KVASIR_TRY(open, next());
      if (open.kind == TokenKind::kEnd) return finish();
    }
    if (open.kind != TokenKind::kOpen) return fail(unexpected(open, "", ""));
    inside_ = true;
    KVASIR_TRY(Token token, next());
    while (token.kind != TokenKind::kClose) {
      KVASIR_CHECK_OK(take_pair(token));
      KVASIR_TRY(token, next());
      if (token.kind == TokenKind::kClose) break;
      if (token.kind != TokenKind::kComma) return fail(unexpected(token, "label set", "\",\" or \"}\""));
      KVASIR_TRY(token, next());
    }
    inside_ = false;
    KVASIR_TRY(const Token end, next());
    if (end.kind != TokenKind::kEnd) return fail(unexpected(end, "", ""));
    return finish();
  }

 private:
  Result<void> take_pair(const Token& name) {
    if (name.kind != TokenKind::kIdentifier) return fail(unexpected(name, "label set", "identifier or \"}\""));
    KVASIR_TRY(const Token equals, next());
    if (equals.kind != TokenKind::kOperator || equals.text != "=")
      return fail(unexpected(equals, "label set", "\"=\""));
    KVASIR_TRY(Token value, next());
    if (value.kind != TokenKind::kString) return fail(unexpected(value, "label set", "string"));
    pairs_.push_back({std::string(name.text), std::move(value.value)});
    return {};
  }

  Result<ParsedLabels> finish() {
    std::erase_if(pairs_, [](const Label& label) { return label.value.empty(); });
    ParsedLabels parsed;
    std::stable_sort(pairs_.begin(), pairs_.end(), [](const Label& a, const Label& b) { return a.name < b.name; });
    const auto twice = std::adjacent_find(pairs_.begin(), pairs_.end(),
                                          [](const Label& a, const Label& b) { return a.name == b.name; });
    if (twice != pairs_.end()) {
      parsed.duplicate_name = twice->name;
      parsed.pairs = pairs_;
      const auto same = [](const Label& a, const Label& b) { return a.name == b.name; };
      pairs_.erase(std::unique(pairs_.begin(), pairs_.end(), same), pairs_.end());
    }
    parsed.labels = Labels::from_unsorted(std::move(pairs_));
    return parsed;
  }

  Result<Token> next() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    const std::size_t begin = at_;
    if (at_ == text_.size()) {
      if (inside_) return fail(error(begin, "unexpected end of input inside braces"));
      return Token{TokenKind::kEnd, begin, {}, {}};
    }
    const char c = text_[at_];
    const auto simple = [&](TokenKind kind, std::size_t size) {
      at_ += size;
      return Token{kind, begin, text_.substr(begin, size), {}};
    };
    if (c == '{') return simple(TokenKind::kOpen, 1);
    if (c == '}') return simple(TokenKind::kClose, 1);
    if (c == ',') return simple(TokenKind::kComma, 1);
    if (c == '=') return simple(TokenKind::kOperator, text_.substr(at_).starts_with("=~") ? 2 : 1);
    if (c == '!' && at_ + 1 < text_.size() && (text_[at_ + 1] == '=' || text_[at_ + 1] == '~')) {
      return simple(TokenKind::kOperator, 2);
    }
    if (c == '"' || c == '\'' || c == '`') return quoted(c);
    if (is_letter(c)) {
      std::size_t size = 1;
      while (at_ + size < text_.size() && (is_letter(text_[at_ + size]) || is_digit(text_[at_ + size]))) ++size;
      return simple(TokenKind::kIdentifier, size);
    }
    const Rune rune = decode_utf8(text_.substr(at_));
    const std::string_view where = inside_ ? "unexpected character inside braces: '" : "unexpected character: '";
    return fail(error(begin, std::string(where) + std::string(text_.substr(at_, rune.length)) + "'"));
  }

  Result<Token> quoted(char quote) {
    const std::size_t begin = at_++;
    std::string value;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\n' && quote != '`') break;
      if (text_[at_] != '\\' || quote == '`') {
        value += text_[at_++];
        continue;
      }
      std::string_view rest = text_.substr(at_ + 1);
      const GoEscape escape = take_go_escape(rest, quote);
      if (!escape.valid()) return fail(error(at_, "unknown escape sequence"));
      escape.append_to(value);
      at_ = text_.size() - rest.size();
    }
    if (at_ == text_.size() || text_[at_] != quote) {
      return fail(error(begin, quote == '`' ? "unterminated raw string" : "unterminated quoted string"));
    }
    ++at_;
    return Token{TokenKind::kString, begin, text_.substr(begin, at_ - begin), std::move(value)};
  }

  static Error error(std::size_t offset, std::string_view what) {
    return {ErrorCode::kParse, "1:" + std::to_string(offset + 1) + ": parse error: " + std::string(what)};
  }

  static Error unexpected(const Token& token, std::string_view where, std::string_view expected) {
    std::string what = "unexpected ";
    switch (token.kind) {
      case TokenKind::kEnd: what += "end of input"; break;
      case TokenKind::kIdentifier: what += "identifier \"" + std::string(token.text) + "\""; break;
      case TokenKind::kString: what += "string " + std::string(token.text); break;
      case TokenKind::kOperator:
        what += token.text == "=" ? "\"=\"" : "<op:" + std::string(token.text) + ">";
        break;
      default: what += "\"" + std::string(token.text) + "\"";
    }
    if (!where.empty()) what += " in " + std::string(where) + ", expected " + std::string(expected);
    return error(token.offset, what);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool inside_ = false;  // of the braces: some errors are worded by it
  std::vector<Label> pairs_;
};

}  // namespace

Result<ParsedLabels> parse_label_string(std::string_view text) { return Parser(text).run(); }

}  // namespace kvasir::ingest
