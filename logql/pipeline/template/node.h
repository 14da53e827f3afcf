// node.h -- the tree of a parsed template. Internal to this folder.
//
// Lifetime: a Program owns its nodes and literals; it never changes after parsing.
// Threads:  immutable; share freely.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "logql/pipeline/template/functions.h"
#include "logql/pipeline/template/template.h"

namespace kvasir::gotemplate {

enum class NodeKind : std::uint8_t {
  kText, kAction, kIf, kWith, kRange, kBreak, kContinue, kTemplate,       // what a list holds
  kPipe, kCommand,
  kIdentifier, kField, kVariable, kChain, kDot, kNil, kBool, kNumber, kString,  // operands
};

struct Node;
using NodePtr = std::unique_ptr<Node>;
using NodeList = std::vector<NodePtr>;

struct Node {
  NodeKind kind = NodeKind::kText;
  std::size_t position = 0;
  int line = 1;

  std::string text;  // kText, kString (value), kIdentifier, kTemplate (name); operands: as written, see source
  std::string source;               // kNumber, kString, kBool: as written
  std::vector<std::string> names;   // kField, kVariable (with its `$`), kChain
  Value constant;                   // kBool, kNumber, kString
  bool number_is_int = false;       // kNumber: usable as an integer
  bool number_is_float = false;     // kNumber: usable as a float
  std::int64_t number_int = 0;
  double number_float = 0;
  const Function* function = nullptr;  // kIdentifier

  NodePtr pipe;                     // kAction, kIf, kWith, kRange, kTemplate (may be null)
  NodePtr operand;                  // kChain: what the fields are taken of
  NodeList children;                // kPipe: commands; kCommand: operands; blocks: the body
  NodeList otherwise;               // blocks: the else branch
  std::vector<std::string> variables;  // kPipe: `$x := ` or `$i, $x := `
  bool assigns = false;             // kPipe: `=` instead of `:=`
};

/// As error messages show a node: `.a.b`, `div .x 0`, `{{template "x"}}`.
std::string node_text(const Node& node);

struct Program {
  std::string name;
  std::string text;                          // positions point into it
  NodeList body;
  std::map<std::string, NodeList> definitions;
  std::optional<std::vector<std::string>> fields;
  std::optional<std::vector<Template::Segment>> segments;
};

/// REQUIRES: `program.name` and `.text` are set. Fills in the rest.
Result<void> parse_program(Program& program, const FunctionSet& functions);

/// Works out Program::fields and ::segments.
void analyse_program(Program& program);

}  // namespace kvasir::gotemplate
