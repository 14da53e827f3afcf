// lexer.h -- cuts a Go template into text and the tokens of its actions. Internal to this folder.
//
// Errors:   an error is a token of kind kError whose text is Go's message; it is the last token.
// Threads:  free function.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir::gotemplate {

enum class TokenKind : std::uint8_t {
  kError,
  kEnd,
  kText,
  kLeftDelimiter,
  kRightDelimiter,
  kSpace,
  kPipe,
  kDeclare,
  kAssign,
  kComma,
  kLeftParen,
  kRightParen,
  kIdentifier,
  kField,
  kVariable,
  kBool,
  kNumber,
  kCharacter,
  kString,
  kRawString,
  kOther,
  kDot,
  kNil,
  kBlock,
  kBreak,
  kContinue,
  kDefine,
  kElse,
  kEndKeyword,
  kIf,
  kRange,
  kTemplate,
  kWith,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  std::size_t position = 0;
  int line = 1;
};

/// Comments are left out, trim markers have done their work.
std::vector<Token> lex_template(std::string_view text);

/// As error messages show a token: `"x"`, `<if>`, `EOF`.
std::string describe_token(const Token& token);

}  // namespace kvasir::gotemplate
