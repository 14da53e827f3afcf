// lexer.h -- query text to tokens, one at a time.
//
// Shape:    next() gives kEnd for ever after the last token. `text` holds the decoded string, the name as written or
//           the digits.
// Units:    line and column count from 1, columns in characters. Tokens of several characters that the reference system
//           reads by looking ahead (operators, ranges, durations, sizes, flags) carry line 0; clients see that in
//           messages.
// Errors:   parse, complete: `parse error at line 1, col 6: literal not terminated`. A lexer that failed is not used
//           again.
// Lifetime: the text must outlive the lexer; tokens own theirs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/time.h"
#include "logql/syntax/ast.h"

namespace kvasir::logql {

/// In the order in which the reference grammar declares them: expectation lists are sorted by it.
enum class TokenKind : std::uint8_t {
  kEnd,
  kBytes,
  kIdentifier,
  kString,
  kNumber,
  kFunctionFlag,
  kDuration,
  kRange,
  kAssign,
  kRegexMatch,
  kNotRegexMatch,
  kGreater,
  kOpenBrace,
  kCloseBrace,
  kOpenBracket,
  kCloseBracket,
  kComma,
  kDot,
  kPipeMatch,
  kPipeExact,
  kPipePattern,
  kNotPattern,
  kOpenParen,
  kCloseParen,
  kBy,
  kWithout,
  kCountOverTime,
  kRate,
  kRateCounter,
  kSum,
  kSort,
  kSortDesc,
  kAvg,
  kMax,
  kMin,
  kCount,
  kStddev,
  kStdvar,
  kBottomk,
  kTopk,
  kApproxTopk,
  kBytesOverTime,
  kBytesRate,
  kBool,
  kJson,
  kRegexp,
  kLogfmt,
  kPipe,
  kLineFormat,
  kLabelFormat,
  kUnwrap,
  kAvgOverTime,
  kSumOverTime,
  kMinOverTime,
  kMaxOverTime,
  kStdvarOverTime,
  kStddevOverTime,
  kQuantileOverTime,
  kBytesConv,
  kDurationConv,
  kDurationSecondsConv,
  kFirstOverTime,
  kLastOverTime,
  kAbsentOverTime,
  kVector,
  kLabelReplace,
  kUnpack,
  kOffset,
  kPattern,
  kIp,
  kOn,
  kIgnoring,
  kGroupLeft,
  kGroupRight,
  kDecolorize,
  kDrop,
  kKeep,
  kVariants,
  kOf,
  kOr,
  kAnd,
  kUnless,
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreaterOrEqual,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kPower,
  kCharacter,  // one that starts no token, and 'x': messages call it IDENTIFIER, but it names nothing
};

/// As messages name it: `IDENTIFIER`, `{`, `RATE`, `$end`.
std::string_view token_kind_name(TokenKind kind);

struct Token {
  TokenKind kind = TokenKind::kEnd;
  SourcePosition position;   // as messages report it
  std::uint32_t line = 1;    // where it really is
  std::string text;
  Duration duration{0};      // kDuration, kRange
  std::uint64_t bytes = 0;   // kBytes
};

/// `parse error at line 1, col 5: message`, or `parse error : message` for 0, 0.
Error parse_error(SourcePosition position, std::string_view message);

class Lexer {
 public:
  explicit Lexer(std::string_view text);

  Result<Token> next();

 private:
  /// Where a token begins.
  struct Mark {
    std::size_t offset;
    std::uint32_t line;
    std::uint32_t column;
  };

  bool at_end() const { return offset_ >= text_.size(); }
  char peek(std::size_t ahead = 0) const { return offset_ + ahead < text_.size() ? text_[offset_ + ahead] : '\0'; }
  void advance();
  void advance_to(std::size_t offset);
  Result<void> skip_blanks();
  Result<void> skip_block_comment();
  Result<Token> lex_token(const Mark& mark);
  Error error_here(const Mark& mark, std::string_view message) const;

  Result<Token> lex_word(const Mark& mark);
  Result<Token> lex_number(const Mark& mark);
  Result<Token> lex_quoted(const Mark& mark);
  Result<Token> lex_raw_string(const Mark& mark);
  Result<Token> lex_char(const Mark& mark);
  Result<Token> lex_range(const Mark& mark);
  Result<Token> lex_minus(const Mark& mark);
  Result<Token> lex_operator(const Mark& mark);
  bool is_call(std::size_t offset) const;
  Token make(TokenKind kind, const Mark& mark, std::string text = {}) const;

  std::string_view text_;
  std::size_t offset_ = 0;
  std::size_t bad_offset_;  // of the first byte that is not UTF-8, or NUL; the size of the text if none
  std::uint32_t line_ = 1;
  std::uint32_t column_ = 1;
};

}  // namespace kvasir::logql
