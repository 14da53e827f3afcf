#include <algorithm>
#include <utility>

#include "common/labels.h"
#include "logql/pipeline/template/lexer.h"
#include "logql/pipeline/template/node.h"
#include "logql/pipeline/template/quoting.h"

namespace kvasir::gotemplate {

namespace {

// Thrown nowhere: the first error is kept, and every method gives up as soon as it sees one.
class Parser {
 public:
  Parser(Program& program, const FunctionSet& functions)
      : program_(program), functions_(functions), tokens_(lex_template(program.text)) {}

  Result<void> run() {
    variables_ = {"$"};
    while (ok() && peek().kind != TokenKind::kEnd) {
      if (peek().kind == TokenKind::kLeftDelimiter && peek_after_space(1).kind == TokenKind::kDefine) {
        parse_definition();
        continue;
      }
      Ending ending = Ending::kNone;
      NodePtr node = text_or_action(ending);
      if (!ok()) break;
      if (ending != Ending::kNone) {
        error(ending == Ending::kEnd ? "unexpected {{end}}" : "unexpected {{else}}");
        break;
      }
      if (node) program_.body.push_back(std::move(node));
    }
    if (ok()) return {};
    return fail(ErrorCode::kParse, *error_);
  }

 private:
  enum class Ending { kNone, kEnd, kElse };

  // ---- tokens

  bool ok() const { return !error_; }
  const Token& peek() const { return tokens_[std::min(at_, tokens_.size() - 1)]; }
  const Token& peek_after_space(std::size_t from = 0) const {
    std::size_t i = at_ + from;
    while (i < tokens_.size() && tokens_[i].kind == TokenKind::kSpace) ++i;
    return tokens_[std::min(i, tokens_.size() - 1)];
  }
  const Token& next() {
    const Token& token = peek();
    advanced_ = at_ < tokens_.size() - 1;  // the last token stays
    if (advanced_) ++at_;
    line_ = token.line;
    return token;
  }
  // Gives back the token of the last next().
  void backup() {
    if (advanced_) --at_;
    advanced_ = false;
  }
  const Token& next_non_space() {
    while (peek().kind == TokenKind::kSpace) next();
    return next();
  }
  void skip_space() {
    while (peek().kind == TokenKind::kSpace) next();
  }

  void error(const std::string& message) {
    if (!error_) error_ = "template: " + program_.name + ":" + std::to_string(line_) + ": " + message;
  }
  void unexpected(const Token& token, std::string_view context) {
    line_ = token.line;
    if (token.kind != TokenKind::kError)
      return error("unexpected " + describe_token(token) + " in " + std::string(context));
    std::string extra;
    if (action_line_ != 0 && action_line_ != token.line) {
      const bool ends_in_action = token.text.ends_with(" action");
      extra = (ends_in_action ? " started at " : " in action started at ") + program_.name + ":" +
              std::to_string(action_line_);
    }
    error(token.text + extra);
  }
  bool expect(TokenKind kind, std::string_view context) {
    const Token& token = next_non_space();
    if (token.kind == kind) return true;
    unexpected(token, context);
    return false;
  }

  NodePtr make(NodeKind kind, const Token& token) const {
    auto node = std::make_unique<Node>();
    node->kind = kind;
    node->position = token.position;
    node->line = token.line;
    return node;
  }

  // Guards against nesting that would exhaust the stack.
  struct Nest {
    explicit Nest(Parser& parser) : parser(parser) {
      if (++parser.depth_ > kNestingMax) parser.error("template is nested too deeply");
    }
    ~Nest() { --parser.depth_; }
    Parser& parser;
  };

  // ---- lists and actions

  // Nodes up to {{end}} or {{else}}.
  NodeList parse_list(Ending& ending) {
    NodeList list;
    while (ok() && peek().kind != TokenKind::kEnd) {
      NodePtr node = text_or_action(ending);
      if (!ok() || ending != Ending::kNone) return list;
      if (node) list.push_back(std::move(node));
    }
    if (ok()) error("unexpected EOF");
    return list;
  }

  NodePtr text_or_action(Ending& ending) {
    const Nest nest(*this);
    const Token& token = next_non_space();
    if (token.kind == TokenKind::kText) {
      NodePtr node = make(NodeKind::kText, token);
      node->text = token.text;
      return node;
    }
    if (token.kind == TokenKind::kLeftDelimiter) {
      action_line_ = token.line;
      NodePtr node = parse_action(ending);
      action_line_ = 0;
      return node;
    }
    unexpected(token, "input");
    return nullptr;
  }

