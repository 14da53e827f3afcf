#include "logql/pipeline/template/node.h"

#include <algorithm>

#include "common/labels.h"

namespace kvasir::gotemplate {

namespace {

std::string join(const NodeList& nodes, std::string_view separator) {
  std::string out;
  for (const NodePtr& node : nodes) {
    if (!out.empty()) out += separator;
    const bool nested = node->kind == NodeKind::kPipe;
    out += nested ? "(" + node_text(*node) + ")" : node_text(*node);
  }
  return out;
}

std::string pipe_text(const Node& node) {
  std::string out;
  for (std::size_t i = 0; i < node.variables.size(); ++i) out += (i == 0 ? "" : ", ") + node.variables[i];
  if (!out.empty()) out += node.assigns ? " = " : " := ";
  return out + join(node.children, " | ");
}

std::string chain_text(const Node& node) {
  std::string out = node_text(*node.operand);
  if (node.operand->kind == NodeKind::kPipe) out = "(" + out + ")";
  for (const std::string& name : node.names) out += "." + name;
  return out;
}

std::string dotted(const std::vector<std::string>& names, bool leading_dot) {
  std::string out;
  for (const std::string& name : names) {
    if (leading_dot || !out.empty()) out += '.';
    out += name;
  }
  return out;
}

// Walks the tree for what it reads of the root. Inside `range` and `with` a dot is something else.
class Reads {
 public:
  void list(const NodeList& nodes, bool at_root) {
    for (const NodePtr& node : nodes) visit(*node, at_root);
  }
  std::vector<std::string> names;
  bool all = false;

 private:
  void visit(const Node& node, bool at_root) {
    switch (node.kind) {
      case NodeKind::kDot: all |= at_root; return;
      case NodeKind::kField:
        if (at_root) names.push_back(node.names[0]);
        return;
      case NodeKind::kVariable:
        if (node.names[0] != "$") return;
        if (node.names.size() == 1) all = true;
        else names.push_back(node.names[1]);
        return;
      default: break;
    }
    const bool changes_dot = node.kind == NodeKind::kRange || node.kind == NodeKind::kWith;
    if (node.pipe) visit(*node.pipe, at_root);
    if (node.operand) visit(*node.operand, at_root);
    list(node.children, at_root && !changes_dot);
    list(node.otherwise, at_root);
  }
};

// The name of a `{{.name}}` action.
const std::string* plain_field(const Node& node) {
  if (node.kind != NodeKind::kAction || !node.pipe->variables.empty() || node.pipe->children.size() != 1)
    return nullptr;
  const Node& command = *node.pipe->children[0];
  if (command.children.size() != 1 || command.children[0]->kind != NodeKind::kField) return nullptr;
  return command.children[0]->names.size() == 1 ? &command.children[0]->names[0] : nullptr;
}

}  // namespace

std::string node_text(const Node& node) {
  switch (node.kind) {
    case NodeKind::kText: return node.text;
    case NodeKind::kPipe: return pipe_text(node);
    case NodeKind::kCommand: return join(node.children, " ");
    case NodeKind::kIdentifier: return node.text;
    case NodeKind::kField: return dotted(node.names, true);
    case NodeKind::kVariable: return dotted(node.names, false);
    case NodeKind::kChain: return chain_text(node);
    case NodeKind::kDot: return ".";
    case NodeKind::kNil: return "nil";
    case NodeKind::kBool:
    case NodeKind::kNumber:
    case NodeKind::kString: return node.source;
    case NodeKind::kBreak: return "{{break}}";
    case NodeKind::kContinue: return "{{continue}}";
    case NodeKind::kAction: return "{{" + node_text(*node.pipe) + "}}";
    case NodeKind::kIf: return "{{if " + node_text(*node.pipe) + "}}";
    case NodeKind::kWith: return "{{with " + node_text(*node.pipe) + "}}";
    case NodeKind::kRange: return "{{range " + node_text(*node.pipe) + "}}";
    case NodeKind::kTemplate: break;
  }
  std::string out = "{{template ";
  append_go_quoted(out, node.text);
  if (node.pipe) out += " " + node_text(*node.pipe);
  return out + "}}";
}

void analyse_program(Program& program) {
  Reads reads;
  reads.list(program.body, true);
  for (const auto& [name, body] : program.definitions) reads.list(body, false);
  std::sort(reads.names.begin(), reads.names.end());
  reads.names.erase(std::unique(reads.names.begin(), reads.names.end()), reads.names.end());
  if (!reads.all) program.fields = std::move(reads.names);

  std::vector<Template::Segment> segments;
  for (const NodePtr& node : program.body) {
    const std::string* field = plain_field(*node);
    if (field == nullptr && node->kind != NodeKind::kText) return;
    segments.push_back({field != nullptr, field != nullptr ? *field : node->text});
  }
  program.segments = std::move(segments);
}

}  // namespace kvasir::gotemplate
