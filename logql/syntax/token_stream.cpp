#include "logql/syntax/token_stream.h"

#include <algorithm>
#include <vector>

namespace kvasir::logql {
namespace {

constexpr std::size_t kExpectedShownMax = 4;  // longer lists are not printed

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

const Token& TokenStream::peek() {
  if (next_) return *next_;
  if (lexer_error_) return next_.emplace();
  auto token = lexer_.next();
  if (!token) {
    lexer_error_ = std::move(token).error();
    return next_.emplace();
  }
  return next_.emplace(std::move(*token));
}

Token TokenStream::take() {
  Token token = peek();
  next_.reset();
  return token;
}

bool TokenStream::accept(TokenKind kind) {
  if (!at(kind)) return false;
  next_.reset();
  return true;
}

Result<Token> TokenStream::expect(TokenKind kind, std::initializer_list<TokenKind> expected) {
  if (!at(kind)) return fail(unexpected(expected));
  return take();
}

Error TokenStream::unexpected(std::initializer_list<TokenKind> expected) {
  const Token& token = peek();
  if (lexer_error_) return *lexer_error_;
  std::string message = "syntax error: unexpected " + std::string(token_kind_name(token.kind));
  std::vector<TokenKind> sorted(expected);
  std::sort(sorted.begin(), sorted.end());
  if (sorted.size() > kExpectedShownMax) sorted.clear();
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    message += i == 0 ? ", expecting " : " or ";
    message += token_kind_name(sorted[i]);
  }
  return parse_error(token.position, message);
}

Error TokenStream::unexpected_with_hint(std::string_view expected, std::string_view hint) {
  const Token& token = peek();
  if (lexer_error_) return *lexer_error_;
  std::string message = "syntax error: unexpected " + std::string(token_kind_name(token.kind));
  if (!token.text.empty()) message += " '" + token.text + "'";
  message.append(", expecting ").append(expected).append("; ").append(hint);
  return parse_error({token.line, token.position.column}, message);
}

Error TokenStream::complain(const Token& token, std::string_view message) {
  return parse_error({token.line, token.position.column}, message);
}

bool TokenStream::at_word() {
  const Token& token = peek();
  if (token.kind == TokenKind::kString || token.kind == TokenKind::kNumber || token.text.empty()) return false;
  const char c = token.text.front();
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool TokenStream::at_word(std::string_view word) { return at_word() && equals_ignoring_case(peek().text, word); }

Error TokenStream::too_deep() {
  const Token& token = peek();
  return parse_error({token.line, token.position.column},
                     "expression is nested too deeply, limit " + std::to_string(kDepthMax));
}

}  // namespace kvasir::logql
