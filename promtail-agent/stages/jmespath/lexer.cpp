#include "promtail-agent/stages/jmespath/lexer.h"

#include "common/number.h"
#include "promtail-agent/stages/arena.h"
#include "promtail-agent/stages/json_scanner.h"

namespace kvasir::agent::jmespath {
namespace {

bool starts_identifier(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        ++at_;
        continue;
      }
      begin_ = at_;
      KVASIR_CHECK_OK(one(c));
    }
    begin_ = at_;
    add(TokenType::kEnd);
    return std::move(tokens_);
  }

 private:
  Result<void> one(char c) {
    if (starts_identifier(c)) return identifier();
    if (is_digit(c) || c == '-') return number();
    if (c == '"') return quoted();
    if (c == '\'') return raw_string();
    if (c == '`') return literal();
    return symbol(c);
  }

  void add(TokenType type, std::string text = {}) { tokens_.push_back({type, std::move(text), 0, begin_}); }

  Unexpected error(std::string_view reason) const { return fail(syntax_error(reason, begin_)); }

  Result<void> identifier() {
    while (at_ < text_.size() && (starts_identifier(text_[at_]) || is_digit(text_[at_]))) ++at_;
    add(TokenType::kIdentifier, std::string(text_.substr(begin_, at_ - begin_)));
    return {};
  }

  Result<void> number() {
    ++at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    const auto value = parse_int64(text_.substr(begin_, at_ - begin_));
    if (!value) return error("invalid number");
    add(TokenType::kNumber);
    tokens_.back().number = *value;
    return {};
  }

  // The text up to `delimiter`, past it; a backslash keeps the next byte from ending it. Both stay in the text.
  Result<std::string_view> until(char delimiter) {
    const std::size_t from = ++at_;
    while (at_ < text_.size() && text_[at_] != delimiter) at_ += text_[at_] == '\\' ? 2 : 1;
    if (at_ >= text_.size()) return error("unclosed delimiter");
    return text_.substr(from, at_++ - from);
  }

  Result<void> quoted() {
    KVASIR_CHECK_OK(until('"'));
    JsonSpan span;
    JsonScanner scanner(text_.substr(begin_, at_ - begin_));
    if (!scanner.string(span)) return error("invalid quoted identifier");
    Arena arena;
    add(TokenType::kQuotedIdentifier, std::string(decode_json_string(span, arena)));
    return {};
  }

  static std::string unescape_only(std::string_view text, char escaped) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == escaped) ++i;
      out += text[i];
    }
    return out;
  }

  Result<void> raw_string() {
    KVASIR_TRY(const std::string_view inner, until('\''));
    add(TokenType::kRawString, unescape_only(inner, '\''));
    return {};
  }

  Result<void> literal() {
    KVASIR_TRY(const std::string_view inner, until('`'));
    std::string json = unescape_only(inner, '`');
    JsonSpan span;
    JsonScanner scanner(json);
    scanner.skip_space();
    const bool good = scanner.value(span);
    scanner.skip_space();
    if (!good || !scanner.at_end()) return error("invalid JSON literal");
    add(TokenType::kLiteral, std::move(json));
    return {};
  }

  void pair_or(char second, TokenType both, TokenType alone) {
    const bool follows = at_ + 1 < text_.size() && text_[at_ + 1] == second;
    at_ += follows ? 2 : 1;
    add(follows ? both : alone);
  }

  Result<void> symbol(char c) {
    switch (c) {
      case '|': return pair_or('|', TokenType::kOr, TokenType::kPipe), Result<void>();
      case '&': return pair_or('&', TokenType::kAnd, TokenType::kExpressionRef), Result<void>();
      case '<': return pair_or('=', TokenType::kLessOrEqual, TokenType::kLess), Result<void>();
      case '>': return pair_or('=', TokenType::kGreaterOrEqual, TokenType::kGreater), Result<void>();
      case '!': return pair_or('=', TokenType::kNotEqual, TokenType::kNot), Result<void>();
      case '=': return equal();
      case '[': return bracket();
      default: break;
    }
    static constexpr std::pair<char, TokenType> kSingles[] = {
        {'.', TokenType::kDot},         {'*', TokenType::kStar},        {',', TokenType::kComma},
        {':', TokenType::kColon},       {'@', TokenType::kCurrent},     {'{', TokenType::kLeftBrace},
        {'}', TokenType::kRightBrace},  {']', TokenType::kRightBracket}, {'(', TokenType::kLeftParen},
        {')', TokenType::kRightParen},
    };
    for (const auto& [symbol, type] : kSingles) {
      if (symbol != c) continue;
      ++at_;
      add(type);
      return {};
    }
    return error("unknown character");
  }

  Result<void> equal() {
    if (text_.substr(at_, 2) != "==") return error("unknown character '='");
    at_ += 2;
    add(TokenType::kEqual);
    return {};
  }

  Result<void> bracket() {
    const std::string_view two = text_.substr(at_, 2);
    at_ += two == "[]" || two == "[?" ? 2 : 1;
    add(two == "[]" ? TokenType::kFlatten : two == "[?" ? TokenType::kFilter : TokenType::kLeftBracket);
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t begin_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

Error syntax_error(std::string_view reason, std::size_t position) {
  return Error(ErrorCode::kParse, "SyntaxError: " + std::string(reason) + " at position " + std::to_string(position));
}

Result<std::vector<Token>> tokenize(std::string_view text) { return Lexer(text).run(); }

}  // namespace kvasir::agent::jmespath
