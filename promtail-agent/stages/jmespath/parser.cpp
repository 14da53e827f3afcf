#include "promtail-agent/stages/jmespath/parser.h"

#include <algorithm>

#include "promtail-agent/stages/jmespath/functions.h"
#include "promtail-agent/stages/jmespath/lexer.h"

namespace kvasir::agent::jmespath {
namespace {

// How tightly a token binds to what stands left of it; 0 ends an expression.
int binding_power(TokenType type) {
  switch (type) {
    case TokenType::kPipe: return 1;
    case TokenType::kOr: return 2;
    case TokenType::kAnd: return 3;
    case TokenType::kEqual:
    case TokenType::kNotEqual:
    case TokenType::kLess:
    case TokenType::kLessOrEqual:
    case TokenType::kGreater:
    case TokenType::kGreaterOrEqual: return 5;
    case TokenType::kFlatten: return 9;
    case TokenType::kStar: return 20;
    case TokenType::kFilter: return 21;
    case TokenType::kDot: return 40;
    case TokenType::kNot: return 45;
    case TokenType::kLeftBrace: return 50;
    case TokenType::kLeftBracket: return 55;
    case TokenType::kLeftParen: return 60;
    default: return 0;
  }
}

constexpr int kProjectionStop = 10;  // tokens that bind more loosely end a projection

Comparison comparison_of(TokenType type) {
  switch (type) {
    case TokenType::kNotEqual: return Comparison::kNotEqual;
    case TokenType::kLess: return Comparison::kLess;
    case TokenType::kLessOrEqual: return Comparison::kLessOrEqual;
    case TokenType::kGreater: return Comparison::kGreater;
    case TokenType::kGreaterOrEqual: return Comparison::kGreaterOrEqual;
    default: return Comparison::kEqual;
  }
}

int depth_of(const NodePtr& node) { return node ? node->depth : 0; }

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<NodePtr> run() {
    KVASIR_TRY(NodePtr node, expression(0));
    if (type() != TokenType::kEnd) return unexpected();
    return node;
  }

 private:
  const Token& token() const { return tokens_[at_]; }
  TokenType type() const { return token().type; }
  TokenType next_type() const { return at_ + 1 < tokens_.size() ? tokens_[at_ + 1].type : TokenType::kEnd; }
  const Token& advance() { return tokens_[at_++]; }

  Unexpected unexpected() const {
    return fail(
        syntax_error(type() == TokenType::kEnd ? "Incomplete expression" : "Unexpected token", token().position));
  }

  Result<void> expect(TokenType wanted) {
    if (type() != wanted) return unexpected();
    ++at_;
    return {};
  }

  static NodePtr make(NodeType type, NodePtr left = nullptr, NodePtr right = nullptr) {
    auto node = std::make_unique<Node>();
    node->type = type;
    node->depth = 1 + std::max(depth_of(left), depth_of(right));
    node->left = std::move(left);
    node->right = std::move(right);
    return node;
  }

  static NodePtr identity() { return make(NodeType::kIdentity); }

  Result<NodePtr> expression(int power) {
    if (++nesting_ > kJmesDepthMax) return fail(syntax_error("nested too deeply", token().position));
    KVASIR_TRY(NodePtr left, prefix());
    while (power < binding_power(type())) {
      KVASIR_TRY(left, infix(std::move(left)));
      if (left->depth > kJmesDepthMax) return fail(syntax_error("nested too deeply", token().position));
    }
    --nesting_;
    return left;
  }

  Result<NodePtr> leaf(NodeType type) {
    NodePtr node = make(type);
    node->text = advance().text;
    return node;
  }

