#include <utility>

#include <boost/container/small_vector.hpp>

#include "common/labels.h"
#include "logql/pipeline/template/node.h"
#include "logql/pipeline/template/time_methods.h"

namespace kvasir::gotemplate {

namespace {

constexpr int kCallDepthMax = 1000;         // templates calling templates
constexpr std::size_t kStepsMax = 1000000;  // nodes visited in one execution

std::string quoted(std::string_view text) {
  std::string out;
  append_go_quoted(out, text);
  return out;
}

enum class Flow : std::uint8_t { kGoOn, kBreak, kContinue };

// A value coming down a pipeline, or none.
using Piped = std::optional<Value>;

class Execution {
 public:
  Execution(const Program& program, Environment& environment, std::string& out)
      : program_(program),
        environment_(environment),
        out_(out),
        name_(program.name),
        output_limit_(out.size() + kOutputBytesMax) {}

  Result<void> run(const Value& data) {
    variables_.push_back({"$", data});
    KVASIR_TRY(const Flow flow, walk_list(program_.body, data));
    (void)flow;
    return {};
  }

 private:
  struct Variable {
    std::string_view name;
    Value value;
  };

  // ---- errors

  Unexpected error_at(const Node& node, const std::string& message) const {
    std::size_t line_start = program_.text.rfind('\n', node.position == 0 ? std::string::npos : node.position - 1);
    if (node.position == 0 || line_start == std::string::npos) line_start = 0;
    else ++line_start;
    return fail(ErrorCode::kInvalidArgument, "template: " + program_.name + ":" + std::to_string(node.line) + ":" +
                                                 std::to_string(node.position - line_start) + ": executing " +
                                                 quoted(name_) + " at <" + node_text(node) + ">: " + message);
  }

  Result<void> count_step(const Node& node) {
    if (++steps_ > kStepsMax) return error_at(node, "the template runs for too long");
    if (out_.size() > output_limit_) return error_at(node, "the output is too large");
    return {};
  }

  // ---- lists and blocks

  Result<Flow> walk_list(const NodeList& nodes, const Value& dot) {
    for (const NodePtr& node : nodes) {
      KVASIR_CHECK_OK(count_step(*node));
      KVASIR_TRY(const Flow flow, walk(*node, dot));
      if (flow != Flow::kGoOn) return flow;
    }
    return Flow::kGoOn;
  }

  Result<Flow> walk(const Node& node, const Value& dot) {
    switch (node.kind) {
      case NodeKind::kText: out_ += node.text; return Flow::kGoOn;
      case NodeKind::kAction: {
        KVASIR_TRY(const Value value, evaluate_pipe(*node.pipe, dot));
        if (node.pipe->variables.empty()) value.append_to(out_);
        return Flow::kGoOn;
      }
      case NodeKind::kIf:
      case NodeKind::kWith: return walk_condition(node, dot);
      case NodeKind::kRange: return walk_range(node, dot);
      case NodeKind::kBreak: return Flow::kBreak;
      case NodeKind::kContinue: return Flow::kContinue;
      default: return walk_template(node, dot);
    }
  }

  Result<Flow> walk_condition(const Node& node, const Value& dot) {
    const std::size_t mark = variables_.size();
    KVASIR_TRY(const Value value, evaluate_pipe(*node.pipe, dot));
    const Value& inner = node.kind == NodeKind::kWith && value.truth() ? value : dot;
    auto flow = walk_list(value.truth() ? node.children : node.otherwise, inner);
    variables_.resize(mark);
    return flow;
  }

  Result<Flow> walk_range(const Node& node, const Value& dot) {
    const std::size_t mark = variables_.size();
    KVASIR_TRY(const Value over, evaluate_commands(*node.pipe, dot));
    std::size_t turns = 0;
    Result<Flow> outcome = Flow::kGoOn;
    const auto turn = [&](const Value& index, const Value& element) {
      ++turns;
      if (const auto counted = count_step(node); !counted) {
        outcome = fail(counted.error());
        return false;
      }
      bind_range_variables(*node.pipe, index, element);
      outcome = walk_list(node.children, element);
      variables_.resize(mark);
      return outcome.has_value() && *outcome != Flow::kBreak;
    };
    if (!for_each_element(over, turn)) {
      return error_at(*operand_, "range can't iterate over " + shown(over));
    }
    if (!outcome) return outcome;
    if (turns == 0) {
      auto flow = walk_list(node.otherwise, dot);
      variables_.resize(mark);
      return flow;
    }
    return Flow::kGoOn;
  }

