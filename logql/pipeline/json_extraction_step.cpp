
#include "logql/pipeline/json_path.h"
#include "logql/pipeline/json_scan.h"
#include "logql/pipeline/steps.h"

namespace kvasir::logql {

namespace {

using json::Member;
using json::MemberStep;
using json::ScannedValue;
using json::Scanner;
using json::ValueKind;

// The requested paths as one tree, so that a line is walked once.
struct PathNode {
  JsonPathPart part;
  std::vector<std::size_t> outputs;  // requests that end here
  std::vector<PathNode> children;
};

PathNode& child_of(PathNode& node, const JsonPathPart& part) {
  for (PathNode& child : node.children) {
    if (child.part == part) return child;
  }
  return node.children.emplace_back(PathNode{part, {}, {}});
}

// `| json x="a.b[0]", y`.
class JsonExtractionStep : public Step {
 public:
  JsonExtractionStep(PathNode root, std::vector<NameId> targets)
      : root_(std::move(root)), targets_(std::move(targets)) {}

  bool apply(EntryState& entry) const override {
    if (entry.line.empty()) return true;
    const char first = entry.line[0];
    if (first != '{' && first != '[' && first != '"') {
      const std::string_view details = entry.labels.error_details();
      entry.parser_failed(kJsonParserError, details);  // the details of an earlier error stay
      return true;
    }
    Walk walk{entry, 0};
    visit(walk, root_, entry.line);
    if (!walk.error.empty()) entry.parser_failed(kJsonParserError, walk.error);
    for (std::size_t i = 0; i < targets_.size(); ++i) set_if_missing(walk, i);
    return true;
  }

 private:
  struct Walk {
    EntryState& entry;
    std::uint64_t found = 0;  // bit per request, as far as 64 go; later ones are always looked for
    std::string_view error = {};

    bool has(std::size_t i) const { return i < 64 && (found >> i & 1) != 0; }
    void mark(std::size_t i) {
      if (i < 64) found |= std::uint64_t{1} << i;
    }
  };

  void set_if_missing(Walk& walk, std::size_t i) const {
    if (walk.has(i)) return;
    LabelState& labels = walk.entry.labels;
    if (labels.get(targets_[i])) return;
    labels.set(labels.extraction_target(targets_[i]), {});
  }

  void visit(Walk& walk, const PathNode& node, std::string_view text) const {
    if (node.children.empty()) return;
    if (text.empty()) return;
    if (text[0] == '{') {
      visit_object(walk, node, text);
    } else if (text[0] == '[') {
      visit_array(walk, node, text);
    }
  }

  void visit_object(Walk& walk, const PathNode& node, std::string_view text) const {
    Scanner scanner(text);
    json::open_object(scanner);
    bool first = true;
    Member member;
    for (;;) {
      const MemberStep step = json::next_member(scanner, first, walk.entry.arena, member);
      // Damage elsewhere is not noticed.
      if (step == MemberStep::kValueError && wants(node, member.key)) walk.error = scanner.error();
      if (step != MemberStep::kMember) return;
      for (const PathNode& child : node.children) {
        const auto* name = std::get_if<std::string>(&child.part);
        if (name != nullptr && *name == member.key) take(walk, child, member.value);
      }
    }
  }

  static bool wants(const PathNode& node, std::string_view key) {
    for (const PathNode& child : node.children) {
      const auto* name = std::get_if<std::string>(&child.part);
      if (name != nullptr && *name == key) return true;
    }
    return false;
  }

  void visit_array(Walk& walk, const PathNode& node, std::string_view text) const {
    Scanner scanner(text);
    scanner.advance();
    for (std::size_t index = 0;; ++index) {
      scanner.skip_space();
      if (scanner.at_end() || scanner.peek() == ']') return;
      const auto value = scanner.take_value();
      if (!value) return;
      for (const PathNode& child : node.children) {
        const auto* wanted = std::get_if<std::size_t>(&child.part);
        if (wanted != nullptr && *wanted == index) take(walk, child, *value);
      }
      scanner.skip_space();
      if (scanner.at_end() || scanner.peek() != ',') return;
      scanner.advance();
    }
  }

  void take(Walk& walk, const PathNode& node, const ScannedValue& value) const {
    for (const std::size_t output : node.outputs) {
      if (walk.has(output)) continue;
      walk.mark(output);
      const std::string_view text = value.kind == ValueKind::kNull ? "" : json::label_text(value, walk.entry.arena);
      walk.entry.labels.set(walk.entry.labels.extraction_target(targets_[output]), text);
    }
    if (value.kind == ValueKind::kObject || value.kind == ValueKind::kArray) visit(walk, node, value.text);
  }

  PathNode root_;
  std::vector<NameId> targets_;
};

}  // namespace

Result<StepPtr> make_json_extraction_step(const JsonParser& parser, NameTable& names) {
  PathNode root;
  std::vector<NameId> targets;
  for (const Extraction& extraction : parser.extractions) {
    KVASIR_TRY(const JsonPath path, parse_json_path(extraction.expression));
    PathNode* node = &root;
    for (const JsonPathPart& part : path) node = &child_of(*node, part);
    node->outputs.push_back(targets.size());
    targets.push_back(names.intern(extraction.name));
  }
  return std::make_unique<JsonExtractionStep>(std::move(root), std::move(targets));
}

}  // namespace kvasir::logql
