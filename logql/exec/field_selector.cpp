#include "logql/exec/field_selector.h"

#include <algorithm>
#include <array>

#include "common/find_bytes.h"
#include "logql/exec/scan.h"
#include "logql/pipeline/regex_literals.h"

namespace kvasir::logql {
namespace {

constexpr std::size_t kDecimalIdDigitsMin = 10;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool all_of(std::string_view text, bool (*accept)(char)) { return std::all_of(text.begin(), text.end(), accept); }

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

bool is_ulid(std::string_view text) {
  const auto crockford = [](char c) {
    return is_digit(c) || (c >= 'A' && c <= 'Z' && c != 'I' && c != 'L' && c != 'O' && c != 'U');
  };
  return text.size() == 26 && all_of(text, crockford);
}

bool contains_word(std::string_view line, std::string_view word) {
  for (auto at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    const auto end = at + word.size();
    if ((at == 0 || !is_word(line[at - 1])) && (end == line.size() || !is_word(line[end]))) return true;
  }
  return false;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kLevels = {{
    {"trace", "trace"},
    {"trc", "trace"},
    {"debug", "debug"},
    {"dbg", "debug"},
    {"info", "info"},
    {"inf", "info"},
    {"information", "info"},
    {"warning", "warn"},
    {"warn", "warn"},
    {"wrn", "warn"},
    {"error", "error"},
    {"err", "error"},
    {"critical", "critical"},
    {"crit", "critical"},
    {"fatal", "fatal"},
}};

/// The level that a spelling stands for, or empty.
std::string_view level_of(std::string_view text) {
  if (text.size() > 11) return {};
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const auto it = std::find_if(kLevels.begin(), kLevels.end(), [&](const auto& level) { return level.first == lower; });
  return it == kLevels.end() ? std::string_view() : it->second;
}

bool selects_by_level(const LabelMatcher& matcher) {
  return matcher.name() == "level" && matcher.op() == MatchOp::kEqual && !level_of(matcher.value()).empty();
}

Result<PipelineRunner> make_runner(Stage parser) {
  auto pipeline = Pipeline::compile(std::span(&parser, 1), nullptr, {});
  if (!pipeline) return fail(std::move(pipeline).error());
  return PipelineRunner(std::move(*pipeline));
}

}  // namespace

bool may_select_by_field(const LabelMatcher& matcher) {
  const bool positive = matcher.op() == MatchOp::kEqual || matcher.op() == MatchOp::kRegex;
  return positive && !matcher.matches_empty();
}

std::vector<std::string> field_selector_tokens(const LabelMatcher& matcher) {
  if (matcher.op() == MatchOp::kRegex) return required_literals_of_regex(matcher.value());
  if (matcher.op() != MatchOp::kEqual || selects_by_level(matcher)) return {};
  return {matcher.value()};
}

bool looks_like_id(std::string_view value) {
  if (value.size() >= 16 && value.size() <= 32 && value.size() % 16 == 0 && all_of(value, is_hex)) return true;
  if (value.size() >= kDecimalIdDigitsMin && all_of(value, is_digit)) return true;
  return is_uuid(value) || is_ulid(value);
}

Result<std::unique_ptr<FieldSelector>> FieldSelector::create(std::span<const LabelMatcher> matchers) {
  static const Labels kNoLabels;
  auto selector = std::make_unique<FieldSelector>();
  for (const auto& matcher : matchers) {
    KVASIR_TRY(auto json, make_runner(JsonParser{}));
    KVASIR_TRY(auto logfmt, make_runner(LogfmtParser{}));
    const bool by_word = matcher.op() == MatchOp::kEqual && looks_like_id(matcher.value());
    auto literals = field_selector_tokens(matcher);
    // A name that parsing can only have taken over as it is.
    if (!by_word && matcher.name().find('_') == std::string::npos) literals.push_back(matcher.name());
    selector->conditions_.push_back(
        {matcher, selects_by_level(matcher), by_word, std::move(literals), std::move(json), std::move(logfmt)});
  }
  for (auto& condition : selector->conditions_) {
    condition.json.bind(kNoLabels);
    condition.logfmt.bind(kNoLabels);
  }
  return selector;
}

/// Clears the rows whose line lacks a literal, but for those with metadata of the name. True if every literal was
/// looked for exactly.
bool FieldSelector::narrow_literals(const Condition& condition, LogBlock& block, RowSet& rows) {
  const auto& name = condition.matcher.name();
  const bool in_metadata = block.may_have_metadata(name);
  const FieldColumn* metadata = in_metadata ? block.metadata_field(name) : nullptr;
  if (in_metadata && metadata == nullptr) return false;
  RowSet kept = rows;
  bool exact = true;
  for (const auto& literal : condition.literals) {
    if (kept.none()) break;
    if (block.narrow_literal(literal, false, kept)) continue;
    exact = false;
    block.narrow_perhaps(literal, kept);
  }
  if (metadata != nullptr) {
    for_each_row(rows, [&](std::size_t row) {
      if (metadata->row_value[row] != FieldColumn::kAbsent) kept.set(row);
    });
  }
  rows = std::move(kept);
  return exact;
}

namespace {

/// For each value of a column, whether it is selected; found out when first asked.
class Verdicts {
 public:
  explicit Verdicts(const FieldColumn* column)
      : column_(column), seen_(column == nullptr ? 0 : column->values.size()) {}