  Result<NodePtr> prefix() {
    switch (type()) {
      case TokenType::kLiteral: return leaf(NodeType::kLiteral);
      case TokenType::kRawString: return leaf(NodeType::kRawString);
      case TokenType::kIdentifier: return next_type() == TokenType::kLeftParen ? function() : leaf(NodeType::kField);
      case TokenType::kQuotedIdentifier:
        if (next_type() == TokenType::kLeftParen)
          return fail(syntax_error("Can't have quoted identifier as function name", token().position));
        return leaf(NodeType::kField);
      case TokenType::kCurrent: return leaf(NodeType::kIdentity);
      case TokenType::kStar: {
        advance();
        if (type() == TokenType::kRightBracket) return make(NodeType::kValueProjection, identity(), identity());
        KVASIR_TRY(NodePtr right, projection_right(20));
        return make(NodeType::kValueProjection, identity(), std::move(right));
      }
      case TokenType::kFilter: return advance(), filter(identity());
      case TokenType::kFlatten: return advance(), flatten(identity());
      case TokenType::kLeftBrace: return advance(), hash();
      case TokenType::kLeftBracket: return advance(), prefix_bracket();
      case TokenType::kExpressionRef: {
        advance();
        KVASIR_TRY(NodePtr inner, expression(0));
        return make(NodeType::kExpressionRef, std::move(inner));
      }
      case TokenType::kNot: {
        advance();
        KVASIR_TRY(NodePtr inner, expression(binding_power(TokenType::kNot)));
        return make(NodeType::kNot, std::move(inner));
      }
      case TokenType::kLeftParen: {
        advance();
        KVASIR_TRY(NodePtr inner, expression(0));
        KVASIR_CHECK_OK(expect(TokenType::kRightParen));
        return inner;
      }
      default: return unexpected();
    }
  }

  Result<NodePtr> infix(NodePtr left) {
    const TokenType operation = advance().type;
    switch (operation) {
      case TokenType::kDot: return after_dot(std::move(left));
      case TokenType::kPipe: return binary(NodeType::kPipe, operation, std::move(left));
      case TokenType::kOr: return binary(NodeType::kOr, operation, std::move(left));
      case TokenType::kAnd: return binary(NodeType::kAnd, operation, std::move(left));
      case TokenType::kFilter: return filter(std::move(left));
      case TokenType::kFlatten: return flatten(std::move(left));
      case TokenType::kLeftBracket: return after_bracket(std::move(left));
      case TokenType::kEqual:
      case TokenType::kNotEqual:
      case TokenType::kLess:
      case TokenType::kLessOrEqual:
      case TokenType::kGreater:
      case TokenType::kGreaterOrEqual: return binary(NodeType::kComparison, operation, std::move(left));
      default: --at_; return unexpected();
    }
  }

  Result<NodePtr> binary(NodeType type, TokenType operation, NodePtr left) {
    KVASIR_TRY(NodePtr right, expression(binding_power(operation)));
    NodePtr node = make(type, std::move(left), std::move(right));
    node->comparison = comparison_of(operation);
    return node;
  }

  Result<NodePtr> after_dot(NodePtr left) {
    if (type() == TokenType::kStar) {
      advance();
      KVASIR_TRY(NodePtr right, projection_right(binding_power(TokenType::kDot)));
      return make(NodeType::kValueProjection, std::move(left), std::move(right));
    }
    KVASIR_TRY(NodePtr right, dot_right(binding_power(TokenType::kDot)));
    return make(NodeType::kSub, std::move(left), std::move(right));
  }

  Result<NodePtr> dot_right(int power) {
    switch (type()) {
      case TokenType::kIdentifier:
      case TokenType::kQuotedIdentifier:
      case TokenType::kStar: return expression(power);
      case TokenType::kLeftBracket: return advance(), list();
      case TokenType::kLeftBrace: return advance(), hash();
      default: return unexpected();
    }
  }

  // What is done with each element of a projection.
  Result<NodePtr> projection_right(int power) {
    if (binding_power(type()) < kProjectionStop) return identity();
    if (type() == TokenType::kLeftBracket || type() == TokenType::kFilter) return expression(power);
    if (type() != TokenType::kDot) return unexpected();
    advance();
    return dot_right(power);
  }

  Result<NodePtr> filter(NodePtr left) {
    KVASIR_TRY(NodePtr condition, expression(0));
    KVASIR_CHECK_OK(expect(TokenType::kRightBracket));
    NodePtr right = identity();
    if (type() != TokenType::kFlatten) {
      KVASIR_TRY(right, projection_right(binding_power(TokenType::kFilter)));
    }
    const int condition_depth = condition->depth;
    NodePtr node = make(NodeType::kFilterProjection, std::move(left), std::move(right));
    node->depth = std::max(node->depth, condition_depth + 1);
    node->condition = std::move(condition);
    return node;
  }