  static std::string shown(const Value& value) {
    std::string out;
    value.append_to(out);
    return out;
  }

  // False: not a thing to range over.
  template <class Turn>
  static bool for_each_element(const Value& over, const Turn& turn) {
    switch (over.kind()) {
      case Value::Kind::kNil: return true;
      case Value::Kind::kInt:
        for (std::int64_t i = 0; i < over.as_int(); ++i) {
          if (!turn(Value::integer(i), Value::integer(i))) break;
        }
        return true;
      case Value::Kind::kList: {
        std::int64_t i = 0;
        for (const Value& item : over.as_list()) {
          if (!turn(Value::integer(i++), item)) break;
        }
        return true;
      }
      case Value::Kind::kMap:
        over.as_map().each([&](std::string_view key, const Value& value) { return turn(Value::string(key), value); });
        return true;
      default: return false;
    }
  }

  void bind_range_variables(const Node& pipe, const Value& index, const Value& element) {
    const auto& names = pipe.variables;
    if (names.empty()) return;
    const auto bind = [&](const std::string& name, const Value& value) {
      if (pipe.assigns) set_variable(name, value);
      else variables_.push_back({name, value});
    };
    bind(names[0], names.size() > 1 ? index : element);
    if (names.size() > 1) bind(names[1], element);
  }

  Result<Flow> walk_template(const Node& node, const Value& dot) {
    const auto found = program_.definitions.find(node.text);
    if (found == program_.definitions.end()) return error_at(node, "template " + quoted(node.text) + " not defined");
    if (++depth_ > kCallDepthMax)
      return error_at(node, "exceeded maximum template depth (" + std::to_string(kCallDepthMax) + ")");
    Value inner;
    if (node.pipe) {
      KVASIR_TRY(inner, evaluate_pipe(*node.pipe, dot));
    }
    std::vector<Variable> outer = std::exchange(variables_, {{"$", inner}});
    const std::string_view name = std::exchange(name_, found->first);
    const auto flow = walk_list(found->second, inner);
    name_ = name;
    variables_ = std::move(outer);
    --depth_;
    if (!flow) return flow;
    return Flow::kGoOn;
  }

  // ---- variables

  void set_variable(std::string_view name, const Value& value) {
    for (std::size_t i = variables_.size(); i-- > 0;) {
      if (variables_[i].name != name) continue;
      variables_[i].value = value;
      return;
    }
  }
  Value variable(std::string_view name) const {
    for (std::size_t i = variables_.size(); i-- > 0;) {
      if (variables_[i].name == name) return variables_[i].value;
    }
    return Value();
  }

  // ---- pipelines

  Result<Value> evaluate_pipe(const Node& pipe, const Value& dot) {
    KVASIR_TRY(const Value value, evaluate_commands(pipe, dot));
    for (const std::string& name : pipe.variables) {
      if (pipe.assigns) set_variable(name, value);
      else variables_.push_back({name, value});
    }
    return value;
  }

  Result<Value> evaluate_commands(const Node& pipe, const Value& dot) {
    Piped piped;
    for (const NodePtr& command : pipe.children) {
      KVASIR_TRY(const Value value, evaluate_command(*command, dot, piped));
      piped = value;
    }
    return piped.value_or(Value());
  }

  Result<Value> evaluate_command(const Node& command, const Value& dot, const Piped& piped) {
    KVASIR_CHECK_OK(count_step(command));
    const Node& first = *command.children[0];
    const Arguments arguments{&command.children, piped};
    switch (first.kind) {
      case NodeKind::kField: return evaluate_fields(first, dot, first.names, arguments, dot);
      case NodeKind::kChain: return evaluate_chain(first, dot, arguments);
      case NodeKind::kIdentifier: return evaluate_function(first, command, dot, arguments);
      case NodeKind::kVariable: return evaluate_variable(first, dot, arguments);
      default: break;
    }
    if (arguments.any()) return error_at(first, "can't give argument to non-function " + node_text(first));
    if (first.kind == NodeKind::kPipe) return evaluate_pipe(first, dot);
    if (first.kind == NodeKind::kNil) return error_at(first, "nil is not a command");
    return literal(first, dot);
  }

  Value literal(const Node& node, const Value& dot) {
    operand_ = &node;
    return node.kind == NodeKind::kDot ? dot : node.constant;
  }

