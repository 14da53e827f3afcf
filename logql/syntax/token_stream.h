// token_stream.h -- tokens with one of look-ahead, and the wording of syntax errors.
//
// Use:      peek() never fails: after an error of the lexer it gives kEnd, and every Error made here is then the
//           lexer's.
// Errors:   parse; only the first one counts.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include "common/result.h"
#include "logql/syntax/lexer.h"

namespace kvasir::logql {

class TokenStream {
 public:
  explicit TokenStream(std::string_view text) : lexer_(text) {}

  const Token& peek();
  TokenKind kind() { return peek().kind; }
  bool at(TokenKind kind) { return peek().kind == kind; }
  Token take();
  bool accept(TokenKind kind);
  /// Nothing is left, and not because the lexer gave up.
  bool at_end() { return at(TokenKind::kEnd) && !lexer_error_; }

  /// Takes a token of this kind or says that it was expected.
  Result<Token> expect(TokenKind kind) { return expect(kind, {kind}); }
  /// The same with the whole list of what could stand there.
  Result<Token> expect(TokenKind kind, std::initializer_list<TokenKind> expected);

  /// `syntax error: unexpected X, expecting A or B` at the next token; an empty list names nothing.
  Error unexpected(std::initializer_list<TokenKind> expected = {});
  /// In syntax of ours: where it really is, what was expected, and what to write instead.
  Error unexpected_with_hint(std::string_view expected, std::string_view hint);
  /// A complaint about `token` that is not about its place in the grammar.
  Error complain(const Token& token, std::string_view message);

  /// True at a word, reserved or not: names of fields in our pipes.
  bool at_word();
  /// True at a word that reads `word` in any case.
  bool at_word(std::string_view word);

  /// Bounds recursion and the depth of the tree; false once the limit is passed.
  bool enter() { return ++depth_ <= kDepthMax; }
  void leave() { --depth_; }
  Error too_deep();

  static constexpr int kDepthMax = 500;

 private:
  Lexer lexer_;
  std::optional<Token> next_;
  std::optional<Error> lexer_error_;
  int depth_ = 0;
};

/// Holds one level of nesting for a scope.
class DepthGuard {
 public:
  explicit DepthGuard(TokenStream& tokens) : tokens_(tokens), ok_(tokens.enter()) {}
  ~DepthGuard() { tokens_.leave(); }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;
  bool ok() const { return ok_; }

 private:
  TokenStream& tokens_;
  bool ok_;
};

}  // namespace kvasir::logql
