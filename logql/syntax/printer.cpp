#include "logql/syntax/printer.h"

#include <cmath>

#include "common/number.h"

namespace kvasir::logql {
namespace {

constexpr std::size_t kLineCharactersMax = 100;  // longer queries are broken into lines
constexpr std::size_t kIndent = 2;

std::string quoted(std::string_view text) {
  std::string out;
  append_go_quoted(out, text);
  return out;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) out += separator;
    out += parts[i];
  }
  return out;
}

template <class Items, class Print>
std::string join_printed(const Items& items, std::string_view separator, Print print_item) {
  std::vector<std::string> parts;
  for (const auto& item : items) parts.push_back(print_item(item));
  return join(parts, separator);
}

/// Plain decimal unless that would be unreadable, as Go's %v.
std::string number_text(double value) {
  const double magnitude = std::fabs(value);
  const bool plain = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e21);
  return plain ? format_sample_value(value) : format_go_float(value);
}

/// There is no literal for NaN and infinity, so they are printed as sums that fold back into them.
std::string literal_text(double value) {
  if (std::isnan(value)) return "(0 / 0)";
  if (std::isinf(value)) return value > 0 ? "(1e308 * 10)" : "(-1e308 * 10)";
  return number_text(value);
}

/// 5.1kB: one decimal below ten, powers of 1000.
std::string byte_size_text(std::uint64_t bytes) {
  if (bytes == 0) return "0kB";  // `0B` would be read as the beginning of a binary number
  if (bytes < 10) return std::to_string(bytes) + "B";
  static constexpr std::string_view kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes);
  const auto unit = static_cast<std::size_t>(std::floor(std::log(value) / std::log(1000.0)));
  value = std::floor(value / std::pow(1000.0, static_cast<double>(unit)) * 10 + 0.5) / 10;
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, value < 10 ? "%.1f" : "%.0f", value);
  return buffer + std::string(kUnits[unit]);
}

std::string name_list(const std::vector<std::string>& names) { return "(" + join(names, ",") + ")"; }

// ---- stages

struct FilterPrinter {
  std::string operator()(const StringPredicate& p) const {
    return p.name + std::string(match_op_text(p.op)) + quoted(p.value);
  }
  std::string operator()(const NumberPredicate& p) const {
    // A number that is too large is read as infinity, so infinity is printed as one.
    const std::string number = std::isinf(p.value) ? (p.value > 0 ? "1e999" : "-1e999") : format_sample_value(p.value);
    return p.name + std::string(compare_op_text(p.op)) + number;
  }
  std::string operator()(const DurationPredicate& p) const {
    return p.name + std::string(compare_op_text(p.op)) + format_go_duration(p.value);
  }
  std::string operator()(const BytesPredicate& p) const {
    return p.name + std::string(compare_op_text(p.op)) + byte_size_text(p.value);
  }
  std::string operator()(const IpPredicate& p) const {
    return p.name + (p.negated ? "!=ip(" : "=ip(") + quoted(p.pattern) + ")";
  }
  std::string operator()(const LabelFilterPair& pair) const {
    return "( " + print_filter(*pair.left) + (pair.is_or ? " or " : " , ") + print_filter(*pair.right) + " )";
  }
};

std::string print_argument(const LineFilterArgument& argument) {
  return argument.is_ip ? "ip(" + quoted(argument.text) + ")" : quoted(argument.text);
}

std::string print_extractions(const std::vector<Extraction>& extractions) {
  if (extractions.empty()) return {};
  return " " + join_printed(extractions, ",", [](const Extraction& e) { return e.name + "=" + quoted(e.expression); });
}

std::string print_items(const std::vector<NameOrMatcher>& items) {
  return join_printed(items, ",", [](const NameOrMatcher& item) {
    if (!item.matcher) return item.name;
    return item.name + std::string(match_op_text(item.matcher->op())) + quoted(item.matcher->value());
  });
}