  // The operands behind the first one, and what the pipeline brings.
  struct Arguments {
    const NodeList* operands = nullptr;  // null: none
    Piped piped;

    std::size_t count() const { return operands == nullptr || operands->empty() ? 0 : operands->size() - 1; }
    const Node& operator[](std::size_t i) const { return *(*operands)[i + 1]; }
    bool any() const { return count() != 0 || piped.has_value(); }
  };

  Result<Value> evaluate_chain(const Node& node, const Value& dot, const Arguments& arguments) {
    if (node.operand->kind == NodeKind::kNil)
      return error_at(node, "indirection through explicit nil in " + node_text(node));
    KVASIR_TRY(const Value start, evaluate_any(*node.operand, dot));
    return evaluate_fields(node, dot, node.names, arguments, start);
  }

  Result<Value> evaluate_variable(const Node& node, const Value& dot, const Arguments& arguments) {
    operand_ = &node;
    const Value value = variable(node.names[0]);
    if (node.names.size() > 1) {
      return evaluate_fields(node, dot, std::span(node.names).subspan(1), arguments, value);
    }
    if (arguments.any()) return error_at(node, "can't give argument to non-function " + node_text(node));
    return value;
  }

  Result<Value> evaluate_fields(const Node& node, const Value& dot, std::span<const std::string> names,
                                const Arguments& arguments, Value receiver) {
    operand_ = &node;
    for (std::size_t i = 0; i + 1 < names.size(); ++i) {
      KVASIR_TRY(receiver, evaluate_field(node, dot, names[i], {}, receiver));
    }
    return evaluate_field(node, dot, names.back(), arguments, receiver);
  }

  Result<Value> evaluate_field(const Node& node, const Value& dot, const std::string& name, const Arguments& arguments,
                               const Value& receiver) {
    switch (receiver.kind()) {
      case Value::Kind::kNil: return Value();
      case Value::Kind::kMap:
        if (arguments.any()) return error_at(node, name + " is not a method but has arguments");
        return receiver.as_map().find(name).value_or(receiver.as_map().missing());
      case Value::Kind::kTime: return evaluate_time_method(node, dot, name, arguments, receiver);
      default: break;
    }
    return error_at(node, "can't evaluate field " + name + " in type " + std::string(receiver.type_name()));
  }

  Result<Value> evaluate_time_method(const Node& node, const Value& dot, const std::string& name,
                                     const Arguments& arguments, const Value& receiver) {
    const Function* method = find_time_method(name);
    if (method == nullptr) return error_at(node, "can't evaluate field " + name + " in type time.Time");
    return call(*method, {node, node, name}, dot, arguments, receiver);
  }

  // ---- functions

  // Where a call stands: errors of counting point at the name, errors of the function at the whole command.
  struct CallSite {
    const Node& name_node;
    const Node& command;
    std::string_view name;
  };

  Result<Value> evaluate_function(const Node& node, const Node& command, const Value& dot, const Arguments& arguments) {
    if (node.text == "and" || node.text == "or") return evaluate_logic(node, dot, arguments);
    return call(*node.function, {node, command, node.text}, dot, arguments, std::nullopt);
  }

  Result<Value> evaluate_logic(const Node& node, const Value& dot, const Arguments& arguments) {
    if (!arguments.any()) return error_at(node, "wrong number of args for " + node.text + ": want at least 1 got 0");
    Value value;
    for (std::size_t i = 0; i < arguments.count(); ++i) {
      KVASIR_TRY(value, evaluate_any(arguments[i], dot));
      if (value.truth() == (node.text == "or")) return value;
    }
    return arguments.piped.value_or(value);
  }

  Result<Value> call(const Function& function, const CallSite& site, const Value& dot, const Arguments& arguments,
                     const Piped& receiver) {
    operand_ = &site.name_node;
    const bool variadic = function.signature.ends_with('*');
    const std::size_t letters = function.signature.size() - (variadic ? 1 : 0);
    const std::size_t fixed = variadic ? letters - 1 : letters;
    const std::size_t got = arguments.count() + (arguments.piped ? 1 : 0);
    if (got < fixed || (!variadic && got != fixed)) {
      return error_at(site.name_node, "wrong number of args for " + std::string(site.name) + ": want " +
                                          (variadic ? "at least " : "") + std::to_string(fixed) + " got " +
                                          std::to_string(got));
    }
    boost::container::small_vector<Value, 6> values;
    if (receiver) values.push_back(*receiver);
    for (std::size_t i = 0; i < arguments.count(); ++i) {
      KVASIR_TRY(const Value value, evaluate_argument(arguments[i], dot, function.signature[std::min(i, letters - 1)]));
      values.push_back(value);
    }
    if (arguments.piped) {
      const char type = function.signature[std::min(got - 1, letters - 1)];
      KVASIR_TRY(const Value value, convert(site.name_node, *arguments.piped, type));
      values.push_back(value);
    }
    auto result = function.body(Call{std::span<const Value>(values.data(), values.size()), environment_});
    if (!result)
      return error_at(site.command, "error calling " + std::string(site.name) + ": " + result.error().message());
    return *result;
  }

