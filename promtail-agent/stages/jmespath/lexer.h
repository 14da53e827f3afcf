// lexer.h -- JMESPath text to tokens.
//
// Errors:   parse: `SyntaxError: <reason> at position 7`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace kvasir::agent::jmespath {

enum class TokenType : std::uint8_t {
  kEnd,
  kIdentifier,
  kQuotedIdentifier,
  kNumber,
  kLiteral,
  kRawString,
  kRightBracket,
  kRightParen,
  kComma,
  kRightBrace,
  kColon,
  kCurrent,
  kExpressionRef,
  kPipe,
  kOr,
  kAnd,
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kFlatten,
  kStar,
  kFilter,
  kDot,
  kNot,
  kLeftBrace,
  kLeftBracket,
  kLeftParen,
};

struct Token {
  TokenType type = TokenType::kEnd;
  std::string text;          // decoded: identifiers, strings, the JSON of a literal
  std::int64_t number = 0;
  std::size_t position = 0;  // byte offset
};

/// The tokens, with a kEnd at the end.
Result<std::vector<Token>> tokenize(std::string_view text);

Error syntax_error(std::string_view reason, std::size_t position);

}  // namespace kvasir::agent::jmespath