struct StagePrinter {
  std::string operator()(const LineFilter& filter) const {
    const std::string op(line_filter_op_text(filter.op));
    // A negative chain means that none may match, which is also what one filter after the other says.
    const bool negative = op.front() == '!';
    return op + " " + join_printed(filter.arguments, negative ? " " + op + " " : " or ", print_argument);
  }
  std::string operator()(const JsonParser& p) const { return "| json" + print_extractions(p.extractions); }
  std::string operator()(const LogfmtParser& p) const {
    return std::string("| logfmt") + (p.strict ? " --strict" : "") + (p.keep_empty ? " --keep-empty" : "") +
           print_extractions(p.extractions);
  }
  std::string operator()(const RegexpParser& p) const { return "| regexp " + quoted(p.expression); }
  std::string operator()(const PatternParser& p) const { return "| pattern " + quoted(p.expression); }
  std::string operator()(const UnpackParser&) const { return "| unpack"; }
  std::string operator()(const LabelFilter& filter) const { return "| " + print_filter(filter); }
  std::string operator()(const LineFormat& format) const { return "| line_format " + quoted(format.text); }
  std::string operator()(const LabelFormat& format) const {
    return "| label_format " + join_printed(format.items, ",", [](const LabelFormatItem& item) {
             return item.target + "=" + (item.is_rename ? item.source : quoted(item.source));
           });
  }
  std::string operator()(const Decolorize&) const { return "| decolorize"; }
  std::string operator()(const Drop& drop) const { return "| drop " + print_items(drop.items); }
  std::string operator()(const Keep& keep) const { return "| keep " + print_items(keep.items); }
};

struct PipePrinter {
  std::string operator()(const OrderBy& order) const {
    return "| order by " + join_printed(order.keys, ",", [](const OrderKey& key) {
             return key.field + (key.descending ? " desc" : " asc");
           });
  }
  std::string operator()(const Stats& stats) const {
    std::string out = "| stats " + join_printed(stats.columns, ",", print_column);
    if (!stats.by.empty()) out += " by " + name_list(stats.by);
    return out;
  }
  std::string operator()(const Limit& limit) const { return "| limit " + std::to_string(limit.count); }
  std::string operator()(const LabelFilter& filter) const { return "| " + print_filter(filter); }

  static std::string print_column(const StatsColumn& column) {
    const std::string call = print_stats_call(column);
    return column.name == call ? call : call + " as " + column.name;
  }
};

std::vector<std::string> print_steps(const std::vector<Stage>& stages, const std::vector<Pipe>& pipes) {
  std::vector<std::string> out;
  bool filter_before = false;
  for (const auto& stage : stages) {
    const bool is_filter = std::holds_alternative<LineFilter>(stage);
    // Line filters in a row are one step.
    if (is_filter && filter_before) {
      out.back() += " " + print_stage(stage);
    } else {
      out.push_back(print_stage(stage));
    }
    filter_before = is_filter;
  }
  for (const auto& pipe : pipes) out.push_back(std::visit(PipePrinter{}, pipe));
  return out;
}

std::string print_log(const Selector& selector, const std::vector<std::string>& steps) {
  return steps.empty() ? print(selector) : print(selector) + " " + join(steps, " ");
}

std::string print_range_suffix(const LogRange& range) {
  std::string out = "[" + print_range_duration(range.range) + "]";
  if (range.offset.count() != 0) out += " offset " + format_go_duration(range.offset);
  return out;
}

std::string print_range(const LogRange& range) {
  std::string out = print_log(range.selector, print_steps(range.stages, {}));
  if (range.unwrap) out += " " + print_unwrap(*range.unwrap);
  return out + print_range_suffix(range);
}

// ---- expressions

std::string print_range_grouping(const std::optional<Grouping>& grouping) {
  if (!grouping) return {};
  return (grouping->without ? " without " : " by ") + name_list(grouping->labels);
}

/// `by ()` says nothing on a vector aggregation and is left out.
std::string print_vector_grouping(const std::optional<Grouping>& grouping) {
  if (!grouping || (!grouping->without && grouping->labels.empty())) return {};
  return print_range_grouping(grouping) + " ";
}