  NodePtr parse_action(Ending& ending) {
    const Token& token = next_non_space();
    switch (token.kind) {
      case TokenKind::kBlock: return parse_block(token);
      case TokenKind::kBreak:
      case TokenKind::kContinue: return parse_loop_exit(token);
      case TokenKind::kElse: return parse_else(ending);
      case TokenKind::kEndKeyword:
        if (expect(TokenKind::kRightDelimiter, "end")) ending = Ending::kEnd;
        return nullptr;
      case TokenKind::kIf: return parse_control(NodeKind::kIf, token, "if");
      case TokenKind::kWith: return parse_control(NodeKind::kWith, token, "with");
      case TokenKind::kRange: return parse_control(NodeKind::kRange, token, "range");
      case TokenKind::kTemplate: return parse_template_call(token);
      case TokenKind::kDefine: unexpected(token, "command"); return nullptr;
      default: break;
    }
    backup();
    NodePtr node = make(NodeKind::kAction, peek());
    node->pipe = parse_pipeline("command", TokenKind::kRightDelimiter);
    return node;
  }

  // {{else}}, or {{else if ...}}: then the `if` is left to be read as a block of its own.
  NodePtr parse_else(Ending& ending) {
    const TokenKind following = peek_after_space().kind;
    ending = Ending::kElse;
    if (following == TokenKind::kIf || following == TokenKind::kWith) return nullptr;
    expect(TokenKind::kRightDelimiter, "else");
    return nullptr;
  }

  NodePtr parse_loop_exit(const Token& token) {
    NodePtr node = make(token.kind == TokenKind::kBreak ? NodeKind::kBreak : NodeKind::kContinue, token);
    const std::string word = token.text;
    const Token& following = next_non_space();
    if (following.kind != TokenKind::kRightDelimiter) unexpected(following, "{{" + word + "}}");
    if (loops_ == 0) error("{{" + word + "}} outside {{range}}");
    return node;
  }

  NodePtr parse_control(NodeKind kind, const Token& token, std::string_view context) {
    const Nest nest(*this);
    NodePtr node = make(kind, token);
    const std::size_t variables = variables_.size();
    node->pipe = parse_pipeline(context, TokenKind::kRightDelimiter);
    if (!ok()) return nullptr;
    Ending ending = Ending::kNone;
    loops_ += kind == NodeKind::kRange;
    node->children = parse_list(ending);
    loops_ -= kind == NodeKind::kRange;
    if (ok() && ending == Ending::kElse) parse_else_branch(*node, context);
    variables_.resize(variables);
    return node;
  }

  void parse_else_branch(Node& node, std::string_view context) {
    const Token& following = peek_after_space();
    const bool chained = (following.kind == TokenKind::kIf && context == "if") ||
                         (following.kind == TokenKind::kWith && context == "with");
    if (chained) {
      const Token token = next_non_space();
      const NodeKind kind = token.kind == TokenKind::kIf ? NodeKind::kIf : NodeKind::kWith;
      NodePtr inner = parse_control(kind, token, context);  // its {{end}} is ours too
      if (inner) node.otherwise.push_back(std::move(inner));
      return;
    }
    if (following.kind == TokenKind::kIf || following.kind == TokenKind::kWith) return unexpected(following, "else");
    Ending ending = Ending::kNone;
    node.otherwise = parse_list(ending);
    if (ok() && ending == Ending::kElse) error("expected end; found {{else}}");
  }
  NodePtr parse_template_call(const Token& token) {
    NodePtr node = make(NodeKind::kTemplate, token);
    const Token& name = next_non_space();
    if (!take_template_name(name, node->text, "template clause")) return nullptr;
    node->position = name.position;
    if (peek_after_space().kind == TokenKind::kRightDelimiter) {
      next_non_space();
    } else {
      node->pipe = parse_pipeline("template clause", TokenKind::kRightDelimiter);
    }
    return node;
  }

  bool take_template_name(const Token& token, std::string& name, std::string_view context) {
    if (token.kind != TokenKind::kString && token.kind != TokenKind::kRawString) {
      unexpected(token, context);
      return false;
    }
    const auto value = unquote_go(token.text);
    if (!value) error("invalid syntax");
    name = value.value_or("");
    return ok();
  }

  void parse_definition() {
    next();
    next_non_space();
    const Token name_token = next_non_space();
    std::string name;
    if (!take_template_name(name_token, name, "define clause") || !expect(TokenKind::kRightDelimiter, "define clause"))
      return;
    define(name, "define clause");
  }

