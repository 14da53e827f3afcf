#include "promtail-agent/stages/jmespath/expression.h"

#include <algorithm>

#include "promtail-agent/stages/jmespath/functions.h"
#include "promtail-agent/stages/jmespath/parser.h"

namespace kvasir::agent::jmespath {
namespace {

using Answer = Result<const JsonNode*>;

bool is_true(const JsonNode& node) {
  switch (node.type) {
    case JsonType::kNull: return false;
    case JsonType::kBool: return node.boolean;
    case JsonType::kNumber: return true;
    case JsonType::kString: return !node.text.empty();
    case JsonType::kArray: return !node.items.empty();
    case JsonType::kObject: return !node.members.empty();
  }
  return false;
}

class Evaluator {
 public:
  explicit Evaluator(JsonPool& pool) : pool_(pool) {}

  Answer run(const Node& node, const JsonNode& value) {
    switch (node.type) {
      case NodeType::kIdentity: return &value;
      case NodeType::kField: return field(node.text, value);
      case NodeType::kLiteral: return parse_json(node.text, pool_);
      case NodeType::kRawString: return pool_.of(std::string_view(node.text));
      case NodeType::kSub:
      case NodeType::kPipe: return chain(node, value);
      case NodeType::kIndex: return index(node, value);
      case NodeType::kSlice: return slice(node, value);
      case NodeType::kFlatten: return flatten(node, value);
      case NodeType::kProjection: return projection(node, value);
      case NodeType::kValueProjection: return value_projection(node, value);
      case NodeType::kFilterProjection: return filter_projection(node, value);
      case NodeType::kComparison: return comparison(node, value);
      case NodeType::kOr:
      case NodeType::kAnd: return logical(node, value);
      case NodeType::kNot: return negation(node, value);
      case NodeType::kList: return list(node, value);
      case NodeType::kHash: return hash(node, value);
      case NodeType::kFunction: return function(node, value);
      case NodeType::kExpressionRef: return fail(ErrorCode::kInvalidArgument, "Invalid type for: expression");
    }
    return pool_.null();
  }

 private:
  Answer field(std::string_view name, const JsonNode& value) {
    const JsonNode* found = value.type == JsonType::kObject ? value.find(name) : nullptr;
    return found == nullptr ? pool_.null() : found;
  }

  Answer chain(const Node& node, const JsonNode& value) {
    KVASIR_TRY(const JsonNode* left, run(*node.left, value));
    return run(*node.right, *left);
  }

  Answer index(const Node& node, const JsonNode& value) {
    KVASIR_TRY(const JsonNode* left, run(*node.left, value));
    if (left->type != JsonType::kArray) return pool_.null();
    const auto size = static_cast<std::int64_t>(left->items.size());
    const std::int64_t at = node.index < 0 ? node.index + size : node.index;
    return at < 0 || at >= size ? pool_.null() : left->items[static_cast<std::size_t>(at)];
  }

  // A bound of a slice, brought into the array as Python does it.
  static std::int64_t bound(std::int64_t at, std::int64_t size, bool backward) {
    if (at < 0) at = at < -size ? -1 : at + size;
    const std::int64_t low = backward ? -1 : 0;
    const std::int64_t high = backward ? size - 1 : size;
    return std::clamp(at, low, std::max(low, high));
  }

  Answer slice(const Node& node, const JsonNode& value) {
    KVASIR_TRY(const JsonNode* left, run(*node.left, value));
    if (left->type != JsonType::kArray) return pool_.null();
    const auto size = static_cast<std::int64_t>(left->items.size());
    // A step beyond the array selects what a step of its size does.
    const std::int64_t step = std::clamp(node.step.value_or(1), -size - 1, size + 1);
    const bool backward = step < 0;
    std::int64_t at = node.start ? bound(*node.start, size, backward) : backward ? size - 1 : 0;
    const std::int64_t stop = node.stop ? bound(*node.stop, size, backward) : backward ? -1 : size;
    JsonNode* out = pool_.make(JsonType::kArray);
    for (; backward ? at > stop : at < stop; at += step)
      out->items.push_back(left->items[static_cast<std::size_t>(at)]);
    return out;
  }

  Answer flatten(const Node& node, const JsonNode& value) {
    KVASIR_TRY(const JsonNode* left, run(*node.left, value));
    if (left->type != JsonType::kArray) return pool_.null();
    JsonNode* out = pool_.make(JsonType::kArray);
    for (const JsonNode* item : left->items) {
      if (item->type != JsonType::kArray) {
        out->items.push_back(item);
        continue;
      }
      out->items.insert(out->items.end(), item->items.begin(), item->items.end());
    }
    return out;
  }

  Result<void> project(const Node& node, const JsonNode& item, JsonNode& out) {
    KVASIR_TRY(const JsonNode* result, run(*node.right, item));
    if (result->type != JsonType::kNull) out.items.push_back(result);
    return {};
  }

