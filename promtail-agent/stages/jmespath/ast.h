// ast.h -- the tree of a JMESPath expression.
//
// Lifetime: a node owns its children and its literal; immutable after parsing.
// Limits:   kJmesDepthMax levels, so that walking the tree cannot exhaust the stack.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kvasir::agent::jmespath {

inline constexpr std::size_t kJmesBytesMax = 16 << 10;
inline constexpr int kJmesDepthMax = 200;

enum class NodeType : std::uint8_t {
  kIdentity,          // the current value: @, and what a projection starts from
  kField,             // text
  kLiteral,           // text: JSON
  kRawString,         // text
  kSub,               // left . right
  kPipe,              // left | right: ends projections
  kIndex,             // left [number]
  kSlice,             // left [start:stop:step]
  kFlatten,           // left []
  kProjection,        // left [*] right
  kValueProjection,   // left .* right
  kFilterProjection,  // left [? condition ] right
  kComparison,        // left op right
  kOr,
  kAnd,
  kNot,               // left
  kList,              // [a, b]
  kHash,              // {k: a}; keys in `names`
  kFunction,          // text ( children )
  kExpressionRef,     // & left
};

enum class Comparison : std::uint8_t { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

struct Node;
using NodePtr = std::unique_ptr<Node>;

struct Node {
  NodeType type = NodeType::kIdentity;
  Comparison comparison = Comparison::kEqual;
  int depth = 1;
  std::string text;
  std::int64_t index = 0;
  std::optional<std::int64_t> start;
  std::optional<std::int64_t> stop;
  std::optional<std::int64_t> step;
  NodePtr left;
  NodePtr right;
  NodePtr condition;
  std::vector<NodePtr> children;
  std::vector<std::string> names;
};

}  // namespace kvasir::agent::jmespath