  // The body of a definition, up to its {{end}}.
  void define(const std::string& name, std::string_view context) {
    std::vector<std::string> outer = std::exchange(variables_, {"$"});
    const int loops = std::exchange(loops_, 0);
    Ending ending = Ending::kNone;
    NodeList body = parse_list(ending);
    if (ok() && ending == Ending::kElse) error("unexpected {{else}} in " + std::string(context));
    variables_ = std::move(outer);
    loops_ = loops;
    if (!ok()) return;
    if (program_.definitions.count(name) != 0 && !is_blank(program_.definitions[name])) {
      if (is_blank(body)) return;
      error_ = "template: multiple definition of template ";
      append_go_quoted(*error_, name);
      return;
    }
    program_.definitions[name] = std::move(body);
  }
  static bool is_blank(const NodeList& body) {
    for (const NodePtr& node : body) {
      if (node->kind != NodeKind::kText || node->text.find_first_not_of(" \t\r\n") != std::string::npos) return false;
    }
    return true;
  }

  // {{block "name" pipe}}: a definition and a call of it.
  NodePtr parse_block(const Token& token) {
    NodePtr node = make(NodeKind::kTemplate, token);
    const Token& name = next_non_space();
    if (!take_template_name(name, node->text, "block clause")) return nullptr;
    node->position = name.position;
    node->pipe = parse_pipeline("block clause", TokenKind::kRightDelimiter);
    if (ok()) define(node->text, "block clause");
    return node;
  }

  // ---- pipelines

  NodePtr parse_pipeline(std::string_view context, TokenKind end) {
    const Nest nest(*this);
    NodePtr pipe = make(NodeKind::kPipe, peek_after_space());
    if (ok()) parse_variables(*pipe, context);
    while (ok()) {
      const Token& token = next_non_space();
      if (token.kind == end) {
        check_pipeline(*pipe, context);
        return pipe;
      }
      if (!starts_operand(token.kind)) {
        unexpected(token, context);
        break;
      }
      backup();
      pipe->children.push_back(parse_command());
    }
    return pipe;
  }

  static bool starts_operand(TokenKind kind) {
    switch (kind) {
      case TokenKind::kBool:
      case TokenKind::kCharacter:
      case TokenKind::kDot:
      case TokenKind::kField:
      case TokenKind::kIdentifier:
      case TokenKind::kNumber: case TokenKind::kNil: case TokenKind::kRawString: case TokenKind::kString:
      case TokenKind::kVariable: case TokenKind::kLeftParen: return true;
      default: return false;
    }
  }

  // `$x :=`, `$x =`, and under range `$i, $x :=`.
  void parse_variables(Node& pipe, std::string_view context) {
    while (peek_after_space().kind == TokenKind::kVariable) {
      const std::size_t start = at_;
      const Token variable = next_non_space();
      const Token& following = peek_after_space();
      if (following.kind == TokenKind::kDeclare || following.kind == TokenKind::kAssign) {
        pipe.assigns = following.kind == TokenKind::kAssign;
        next_non_space();
        add_variable(pipe, variable);
        return;
      }
      const bool second_follows =
          following.kind == TokenKind::kComma && context == "range" && pipe.variables.size() < 2;
      if (!second_follows) {
        if (following.kind == TokenKind::kComma && context == "range") return error("too many declarations in range");
        at_ = start;
        return;
      }
      next_non_space();
      add_variable(pipe, variable);
      const TokenKind kind = peek_after_space().kind;
      if (kind != TokenKind::kVariable) return error("range can only initialize variables");
    }
  }
  void add_variable(Node& pipe, const Token& variable) {
    pipe.variables.push_back(variable.text);
    if (!pipe.assigns) variables_.push_back(variable.text);
  }

  void check_pipeline(const Node& pipe, std::string_view context) {
    if (pipe.children.empty()) return error("missing value for " + std::string(context));
    for (std::size_t i = 1; ok() && i < pipe.children.size(); ++i) {
      switch (pipe.children[i]->children[0]->kind) {
        case NodeKind::kBool: case NodeKind::kDot: case NodeKind::kNil: case NodeKind::kNumber: case NodeKind::kString:
          return error("non executable command in pipeline stage " + std::to_string(i + 1));
        default: break;
      }
    }
  }

  NodePtr parse_command() {
    const Nest nest(*this);
    NodePtr command = make(NodeKind::kCommand, peek_after_space());
    while (ok()) {
      skip_space();
      if (NodePtr operand = parse_operand()) command->children.push_back(std::move(operand));
      if (!ok()) break;
      const Token& token = next();
      if (token.kind == TokenKind::kSpace) continue;
      if (token.kind == TokenKind::kRightDelimiter || token.kind == TokenKind::kRightParen) {
        backup();
      } else if (token.kind != TokenKind::kPipe) {
        unexpected(token, "operand");
      }
      break;
    }
    if (ok() && command->children.empty()) error("empty command");
    return command;
  }