  Answer projection(const Node& node, const JsonNode& value) {
    KVASIR_TRY(const JsonNode* left, run(*node.left, value));
    if (left->type != JsonType::kArray) return pool_.null();
    JsonNode* out = pool_.make(JsonType::kArray);
    for (const JsonNode* item : left->items) KVASIR_CHECK_OK(project(node, *item, *out));
    return out;
  }

  Answer value_projection(const Node& node, const JsonNode& value) {
    KVASIR_TRY(const JsonNode* left, run(*node.left, value));
    if (left->type != JsonType::kObject) return pool_.null();
    JsonNode* out = pool_.make(JsonType::kArray);
    for (const JsonMember& member : left->members) KVASIR_CHECK_OK(project(node, *member.value, *out));
    return out;
  }

  Answer filter_projection(const Node& node, const JsonNode& value) {
    KVASIR_TRY(const JsonNode* left, run(*node.left, value));
    if (left->type != JsonType::kArray) return pool_.null();
    JsonNode* out = pool_.make(JsonType::kArray);
    for (const JsonNode* item : left->items) {
      KVASIR_TRY(const JsonNode* wanted, run(*node.condition, *item));
      if (is_true(*wanted)) KVASIR_CHECK_OK(project(node, *item, *out));
    }
    return out;
  }

  Answer comparison(const Node& node, const JsonNode& value) {
    KVASIR_TRY(const JsonNode* left, run(*node.left, value));
    KVASIR_TRY(const JsonNode* right, run(*node.right, value));
    if (node.comparison == Comparison::kEqual) return pool_.of(json_equal(*left, *right));
    if (node.comparison == Comparison::kNotEqual) return pool_.of(!json_equal(*left, *right));
    if (left->type != JsonType::kNumber || right->type != JsonType::kNumber) return pool_.null();
    switch (node.comparison) {
      case Comparison::kLess: return pool_.of(left->number < right->number);
      case Comparison::kLessOrEqual: return pool_.of(left->number <= right->number);
      case Comparison::kGreater: return pool_.of(left->number > right->number);
      default: return pool_.of(left->number >= right->number);
    }
  }

  Answer logical(const Node& node, const JsonNode& value) {
    KVASIR_TRY(const JsonNode* left, run(*node.left, value));
    const bool decided = is_true(*left) == (node.type == NodeType::kOr);
    return decided ? Answer(left) : run(*node.right, value);
  }

  Answer negation(const Node& node, const JsonNode& value) {
    KVASIR_TRY(const JsonNode* inner, run(*node.left, value));
    return pool_.of(!is_true(*inner));
  }

  Answer list(const Node& node, const JsonNode& value) {
    if (value.type == JsonType::kNull) return &value;
    JsonNode* out = pool_.make(JsonType::kArray);
    for (const NodePtr& child : node.children) {
      KVASIR_TRY(const JsonNode* item, run(*child, value));
      out->items.push_back(item);
    }
    return out;
  }

  Answer hash(const Node& node, const JsonNode& value) {
    if (value.type == JsonType::kNull) return &value;
    JsonNode* out = pool_.make(JsonType::kObject);
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      KVASIR_TRY(const JsonNode* item, run(*node.children[i], value));
      out->members.push_back({node.names[i], item});
    }
    normalise_members(out->members);
    return out;
  }

  Answer function(const Node& node, const JsonNode& value) {
    std::vector<Argument> arguments;
    for (const NodePtr& child : node.children) {
      if (child->type == NodeType::kExpressionRef) {
        arguments.push_back({nullptr, child->left.get()});
        continue;
      }
      KVASIR_TRY(const JsonNode* argument, run(*child, value));
      arguments.push_back({argument, nullptr});
    }
    CallContext context{pool_, [this](const Node& inner, const JsonNode& current) { return run(inner, current); }};
    return call_function(node.text, arguments, context);
  }

  JsonPool& pool_;
};

bool collect_path(const Node& node, std::vector<std::string>& names) {
  if (node.type == NodeType::kField) {
    names.push_back(node.text);
    return true;
  }
  return node.type == NodeType::kSub && collect_path(*node.left, names) && collect_path(*node.right, names);
}

}  // namespace

Result<Expression> Expression::compile(std::string_view text) {
  KVASIR_TRY(NodePtr root, parse(text));
  return Expression(std::move(root));
}

Result<const JsonNode*> Expression::evaluate(const JsonNode& root, JsonPool& pool) const {
  return Evaluator(pool).run(*root_, root);
}

std::optional<std::vector<std::string>> Expression::as_path() const {
  std::vector<std::string> names;
  if (!collect_path(*root_, names)) return std::nullopt;
  return names;
}

}  // namespace kvasir::agent::jmespath