std::string vector_head(const VectorAggregation& node) {
  std::string grouping = print_vector_grouping(node.grouping);
  if (!grouping.empty()) grouping.pop_back();
  return std::string(vector_op_name(node.op)) + grouping + "(";
}

bool has_k(const VectorAggregation& node) { return node.parameter != 0; }

/// The operator with its modifiers. The blank after `on (...)` without a group is what the reference prints.
std::string operator_text(const BinaryOperation& node, bool right_is_parenthesised) {
  std::string out(binary_op_text(node.op));
  if (node.return_bool) out += " bool";
  if (!node.matching) return out;
  const VectorMatching& matching = *node.matching;
  if (!matching.on && matching.labels.empty() && matching.group == GroupSide::kNone) return out;
  out += (matching.on ? " on " : " ignoring ") + name_list(matching.labels) + " ";
  if (matching.group == GroupSide::kNone) return out;
  out += matching.group == GroupSide::kLeft ? "group_left" : "group_right";
  // Without a list of its own, a parenthesis that follows would be read as one.
  if (!matching.include.empty() || right_is_parenthesised) out += " " + name_list(matching.include);
  return out;
}

struct ExprPrinter {
  std::string operator()(const LogQuery& query) const { return print(query); }
  std::string operator()(const RangeAggregation& node) const {
    std::string out = std::string(range_op_name(node.op)) + "(";
    if (node.parameter) out += number_text(*node.parameter) + ",";
    return out + print_range(node.range) + ")" + print_range_grouping(node.grouping);
  }
  std::string operator()(const VectorAggregation& node) const {
    const std::string k = has_k(node) ? std::to_string(node.parameter) + "," : "";
    return vector_head(node) + k + print(*node.operand) + ")";
  }
  std::string operator()(const BinaryOperation& node) const {
    const std::string right = print(*node.right);
    return "(" + print(*node.left) + " " + operator_text(node, right.starts_with('(')) + " " + right + ")";
  }
  std::string operator()(const Literal& literal) const { return literal_text(literal.value); }
  std::string operator()(const LabelReplace& node) const {
    return "label_replace(" + print(*node.operand) + "," + arguments(node) + ")";
  }
  std::string operator()(const VectorFunction& node) const {
    char buffer[352];
    std::snprintf(buffer, sizeof buffer, "vector(%f)", node.value);
    return buffer;
  }
  std::string operator()(const Variants& node) const {
    return "variants(" + join_printed(node.metrics, ", ", [](const ExprPtr& metric) { return print(*metric); }) +
           ") of (" + print_range(node.range) + ")";
  }
  std::string operator()(const LetVariable& variable) const { return variable.name; }
  std::string operator()(const LetExpression& let) const {
    std::string out;
    for (const auto& binding : let.bindings) out += "let " + binding.name + " = " + print(*binding.value) + "; ";
    return out + print(*let.body);
  }

  static std::string arguments(const LabelReplace& node) {
    return quoted(node.target) + "," + quoted(node.replacement) + "," + quoted(node.source) + "," + quoted(node.regex);
  }
};

/// Breaks what does not fit into a line: each step and operand on a line of its own, deeper ones indented.
class Formatter {
 public:
  static std::string format(const Expr& expr, std::size_t level) {
    const std::string line = print(expr);
    const std::string indent(level * kIndent, ' ');
    if (line.size() <= kLineCharactersMax && !std::holds_alternative<LetExpression>(expr.node)) return indent + line;
    return std::visit(Formatter(level), expr.node);
  }