  Result<NodePtr> flatten(NodePtr left) {
    NodePtr flat = make(NodeType::kFlatten, std::move(left));
    KVASIR_TRY(NodePtr right, projection_right(binding_power(TokenType::kFlatten)));
    return make(NodeType::kProjection, std::move(flat), std::move(right));
  }

  Result<NodePtr> prefix_bracket() {
    if (type() == TokenType::kNumber || type() == TokenType::kColon) return index_or_slice(identity());
    if (type() == TokenType::kStar && next_type() == TokenType::kRightBracket) return star_projection(identity());
    return list();
  }

  Result<NodePtr> after_bracket(NodePtr left) {
    if (type() == TokenType::kNumber || type() == TokenType::kColon) return index_or_slice(std::move(left));
    if (type() != TokenType::kStar || next_type() != TokenType::kRightBracket) return unexpected();
    return star_projection(std::move(left));
  }

  Result<NodePtr> star_projection(NodePtr left) {
    at_ += 2;
    KVASIR_TRY(NodePtr right, projection_right(binding_power(TokenType::kStar)));
    return make(NodeType::kProjection, std::move(left), std::move(right));
  }

  Result<NodePtr> index_or_slice(NodePtr left) {
    if (type() == TokenType::kNumber && next_type() == TokenType::kRightBracket) {
      NodePtr node = make(NodeType::kIndex, std::move(left));
      node->index = token().number;
      at_ += 2;
      return node;
    }
    NodePtr slice = make(NodeType::kSlice, std::move(left));
    std::optional<std::int64_t>* const parts[] = {&slice->start, &slice->stop, &slice->step};
    int part = 0;
    while (type() != TokenType::kRightBracket) {
      if (type() == TokenType::kColon) {
        if (++part == 3) return unexpected();
      } else if (type() == TokenType::kNumber && !*parts[part]) {
        *parts[part] = token().number;
      } else {
        return unexpected();
      }
      advance();
    }
    advance();
    if (slice->step && *slice->step == 0)
      return fail(syntax_error("Invalid slice, step cannot be 0", token().position));
    KVASIR_TRY(NodePtr right, projection_right(binding_power(TokenType::kStar)));
    return make(NodeType::kProjection, std::move(slice), std::move(right));
  }

  static void add_child(Node& parent, NodePtr child) {
    parent.depth = std::max(parent.depth, child->depth + 1);
    parent.children.push_back(std::move(child));
  }

  Result<NodePtr> list() {
    NodePtr node = make(NodeType::kList);
    while (true) {
      KVASIR_TRY(NodePtr item, expression(0));
      add_child(*node, std::move(item));
      if (type() == TokenType::kRightBracket) return advance(), std::move(node);
      KVASIR_CHECK_OK(expect(TokenType::kComma));
    }
  }

  Result<NodePtr> hash() {
    NodePtr node = make(NodeType::kHash);
    while (true) {
      if (type() != TokenType::kIdentifier && type() != TokenType::kQuotedIdentifier) return unexpected();
      node->names.push_back(advance().text);
      KVASIR_CHECK_OK(expect(TokenType::kColon));
      KVASIR_TRY(NodePtr value, expression(0));
      add_child(*node, std::move(value));
      if (type() == TokenType::kRightBrace) return advance(), std::move(node);
      KVASIR_CHECK_OK(expect(TokenType::kComma));
    }
  }

  Result<NodePtr> function() {
    NodePtr node = make(NodeType::kFunction);
    node->text = advance().text;
    if (!is_function(node->text)) return fail(ErrorCode::kParse, "unknown function: " + node->text);
    advance();  // the parenthesis
    if (type() == TokenType::kRightParen) return advance(), std::move(node);
    while (true) {
      KVASIR_TRY(NodePtr argument, expression(0));
      add_child(*node, std::move(argument));
      if (type() == TokenType::kRightParen) return advance(), std::move(node);
      KVASIR_CHECK_OK(expect(TokenType::kComma));
    }
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace

Result<NodePtr> parse(std::string_view text) {
  if (text.size() > kJmesBytesMax) return fail(syntax_error("the expression is too long", kJmesBytesMax));
  KVASIR_TRY(auto tokens, tokenize(text));
  return Parser(std::move(tokens)).run();
}

}  // namespace kvasir::agent::jmespath
