#include "logql/pipeline/json_path.h"

#include "common/number.h"
#include "common/utf8.h"

namespace kvasir::logql {

namespace {

enum class Token { kEnd, kDot, kOpen, kClose, kString, kField, kIndex, kBad };

std::string_view token_name(Token token) {
  switch (token) {
    case Token::kEnd:
    case Token::kBad: return "$end";
    case Token::kDot: return "DOT";
    case Token::kOpen: return "LSB";
    case Token::kClose: return "RSB";
    case Token::kString: return "STRING";
    case Token::kField: return "FIELD";
    case Token::kIndex: return "INDEX";
  }
  return "";
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_field_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_'; }

class PathParser {
 public:
  explicit PathParser(std::string_view text) : text_(text), rest_(text) {}

  Result<JsonPath> run() {
    JsonPath path;
    next();
    if (token_ == Token::kField) {
      path.emplace_back(std::string(value_));
      next();
    } else if (token_ != Token::kOpen) {
      return unexpected("LSB or FIELD");
    }
    while (token_ != Token::kEnd && token_ != Token::kBad) {
      KVASIR_TRY(JsonPathPart part, take_part());
      path.push_back(std::move(part));
    }
    // The scanner takes a character it does not know for the end; only where the path may end is it named.
    if (token_ == Token::kBad) return refuse("unexpected char " + std::string(bad_));
    return path;
  }

 private:
  Result<JsonPathPart> take_part() {
    if (token_ == Token::kDot) {
      next();
      if (token_ != Token::kField) return unexpected("FIELD");
      JsonPathPart part = std::string(value_);
      next();
      return part;
    }
    if (token_ != Token::kOpen) return unexpected("DOT or LSB");
    next();
    JsonPathPart part;
    if (token_ == Token::kString) {
      part = std::string(value_);
    } else if (token_ == Token::kIndex) {
      part = static_cast<std::size_t>(parse_uint64(value_).value_or(~std::uint64_t{0}));
    } else {
      return unexpected("STRING or INDEX");
    }
    next();
    if (token_ != Token::kClose) return unexpected("RSB");
    next();
    return part;
  }

  void next() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\n' || rest_[0] == '\r'))
      rest_.remove_prefix(1);
    if (rest_.empty()) return void(token_ = Token::kEnd);
    const char c = rest_[0];
    if (c == '.') return take(Token::kDot, 1);
    if (c == '[') return take(Token::kOpen, 1);
    if (c == ']') return take(Token::kClose, 1);
    if (c == '"') return take_string();
    if (is_digit(c)) return take(Token::kIndex, run_length(is_digit));
    if (is_field_char(c)) return take(Token::kField, run_length(is_field_char));
    bad_ = rest_.substr(0, decode_utf8(rest_).length);
    token_ = Token::kBad;
  }
  std::size_t run_length(bool (*accepts)(char)) const {
    std::size_t n = 0;
    while (n < rest_.size() && accepts(rest_[n])) ++n;
    return n;
  }
  void take(Token token, std::size_t size) {
    token_ = token;
    value_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
  }
  // Up to the next quote: keys have no escapes and hold no bracket.
  void take_string() {
    const std::size_t end = rest_.find_first_of("\"]", 1);
    if (end == std::string_view::npos || rest_[end] == ']') {
      bad_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end, 1);
      token_ = Token::kBad;
      return;
    }
    token_ = Token::kString;
    value_ = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
  }

  Unexpected unexpected(std::string_view expected) const {
    return refuse("syntax error: unexpected " + std::string(token_name(token_)) + ", expecting " +
                  std::string(expected));
  }
  Unexpected refuse(const std::string& reason) const {
    return fail(ErrorCode::kParse, "cannot parse expression [" + std::string(text_) + "]: " + reason);
  }

  std::string_view text_;
  std::string_view rest_;
  Token token_ = Token::kEnd;
  std::string_view value_;
  std::string_view bad_;
};

Unexpected bad_logfmt_key(std::string_view expression, const std::string& reason) {
  return fail(ErrorCode::kParse, "cannot parse expression [" + std::string(expression) + "]: " + reason);
}

Result<std::string> quoted_logfmt_key(std::string_view expression, std::string_view body) {
  std::string key;
  for (std::size_t i = 1; i < body.size(); ++i) {
    if (body[i] == '"') return key;
    if (body[i] == '\\' && i + 1 < body.size()) ++i;
    key += body[i];
  }
  return bad_logfmt_key(expression, "syntax error: unexpected $end, expecting STRING or KEY");
}

}  // namespace

Result<JsonPath> parse_json_path(std::string_view expression) { return PathParser(expression).run(); }

Result<std::string> parse_logfmt_key(std::string_view expression) {
  std::string_view rest = expression;
  while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) rest.remove_prefix(1);
  if (!rest.empty() && rest[0] == '"') return quoted_logfmt_key(expression, rest);
  if (rest.empty() || is_digit(rest[0]) || !is_field_char(rest[0])) {
    return bad_logfmt_key(expression, "syntax error: unexpected $end, expecting STRING or KEY");
  }
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (is_field_char(rest[i])) continue;
    return bad_logfmt_key(expression,
                          "unexpected char " + std::string(rest.substr(i, decode_utf8(rest.substr(i)).length)));
  }
  return std::string(rest);
}

}  // namespace kvasir::logql