  /// False for a row without a value.
  template <class Matches>
  bool selects(std::size_t row, Matches matches) {
    const std::uint32_t value = column_ == nullptr ? FieldColumn::kAbsent : column_->row_value[row];
    if (value == FieldColumn::kAbsent) return false;
    auto& seen = seen_[value];
    if (!seen) seen = matches(column_->values[value]);
    return *seen;
  }

 private:
  const FieldColumn* column_;
  std::vector<std::optional<bool>> seen_;
};

}  // namespace

FieldSelector::Known FieldSelector::narrow_columns(const Condition& condition, LogBlock& block, const RowSet& rows,
                                                   bool literals_hold) {
  const auto& name = condition.matcher.name();
  Known known{RowSet(rows.size(), false), rows};
  const FieldColumn* metadata = nullptr;
  if (block.may_have_metadata(name)) {
    metadata = block.metadata_field(name);
    if (metadata == nullptr) return known;
  }
  // Lines that start with a brace are JSON, others logfmt. Where JSON is not to be had, lines with any brace are read.
  const FieldColumn* field = condition.by_word ? nullptr : block.field(FieldSyntax::kJson, name);
  RowSet read = field == nullptr ? rows : field->unknown;
  if (field == nullptr && !condition.by_word && block.narrow_literal("{", false, read)) {
    field = block.field(FieldSyntax::kLogfmt, name);
    if (field != nullptr && field->unknown.size() > 0)
      for_each_row(field->unknown, [&](std::size_t row) { read.set(row); });
    if (field == nullptr) read = rows;
  }
  Verdicts in_metadata(metadata);
  Verdicts in_line(field);
  const auto matches = [&](std::string_view value) { return value_matches(condition, value); };
  for_each_row(rows, [&](std::size_t row) {
    const bool by_metadata = in_metadata.selects(row, matches);
    if (by_metadata) known.selected.set(row);
    if (!by_metadata && read.size() > 0 && read.test(row)) return;
    // What was escaped in the line matches only if the literals stand there all the same.
    if (!by_metadata && in_line.selects(row, matches)) {
      if (!literals_hold) return;
      known.selected.set(row);
    }
    known.unknown.clear(row);
  });
  return known;
}

void FieldSelector::narrow(LogBlock& block, const Pushdowns& pushdowns, RowSet& rows, RowSet& unknown) const {
  unknown = RowSet(rows.size(), false);
  for (const auto& condition : conditions_) {
    RowSet alive = rows;
    for (std::size_t i = 0; i < alive.words().size(); ++i) alive.words()[i] |= unknown.words()[i];
    if (alive.none()) return;
    const bool literals_hold = pushdowns.narrow_literals && narrow_literals(condition, block, alive);
    Known known{RowSet(rows.size(), false), alive};
    if (pushdowns.field_columns) known = narrow_columns(condition, block, alive, literals_hold);
    rows.keep_only(known.selected);
    for (std::size_t i = 0; i < alive.words().size(); ++i) {
      // Alive, not ruled out now, and not certain on both counts.
      const std::uint64_t possible = known.selected.words()[i] | known.unknown.words()[i];
      unknown.words()[i] = alive.words()[i] & possible & ~rows.words()[i];
    }
  }
}

bool FieldSelector::value_matches(const Condition& condition, std::string_view value) {
  if (condition.by_level) return level_of(value) == level_of(condition.matcher.value());
  return condition.matcher.matches(value);
}

bool FieldSelector::line_matches(Condition& condition, std::string_view line) {
  const LabelMatcher& matcher = condition.matcher;
  const auto stands_there = [&](const std::string& literal) { return contains_bytes(line, literal); };
  if (!std::all_of(condition.literals.begin(), condition.literals.end(), stands_there)) return false;
  if (condition.by_word && contains_word(line, matcher.value())) return true;
  const auto start = line.find_first_not_of(" \t\r\n");
  const bool is_json = start != std::string_view::npos && line[start] == '{';
  PipelineRunner& parser = is_json ? condition.json : condition.logfmt;
  if (!parser.process({}, line, {})) return false;
  const auto value = parser.label(matcher.name());
  return value && value_matches(condition, *value);
}

bool FieldSelector::matches(std::string_view line, std::span<const LabelView> metadata) {
  return std::all_of(conditions_.begin(), conditions_.end(), [&](Condition& condition) {
    const auto& name = condition.matcher.name();
    const bool by_metadata = std::any_of(metadata.begin(), metadata.end(), [&](const LabelView& label) {
      return label.name == name && value_matches(condition, label.value);
    });
    return by_metadata || line_matches(condition, line);
  });
}

}  // namespace kvasir::logql
