#include "alerts/evidence.h"

#include <algorithm>

#include <re2/re2.h>

#include "logql/syntax/parser.h"
#include "logql/syntax/printer.h"

namespace kvasir::alerts {
namespace {

using namespace logql;

constexpr Duration kWithoutRange = std::chrono::hours(1);  // what an instant `stats` looks at

struct Found {
  const Selector* selector = nullptr;
  const std::vector<Stage>* stages = nullptr;
  Duration range = kWithoutRange;
  Duration offset{0};
  std::vector<std::string> made_up;  // names of labels that the lines do not have
};

void search(const Expr& expr, Found& found);

struct Searcher {
  Found& found;
  void take(const LogRange& range) const {
    found.selector = &range.selector;
    found.stages = &range.stages;
    found.range = range.range;
    found.offset = range.offset;
  }
  void operator()(const LogQuery& query) const {
    found.selector = &query.selector;
    found.stages = &query.stages;
    found.made_up.emplace_back("line");  // `stats ... by line`
  }
  void operator()(const RangeAggregation& node) const { take(node.range); }
  void operator()(const Variants& node) const { take(node.range); }
  void operator()(const VectorAggregation& node) const { search(*node.operand, found); }
  void operator()(const BinaryOperation& node) const {
    search(*node.left, found);
    if (found.selector == nullptr) search(*node.right, found);
  }
  void operator()(const LabelReplace& node) const {
    found.made_up.push_back(node.target);
    search(*node.operand, found);
  }
  void operator()(const LetVariable& node) const { search(*node.value, found); }
  void operator()(const LetExpression& node) const { search(*node.body, found); }
  void operator()(const Literal&) const {}
  void operator()(const VectorFunction&) const {}
};

void search(const Expr& expr, Found& found) { std::visit(Searcher{found}, expr.node); }

bool fixed_by(const Selector& selector, const Label& label) {
  return std::any_of(selector.matchers.begin(), selector.matchers.end(), [&](const LabelMatcher& matcher) {
    return matcher.name() == label.name && matcher.op() == MatchOp::kEqual;
  });
}

}  // namespace

Result<EvidenceQuery> evidence_query(std::string_view expr, const Labels& labels, TimestampNs slot) {
  KVASIR_TRY(const auto parsed, parse_query(expr));
  Found found;
  search(*parsed, found);
  if (found.selector == nullptr) return fail(ErrorCode::kNotFound, "the expression reads no lines");
  LogQuery lines;
  lines.selector = *found.selector;
  lines.stages = *found.stages;
  EvidenceQuery out{print(lines), slot - found.offset - found.range, slot - found.offset};
  for (const auto& label : labels) {
    const bool made_up = std::find(found.made_up.begin(), found.made_up.end(), label.name) != found.made_up.end();
    if (made_up || label.name.starts_with("__") || fixed_by(lines.selector, label)) continue;
    out.query += " | " + label.name + "=";
    append_go_quoted(out.query, label.value);
  }
  return out;
}

std::string evidence_line(std::string_view line) {
  if (line.size() <= kEvidenceLineBytesMax) return std::string(line);
  std::size_t end = kEvidenceLineBytesMax - 3;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  return std::string(line.substr(0, end)) + "…";
}

std::vector<std::string> trace_ids(const std::vector<std::string>& lines) {
  static const re2::RE2 kPattern(R"((?i)trace[_-]?(?:id|parent)\W{1,6}(?:00-)?([0-9a-f]{32})(?:\W|$))");
  std::vector<std::string> ids;
  for (const auto& line : lines) {
    re2::StringPiece rest(line.data(), line.size());
    std::string id;
    while (re2::RE2::FindAndConsume(&rest, kPattern, &id)) {
      const bool known = std::find(ids.begin(), ids.end(), id) != ids.end();
      if (!known && id.find_first_not_of('0') != std::string::npos) ids.push_back(id);
    }
  }
  return ids;
}

}  // namespace kvasir::alerts