  static std::string_view type_of(char letter) {
    switch (letter) {
      case 's': return "string";
      case 'i': return "int";
      case 'f': return "float64";
      case 't': return "time.Time";
      default: return "interface {}";
    }
  }

  Result<Value> evaluate_argument(const Node& node, const Value& dot, char type) {
    if (node.kind == NodeKind::kNil && type != 'a')
      return error_at(node, "cannot assign nil to " + std::string(type_of(type)));
    if (node.kind == NodeKind::kNumber || node.kind == NodeKind::kString || node.kind == NodeKind::kBool) {
      return constant_argument(node, type);
    }
    KVASIR_TRY(const Value value, evaluate_any(node, dot));
    return convert(node, value, type);
  }

  Result<Value> constant_argument(const Node& node, char type) const {
    if (type == 'a' || (type == 's' && node.kind == NodeKind::kString)) return node.constant;
    if (type == 'i' && node.kind == NodeKind::kNumber && node.number_is_int) return Value::integer(node.number_int);
    if (type == 'f' && node.kind == NodeKind::kNumber) return Value::real(node.number_float);
    if (type == 't') return error_at(node, "can't handle " + node_text(node) + " for arg of type time.Time");
    const std::string_view wanted = type == 's' ? "string" : type == 'i' ? "integer" : "float";
    return error_at(node, "expected " + std::string(wanted) + "; found " + node_text(node));
  }

  Result<Value> convert(const Node& node, const Value& value, char type) const {
    if (type == 'a') return value;
    if (value.is_nil()) return error_at(node, "invalid value; expected " + std::string(type_of(type)));
    const bool fits = (type == 's' && value.is_string()) || (type == 'i' && value.kind() == Value::Kind::kInt) ||
                      (type == 'f' && value.kind() == Value::Kind::kFloat) ||
                      (type == 't' && value.kind() == Value::Kind::kTime);
    if (fits) return value;
    return error_at(node, "wrong type for value; expected " + std::string(type_of(type)) + "; got " +
                              std::string(value.type_name()));
  }

  // An operand as a value.
  Result<Value> evaluate_any(const Node& node, const Value& dot) {
    switch (node.kind) {
      case NodeKind::kField: return evaluate_fields(node, dot, node.names, {}, dot);
      case NodeKind::kVariable: return evaluate_variable(node, dot, {});
      case NodeKind::kPipe: return evaluate_pipe(node, dot);
      case NodeKind::kIdentifier: return evaluate_function(node, node, dot, {});
      case NodeKind::kChain: return evaluate_chain(node, dot, {});
      case NodeKind::kNil: return Value();
      default: return literal(node, dot);
    }
  }

  const Program& program_;
  Environment& environment_;
  std::string& out_;
  std::string_view name_;       // of the template that runs
  std::size_t output_limit_;
  std::vector<Variable> variables_;
  const Node* operand_ = nullptr;  // the last one that was read; errors of `range` point at it
  int depth_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace

Result<Template> Template::parse(std::string_view name, std::string_view text, const FunctionSet& functions) {
  auto program = std::make_shared<Program>();
  program->name = name;
  program->text = text;
  if (text.size() > kTemplateBytesMax) return fail(ErrorCode::kLimitExceeded, "template is larger than 1048576 bytes");
  KVASIR_CHECK_OK(parse_program(*program, functions));
  analyse_program(*program);
  Template out;
  out.program_ = std::move(program);
  return out;
}

Result<void> Template::execute(const Value& data, Environment& environment, std::string& out) const {
  return Execution(*program_, environment, out).run(data);
}

const std::optional<std::vector<std::string>>& Template::fields() const { return program_->fields; }

const std::vector<Template::Segment>* Template::segments() const {
  return program_->segments ? &*program_->segments : nullptr;
}

}  // namespace kvasir::gotemplate
