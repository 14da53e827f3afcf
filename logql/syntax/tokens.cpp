#include <array>

#include "logql/syntax/lexer.h"

namespace kvasir::logql {
namespace {

constexpr std::string_view kNames[] = {
    "$end",
    "BYTES",
    "IDENTIFIER",
    "STRING",
    "NUMBER",
    "FUNCTION_FLAG",
    "DURATION",
    "RANGE",
    "=",
    "=~",
    "!~",
    ">",
    "{",
    "}",
    "[",
    "]",
    ",",
    ".",
    "|~",
    "|=",
    "|>",
    "!>",
    "(",
    ")",
    "by",
    "without",
    "COUNT_OVER_TIME",
    "RATE",
    "RATE_COUNTER",
    "SUM",
    "SORT",
    "SORT_DESC",
    "AVG",
    "MAX",
    "MIN",
    "COUNT",
    "STDDEV",
    "STDVAR",
    "BOTTOMK",
    "TOPK",
    "APPROX_TOPK",
    "BYTES_OVER_TIME",
    "BYTES_RATE",
    "bool",
    "json",
    "regexp",
    "logfmt",
    "|",
    "line_format",
    "label_format",
    "unwrap",
    "AVG_OVER_TIME",
    "SUM_OVER_TIME",
    "MIN_OVER_TIME",
    "MAX_OVER_TIME",
    "STDVAR_OVER_TIME",
    "STDDEV_OVER_TIME",
    "QUANTILE_OVER_TIME",
    "BYTES_CONV",
    "DURATION_CONV",
    "DURATION_SECONDS_CONV",
    "FIRST_OVER_TIME",
    "LAST_OVER_TIME",
    "ABSENT_OVER_TIME",
    "VECTOR",
    "label_replace",
    "unpack",
    "offset",
    "pattern",
    "ip",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "decolorize",
    "drop",
    "keep",
    "variants",
    "of",
    "or",
    "and",
    "unless",
    "==",
    "!=",
    "<",
    "<=",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "IDENTIFIER",
};
static_assert(std::size(kNames) == static_cast<std::size_t>(TokenKind::kCharacter) + 1);

}  // namespace

std::string_view token_kind_name(TokenKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

Error parse_error(SourcePosition position, std::string_view message) {
  std::string text = "parse error ";
  if (position.line != 0 || position.column != 0) {
    text += "at line " + std::to_string(position.line) + ", col " + std::to_string(position.column);
  }
  return Error(ErrorCode::kParse, text.append(": ").append(message));
}

}  // namespace kvasir::logql