  // A term, and fields behind it.
  NodePtr parse_operand() {
    NodePtr node = parse_term();
    if (!node || peek().kind != TokenKind::kField) return node;
    NodePtr chain = make(NodeKind::kChain, peek());
    while (peek().kind == TokenKind::kField) chain->names.push_back(next().text.substr(1));
    if (node->kind == NodeKind::kField || node->kind == NodeKind::kVariable) {
      node->position = chain->position;
      node->names.insert(node->names.end(), chain->names.begin(), chain->names.end());
      return node;
    }
    switch (node->kind) {
      case NodeKind::kBool: case NodeKind::kString: case NodeKind::kNumber: case NodeKind::kNil: case NodeKind::kDot:
        error("unexpected . after term " + quoted(node_text(*node)));
        return nullptr;
      default: break;
    }
    chain->operand = std::move(node);
    return chain;
  }
  static std::string quoted(std::string_view text) {
    std::string out;
    append_go_quoted(out, text);
    return out;
  }

  NodePtr parse_term() {
    const Token& token = next_non_space();
    switch (token.kind) {
      case TokenKind::kIdentifier: return parse_function_name(token);
      case TokenKind::kDot: return make(NodeKind::kDot, token);
      case TokenKind::kNil: return make(NodeKind::kNil, token);
      case TokenKind::kVariable: return parse_variable(token);
      case TokenKind::kField: {
        NodePtr node = make(NodeKind::kField, token);
        node->names.push_back(token.text.substr(1));
        return node;
      }
      case TokenKind::kBool: {
        NodePtr node = make(NodeKind::kBool, token);
        node->source = token.text;
        node->constant = Value::boolean(token.text == "true");
        return node;
      }
      case TokenKind::kNumber:
      case TokenKind::kCharacter: return parse_number(token);
      case TokenKind::kString:
      case TokenKind::kRawString: return parse_string(token);
      case TokenKind::kLeftParen: return parse_pipeline("parenthesized pipeline", TokenKind::kRightParen);
      default: break;
    }
    if (token.kind == TokenKind::kError) {
      unexpected(token, "operand");
    } else {
      backup();
    }
    return nullptr;
  }

  NodePtr parse_function_name(const Token& token) {
    NodePtr node = make(NodeKind::kIdentifier, token);
    node->text = token.text;
    node->function = functions_.find(token.text);
    if (node->function == nullptr) error("function " + quoted(token.text) + " not defined");
    return node;
  }

  NodePtr parse_variable(const Token& token) {
    NodePtr node = make(NodeKind::kVariable, token);
    node->names.push_back(token.text);
    if (std::find(variables_.begin(), variables_.end(), token.text) == variables_.end()) {
      error("undefined variable " + quoted(token.text));
    }
    return node;
  }

  NodePtr parse_string(const Token& token) {
    NodePtr node = make(NodeKind::kString, token);
    const auto value = unquote_go(token.text);
    if (!value) error("invalid syntax");
    node->source = token.text;
    node->text = value.value_or("");
    node->constant = Value::string(node->text);
    return node;
  }

  NodePtr parse_number(const Token& token) {
    NodePtr node = make(NodeKind::kNumber, token);
    node->source = token.text;
    if (token.kind == TokenKind::kCharacter) {
      const auto character = unquote_go_character(token.text);
      if (!character) error("malformed character constant: " + token.text);
      node->number_is_int = node->number_is_float = true;
      node->number_int = static_cast<std::int64_t>(character.value_or(0));
      node->number_float = static_cast<double>(node->number_int);
      node->constant = Value::integer(node->number_int);
      return node;
    }
    const bool sound = read_number(token.text, *node);
    if (!sound) error("bad number syntax: " + quoted(token.text));
    return node;
  }

  static bool read_number(const std::string& text, Node& node) {
    const auto whole = parse_go_integer(text);
    const auto real = parse_go_float_literal(text);
    if (!whole && !real) return false;
    const bool looks_real = text.find_first_of(".eEpP") != std::string::npos && !whole;
    if (!whole && !looks_real) return false;  // digits only, and too many of them
    // Only numbers below 2^63 may be turned into integers at all.
    const bool fits = real && *real >= -9223372036854775808.0 && *real < 9223372036854775808.0;
    const std::int64_t truncated = whole ? *whole : fits ? static_cast<std::int64_t>(*real) : 0;
    node.number_is_int = whole.has_value() || (fits && *real == static_cast<double>(truncated));
    node.number_is_float = true;
    node.number_int = truncated;
    node.number_float = real ? *real : static_cast<double>(*whole);
    node.constant = looks_real ? Value::real(node.number_float) : Value::integer(node.number_int);
    return true;
  }

  Program& program_;
  const FunctionSet& functions_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  bool advanced_ = false;
  int line_ = 1;
  int action_line_ = 0;
  int depth_ = 0;
  int loops_ = 0;
  std::vector<std::string> variables_;
  std::optional<std::string> error_;
};

}  // namespace

Result<void> parse_program(Program& program, const FunctionSet& functions) { return Parser(program, functions).run(); }

}  // namespace kvasir::gotemplate
