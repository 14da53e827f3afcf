#include "logql/syntax/stage_parser.h"

#include <algorithm>
#include <cmath>

#include "common/number.h"
#include "logql/syntax/stage_checks.h"

namespace kvasir::logql {
namespace {

using enum TokenKind;

std::optional<MatchOp> match_op(TokenKind kind) {
  switch (kind) {
    case kAssign: return MatchOp::kEqual;
    case kNotEqual: return MatchOp::kNotEqual;
    case kRegexMatch: return MatchOp::kRegex;
    case kNotRegexMatch: return MatchOp::kNotRegex;
    default: return std::nullopt;
  }
}

std::optional<CompareOp> compare_op(TokenKind kind) {
  switch (kind) {
    case kAssign:
    case kEqual: return CompareOp::kEqual;
    case kNotEqual: return CompareOp::kNotEqual;
    case kGreater: return CompareOp::kGreater;
    case kGreaterOrEqual: return CompareOp::kGreaterOrEqual;
    case kLess: return CompareOp::kLess;
    case kLessOrEqual: return CompareOp::kLessOrEqual;
    default: return std::nullopt;
  }
}

Result<LabelMatcher> make_matcher(const std::string& name, MatchOp op, const Token& value) {
  auto matcher = LabelMatcher::create(name, op, value.text);
  if (!matcher) return fail(parse_error({}, matcher.error().message()));
  return matcher;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

Result<LabelMatcher> parse_matcher(TokenStream& tokens) {
  KVASIR_TRY(const Token name, tokens.expect(kIdentifier));
  if (!is_ascii(name.text)) {
    // No stream can carry it. The reference system quotes such a name and then stumbles over the quotes.
    return fail(parse_error(name.position, "syntax error: unexpected STRING, expecting IDENTIFIER or }"));
  }
  const auto op = match_op(tokens.kind());
  if (!op) return fail(tokens.unexpected({kAssign, kRegexMatch, kNotRegexMatch, kNotEqual}));
  tokens.take();
  KVASIR_TRY(const Token value, tokens.expect(kString));
  return make_matcher(name.text, *op, value);
}

Result<std::string> parse_ip_pattern(TokenStream& tokens) {
  tokens.take();  // ip
  KVASIR_TRY(const Token open, tokens.expect(kOpenParen));
  KVASIR_TRY(Token pattern, tokens.expect(kString));
  KVASIR_TRY(const Token close, tokens.expect(kCloseParen));
  return std::move(pattern.text);
}

// ---- label filters

struct Operand {
  std::string name;
  TokenKind op;
};

LabelFilter leaf(auto predicate) { return LabelFilter{std::move(predicate)}; }

Result<LabelFilter> parse_string_operand(TokenStream& tokens, const Operand& left) {
  const auto op = match_op(left.op);
  if (!op) return fail(tokens.unexpected());
  const Token value = tokens.take();
  KVASIR_TRY(const auto checked, make_matcher(left.name, *op, value));
  return leaf(StringPredicate{left.name, checked.op(), checked.value()});
}

/// The reference reads 0x10 as 0 here without a word; we read what is written.
std::optional<double> filter_number(std::string text) {
  std::erase(text, '_');
  if (const auto value = parse_go_float(text)) return value;
  if (text.size() < 3 || text[0] != '0') return std::nullopt;
  const int base = (text[1] | 0x20) == 'x' ? 16 : (text[1] | 0x20) == 'o' ? 8 : 2;
  double value = 0;
  for (const char c : text.substr(2)) value = value * base + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  return value;
}

Result<LabelFilter> parse_number_operand(TokenStream& tokens, const Operand& left) {
  const bool negative = tokens.at(kSubtract);
  if (negative || tokens.at(kAdd)) tokens.take();
  KVASIR_TRY(const Token number, tokens.expect(kNumber));
  const auto value = filter_number(number.text);
  if (!value) return fail(tokens.complain(number, "not a number: " + number.text));
  return leaf(NumberPredicate{left.name, *compare_op(left.op), negative ? -*value : *value});
}

Result<LabelFilter> parse_operand(TokenStream& tokens, const Operand& left) {
  if (left.op == kRegexMatch || left.op == kNotRegexMatch) {
    if (!tokens.at(kString)) return fail(tokens.unexpected({kString}));
    return parse_string_operand(tokens, left);
  }
  switch (tokens.kind()) {
    case kString: return parse_string_operand(tokens, left);
    case kNumber:
    case kAdd:
    case kSubtract: return parse_number_operand(tokens, left);
    case kDuration: return leaf(DurationPredicate{left.name, *compare_op(left.op), tokens.take().duration});
    case kBytes: return leaf(BytesPredicate{left.name, *compare_op(left.op), tokens.take().bytes});
    case kIp: break;
    default: return fail(tokens.unexpected());
  }
  if (left.op != kAssign && left.op != kNotEqual) return fail(tokens.unexpected());
  KVASIR_TRY(auto pattern, parse_ip_pattern(tokens));
  return leaf(IpPredicate{left.name, left.op == kNotEqual, std::move(pattern)});
}

class LabelFilterParser {
 public:
  explicit LabelFilterParser(TokenStream& tokens) : tokens_(tokens) {}

  Result<LabelFilter> parse(std::optional<Token> first) {
    first_ = std::move(first);
    return parse_or();
  }

 private:
  Result<LabelFilter> join(bool is_or, LabelFilter left, LabelFilter right) {
    if (++joins_ > TokenStream::kDepthMax) return fail(tokens_.too_deep());
    return LabelFilter{LabelFilterPair{is_or, std::make_shared<const LabelFilter>(std::move(left)),
                                       std::make_shared<const LabelFilter>(std::move(right))}};
  }

  Result<LabelFilter> parse_or() {
    KVASIR_TRY(auto left, parse_and());
    while (tokens_.accept(kOr)) {
      KVASIR_TRY(auto right, parse_and());
      KVASIR_TRY(left, join(true, std::move(left), std::move(right)));
    }
    return left;
  }

  Result<LabelFilter> parse_and() {
    KVASIR_TRY(auto left, parse_tail());
    while (tokens_.accept(kAnd)) {
      KVASIR_TRY(auto right, parse_tail());
      KVASIR_TRY(left, join(false, std::move(left), std::move(right)));
    }
    return left;
  }

  /// A comma or nothing at all between two filters takes everything that follows as its right side.
  Result<LabelFilter> parse_tail() {
    const DepthGuard depth(tokens_);
    if (!depth.ok()) return fail(tokens_.too_deep());
    KVASIR_TRY(auto left, parse_predicate());
    const bool goes_on = tokens_.accept(kComma) || tokens_.at(kIdentifier) || tokens_.at(kOpenParen);
    if (!goes_on) return left;
    KVASIR_TRY(auto right, parse_or());
    return join(false, std::move(left), std::move(right));
  }

  Result<LabelFilter> parse_predicate() {
    if (!first_ && tokens_.accept(kOpenParen)) {
      KVASIR_TRY(auto inner, parse_or());
      if (!tokens_.accept(kCloseParen)) return fail(tokens_.unexpected());
      return inner;
    }
    Token name;
    if (first_) {
      name = *std::exchange(first_, std::nullopt);
    } else {
      KVASIR_TRY(name, tokens_.expect(kIdentifier, {kIdentifier, kOpenParen}));
    }
    const TokenKind op = tokens_.kind();
    if (!match_op(op) && !compare_op(op)) return fail(tokens_.unexpected());
    tokens_.take();
    return parse_operand(tokens_, {std::move(name.text), op});
  }

  TokenStream& tokens_;
  std::optional<Token> first_;
  int joins_ = 0;
};

// ---- stages

Result<std::vector<Extraction>> parse_extractions(TokenStream& tokens) {
  std::vector<Extraction> out;
  if (!tokens.at(kIdentifier)) return out;
  do {
    KVASIR_TRY(const Token name, tokens.expect(kIdentifier));
    if (!tokens.accept(kAssign)) {
      out.push_back({name.text, name.text});
      continue;
    }
    KVASIR_TRY(const Token expression, tokens.expect(kString));
    out.push_back({name.text, expression.text});
  } while (tokens.accept(kComma));
  return out;
}

Result<Stage> parse_logfmt(TokenStream& tokens) {
  LogfmtParser stage;
  while (tokens.at(kFunctionFlag)) {
    const Token flag = tokens.take();
    (flag.text == "--strict" ? stage.strict : stage.keep_empty) = true;
  }
  KVASIR_TRY(stage.extractions, parse_extractions(tokens));
  return stage;
}

Result<Stage> parse_regexp(TokenStream& tokens) {
  KVASIR_TRY(Token text, tokens.expect(kString));
  if (const auto problem = regexp_parser_problem(text.text); !problem.empty()) {
    return fail(parse_error({}, "invalid regexp parser: " + problem));
  }
  return RegexpParser{std::move(text.text)};
}

Result<Stage> parse_pattern(TokenStream& tokens) {
  KVASIR_TRY(Token text, tokens.expect(kString));
  if (const auto problem = pattern_parser_problem(text.text); !problem.empty()) {
    return fail(parse_error({}, "invalid pattern parser: " + problem));
  }
  return PatternParser{std::move(text.text)};
}

Result<Stage> parse_label_format(TokenStream& tokens) {
  LabelFormat stage;
  do {
    KVASIR_TRY(const Token target, tokens.expect(kIdentifier));
    KVASIR_TRY(const Token assign, tokens.expect(kAssign));
    if (!tokens.at(kIdentifier) && !tokens.at(kString)) return fail(tokens.unexpected({kIdentifier, kString}));
    const Token source = tokens.take();
    stage.items.push_back({target.text, source.kind == kIdentifier, source.text});
  } while (tokens.accept(kComma));
  return stage;
}

Result<std::vector<NameOrMatcher>> parse_names_or_matchers(TokenStream& tokens) {
  std::vector<NameOrMatcher> out;
  do {
    KVASIR_TRY(const Token name, tokens.expect(kIdentifier));
    const auto op = match_op(tokens.kind());
    if (!op) {
      out.push_back({name.text, nullptr});
      continue;
    }
    tokens.take();
    KVASIR_TRY(const Token value, tokens.expect(kString));
    KVASIR_TRY(auto matcher, make_matcher(name.text, *op, value));
    out.push_back({name.text, std::make_shared<const LabelMatcher>(std::move(matcher))});
  } while (tokens.accept(kComma));
  return out;
}

/// A stage that starts with a reserved word; the word is taken.
Result<Stage> parse_keyword_stage(TokenStream& tokens, TokenKind keyword) {
  switch (keyword) {
    case kJson: {
      KVASIR_TRY(auto extractions, parse_extractions(tokens));
      return JsonParser{std::move(extractions)};
    }
    case kLogfmt: return parse_logfmt(tokens);
    case kRegexp: return parse_regexp(tokens);
    case kPattern: return parse_pattern(tokens);
    case kUnpack: return UnpackParser{};
    case kLineFormat: {
      KVASIR_TRY(Token text, tokens.expect(kString));
      return LineFormat{std::move(text.text)};
    }
    case kLabelFormat: return parse_label_format(tokens);
    case kDecolorize: return Decolorize{};
    case kDrop: {
      KVASIR_TRY(auto items, parse_names_or_matchers(tokens));
      return Drop{std::move(items)};
    }
    default: {  // kKeep
      KVASIR_TRY(auto items, parse_names_or_matchers(tokens));
      return Keep{std::move(items)};
    }
  }
}

bool is_stage_keyword(TokenKind kind) {
  static constexpr TokenKind kKeywords[] = {kJson, kLogfmt, kRegexp, kPattern, kUnpack,
                                            kLineFormat, kLabelFormat, kDecolorize, kDrop, kKeep};
  return std::find(std::begin(kKeywords), std::end(kKeywords), kind) != std::end(kKeywords);
}

std::optional<LineFilterOp> line_filter_op(TokenKind kind) {
  switch (kind) {
    case kPipeExact: return LineFilterOp::kContains;
    case kNotEqual: return LineFilterOp::kNotContains;
    case kPipeMatch: return LineFilterOp::kRegex;
    case kNotRegexMatch: return LineFilterOp::kNotRegex;
    case kPipePattern: return LineFilterOp::kPattern;
    case kNotPattern: return LineFilterOp::kNotPattern;
    default: return std::nullopt;
  }
}

}  // namespace

Result<double> number_value(const std::string& text) {
  std::string digits = text;
  std::erase(digits, '_');
  const auto value = parse_go_float(digits);
  if (!value || std::isinf(*value)) return fail(ErrorCode::kParse, go_float_error(text));
  return *value;
}

Result<Selector> parse_selector(TokenStream& tokens) {
  Selector selector;
  KVASIR_TRY(const Token open, tokens.expect(kOpenBrace));
  if (tokens.accept(kCloseBrace)) return selector;
  for (;;) {
    if (selector.matchers.empty() && !tokens.at(kIdentifier))
      return fail(tokens.unexpected({kIdentifier, kCloseBrace}));
    KVASIR_TRY(auto matcher, parse_matcher(tokens));
    selector.matchers.push_back(std::move(matcher));
    if (tokens.accept(kCloseBrace)) return selector;
    KVASIR_TRY(const Token comma, tokens.expect(kComma, {kCloseBrace, kComma}));
  }
}

bool at_line_filter(TokenStream& tokens) { return line_filter_op(tokens.kind()).has_value(); }

Result<LineFilter> parse_line_filter(TokenStream& tokens) {
  LineFilter filter;
  filter.op = *line_filter_op(tokens.take().kind);
  do {
    if (tokens.at(kIp)) {
      KVASIR_TRY(auto pattern, parse_ip_pattern(tokens));
      filter.arguments.push_back({std::move(pattern), true});
    } else {
      KVASIR_TRY(Token text, tokens.expect(kString, {kString, kIp}));
      filter.arguments.push_back({std::move(text.text), false});
    }
  } while (tokens.accept(kOr));
  return filter;
}

Result<PipedItem> parse_piped_item(TokenStream& tokens) {
  if (is_stage_keyword(tokens.kind())) {
    const TokenKind keyword = tokens.take().kind;
    KVASIR_TRY(auto stage, parse_keyword_stage(tokens, keyword));
    return PipedItem(std::move(stage));
  }
  // Messages treat such a character as a name, so what follows it takes the blame.
  if (tokens.accept(kCharacter)) return fail(tokens.unexpected());
  std::optional<Token> first;
  if (tokens.at(kIdentifier) || tokens.at(kSort)) {
    first = tokens.take();
    KVASIR_TRY(auto pipe, parse_pipe(tokens, *first));
    if (pipe) return PipedItem(std::move(*pipe));
  } else if (!tokens.at(kOpenParen)) {
    return fail(tokens.unexpected());
  }
  KVASIR_TRY(auto filter, parse_label_filter(tokens, std::move(first)));
  return PipedItem(std::in_place_type<Stage>, std::move(filter));
}

Result<LabelFilter> parse_label_filter(TokenStream& tokens, std::optional<Token> first) {
  return LabelFilterParser(tokens).parse(std::move(first));
}

Result<Unwrap> parse_unwrap(TokenStream& tokens) {
  Unwrap unwrap;
  switch (tokens.kind()) {
    case kBytesConv: unwrap.conversion = UnwrapConversion::kBytes; break;
    case kDurationConv: unwrap.conversion = UnwrapConversion::kDuration; break;
    case kDurationSecondsConv: unwrap.conversion = UnwrapConversion::kDurationSeconds; break;
    case kIdentifier: break;
    default: return fail(tokens.unexpected({kIdentifier, kBytesConv, kDurationConv, kDurationSecondsConv}));
  }
  if (tokens.at(kIdentifier)) {
    unwrap.label = tokens.take().text;
  } else {
    tokens.take();
    KVASIR_TRY(const Token open, tokens.expect(kOpenParen));
    KVASIR_TRY(const Token label, tokens.expect(kIdentifier));
    KVASIR_TRY(const Token close, tokens.expect(kCloseParen));
    unwrap.label = label.text;
  }
  while (tokens.accept(kPipe)) {
    KVASIR_TRY(auto filter, parse_label_filter(tokens));
    unwrap.post_filters.push_back(std::move(filter));
  }
  return unwrap;
}

Result<std::vector<std::string>> parse_name_list(TokenStream& tokens) {
  std::vector<std::string> names;
  if (tokens.accept(kCloseParen)) return names;
  for (;;) {
    if (names.empty() && !tokens.at(kIdentifier)) return fail(tokens.unexpected({kIdentifier, kCloseParen}));
    KVASIR_TRY(Token name, tokens.expect(kIdentifier));
    names.push_back(std::move(name.text));
    if (tokens.accept(kCloseParen)) return names;
    KVASIR_TRY(const Token comma, tokens.expect(kComma, {kComma, kCloseParen}));
  }
}

}  // namespace kvasir::logql
