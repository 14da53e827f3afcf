#include "logql/pipeline/steps.h"
#include "logql/pipeline/value_predicate.h"

namespace kvasir::logql {

namespace {

// A tree of conditions; a leaf has a predicate, an inner node two children.
struct Node {
  std::optional<ValuePredicate> predicate;
  NameId name = kNoName;
  bool is_or = false;
  std::unique_ptr<Node> left;
  std::unique_ptr<Node> right;
};

using NodePtr = std::unique_ptr<Node>;

Result<NodePtr> compile(const LabelFilter& filter, NameTable& names) {
  auto node = std::make_unique<Node>();
  if (const auto* pair = std::get_if<LabelFilterPair>(&filter.node)) {
    node->is_or = pair->is_or;
    KVASIR_TRY(node->left, compile(*pair->left, names));
    KVASIR_TRY(node->right, compile(*pair->right, names));
    return node;
  }
  KVASIR_TRY(node->predicate, ValuePredicate::from(filter));
  node->name = names.intern(node->predicate->name());
  return node;
}

std::optional<std::string_view> read_text(const EntryState& entry, NameId name) {
  if (name == kErrorName) return entry.labels.error();
  if (name == kErrorDetailsName) return std::string_view();  // never readable by a filter
  return entry.labels.get(name);
}

bool test_leaf(EntryState& entry, const Node& node) {
  const ValuePredicate& predicate = *node.predicate;
  const auto value = predicate.is_string() ? read_text(entry, node.name) : entry.labels.get(node.name);
  // A line with an error passes all but text filters, if it has the label (or is asked for an address).
  const bool has_error = !entry.labels.error().empty();
  if (has_error && !predicate.is_string() && (value || predicate.is_address())) return true;
  std::string& details = entry.scratch;
  details.clear();
  switch (predicate.evaluate(value, details)) {
    case ValuePredicate::Outcome::kKeep: return true;
    case ValuePredicate::Outcome::kDrop: return false;
    case ValuePredicate::Outcome::kUnreadable: break;
  }
  entry.labels.set_error(kLabelFilterError, entry.arena.copy(details));
  return true;
}

bool test(EntryState& entry, const Node& node) {
  if (node.predicate) return test_leaf(entry, node);
  const bool left = test(entry, *node.left);
  if (node.is_or) return left || test(entry, *node.right);
  const bool right = test(entry, *node.right);  // both sides are read, so that errors of both are seen
  return left && right;
}

class LabelFilterStep : public Step {
 public:
  explicit LabelFilterStep(NodePtr root) : root_(std::move(root)) {}
  bool apply(EntryState& entry) const override { return test(entry, *root_); }

 private:
  NodePtr root_;
};

}  // namespace

Result<StepPtr> make_label_filter_step(const LabelFilter& filter, NameTable& names) {
  KVASIR_TRY(NodePtr root, compile(filter, names));
  return std::make_unique<LabelFilterStep>(std::move(root));
}

void collect_filter_names(const LabelFilter& filter, std::vector<std::string>& names) {
  std::visit(
      [&](const auto& node) {
        if constexpr (std::is_same_v<std::decay_t<decltype(node)>, LabelFilterPair>) {
          collect_filter_names(*node.left, names);
          collect_filter_names(*node.right, names);
        } else {
          names.push_back(node.name);
        }
      },
      filter.node);
}

}  // namespace kvasir::logql