  std::string operator()(const LogQuery& query) const {
    return lines(query.selector, print_steps(query.stages, query.pipes), level_);
  }
  std::string operator()(const RangeAggregation& node) const {
    std::string out = indent(0) + std::string(range_op_name(node.op)) + "(\n";
    if (node.parameter) out += indent(1) + number_text(*node.parameter) + ",\n";
    auto steps = print_steps(node.range.stages, {});
    if (node.range.unwrap) steps.push_back(print_unwrap(*node.range.unwrap));
    out += lines(node.range.selector, steps, level_ + 1) + " " + print_range_suffix(node.range) + "\n";
    return out + indent(0) + ")" + print_range_grouping(node.grouping);
  }
  std::string operator()(const VectorAggregation& node) const {
    std::string out = indent(0) + vector_head(node) + "\n";
    if (has_k(node)) out += indent(1) + std::to_string(node.parameter) + ",\n";
    return out + format(*node.operand, level_ + 1) + "\n" + indent(0) + ")";
  }
  std::string operator()(const BinaryOperation& node) const {
    const std::string right = format(*node.right, level_ + 1);
    const bool parenthesised =
        right.find_first_not_of(' ') != std::string::npos && right[right.find_first_not_of(' ')] == '(';
    return indent(0) + "(\n" + format(*node.left, level_ + 1) + "\n" + indent(0) + operator_text(node, parenthesised) +
           "\n" + right + "\n" + indent(0) + ")";
  }
  std::string operator()(const LabelReplace& node) const {
    return indent(0) + "label_replace(\n" + format(*node.operand, level_ + 1) + ",\n" + indent(1) +
           ExprPrinter::arguments(node) + "\n" + indent(0) + ")";
  }
  std::string operator()(const LetExpression& let) const {
    std::string out;
    for (const auto& binding : let.bindings) out += "let " + binding.name + " = " + trimmed(*binding.value) + ";\n";
    return out + format(*let.body, 0);
  }
  std::string operator()(const auto& leaf) const { return indent(0) + ExprPrinter{}(leaf); }

 private:
  explicit Formatter(std::size_t level) : level_(level) {}

  static std::string trimmed(const Expr& expr) {
    const std::string line = print(expr);
    return line.size() <= kLineCharactersMax ? line : "\n" + format(expr, 1);
  }
  std::string indent(std::size_t deeper) const { return std::string((level_ + deeper) * kIndent, ' '); }
  static std::string lines(const Selector& selector, const std::vector<std::string>& steps, std::size_t level) {
    std::string out = std::string(level * kIndent, ' ') + print(selector);
    for (const auto& step : steps) out += "\n" + std::string((level + 1) * kIndent, ' ') + step;
    return out;
  }

  std::size_t level_;
};

}  // namespace

std::string print_range_duration(Duration duration) { return format_prometheus_duration(duration); }

std::string print(const Selector& selector) {
  return "{" + join_printed(selector.matchers, ", ", [](const LabelMatcher& m) {
           return m.name() + std::string(match_op_text(m.op())) + quoted(m.value());
         }) + "}";
}

std::string print(const LogQuery& query) {
  const std::string text = print_log(query.selector, print_steps(query.stages, query.pipes));
  return query.parenthesised && query.has_stats() ? "(" + text + ")" : text;
}

std::string print(const Expr& expr) { return std::visit(ExprPrinter{}, expr.node); }

std::string print_stage(const Stage& stage) { return std::visit(StagePrinter{}, stage); }

std::string print_filter(const LabelFilter& filter) { return std::visit(FilterPrinter{}, filter.node); }

std::string print_unwrap(const Unwrap& unwrap) {
  std::string out = "| unwrap ";
  switch (unwrap.conversion) {
    case UnwrapConversion::kNone: out += unwrap.label; break;
    case UnwrapConversion::kBytes: out += "bytes(" + unwrap.label + ")"; break;
    case UnwrapConversion::kDuration: out += "duration(" + unwrap.label + ")"; break;
    case UnwrapConversion::kDurationSeconds: out += "duration_seconds(" + unwrap.label + ")"; break;
  }
  for (const auto& filter : unwrap.post_filters) out += " | " + print_filter(filter);
  return out;
}

std::string print_stats_call(const StatsColumn& column) {
  std::string out = std::string(stats_function_name(column.function)) + "(";
  if (column.function == StatsFunction::kQuantile) out += number_text(column.quantile) + ", ";
  return out + column.field + ")";
}

std::string format_query(const Expr& expr) { return Formatter::format(expr, 0); }

}  // namespace kvasir::logql
