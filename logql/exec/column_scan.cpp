#include "logql/exec/column_scan.h"

#include <algorithm>
#include <unordered_map>

#include "logql/exec/block_statistics.h"
#include "logql/exec/scan.h"
#include "logql/pipeline/pattern.h"
#include "logql/pipeline/value_text.h"

namespace kvasir::logql {
namespace {

/// The parser that a stage is, if its columns mean the same as running it.
std::optional<FieldSyntax> column_parser(const Stage& stage) {
  if (const auto* json = std::get_if<JsonParser>(&stage); json != nullptr && json->extractions.empty()) {
    return FieldSyntax::kJson;
  }
  const auto* logfmt = std::get_if<LogfmtParser>(&stage);
  if (logfmt != nullptr && logfmt->extractions.empty() && !logfmt->strict && !logfmt->keep_empty)
    return FieldSyntax::kLogfmt;
  return std::nullopt;
}

constexpr std::size_t kDensePairsMax = 1 << 20;  // of a group so far and a value; a hash map takes more
constexpr std::uint32_t kNoGroup = 0xffffffff;

bool is_special(std::string_view name) { return name.starts_with("__"); }

std::optional<double> convert(std::string_view text, UnwrapConversion conversion) {
  std::string ignored;
  switch (conversion) {
    case UnwrapConversion::kNone: return parse_number_text(text, ignored);
    case UnwrapConversion::kBytes: {
      const auto bytes = parse_bytes_text(text, ignored);
      return bytes ? std::optional(static_cast<double>(*bytes)) : std::nullopt;
    }
    default: {
      const auto duration = parse_duration_text(text, ignored);
      return duration ? std::optional(std::chrono::duration<double>(*duration).count()) : std::nullopt;
    }
  }
}

/// Remembers what was found for each distinct value of a column.
template <class T>
class Memo {
 public:
  explicit Memo(const FieldColumn* column) : found_(column == nullptr ? 0 : column->values.size()) {}

  template <class Make>
  const T& get(std::uint32_t value, Make make) {
    auto& slot = found_[value];
    if (!slot) slot = make();
    return *slot;
  }

 private:
  std::vector<std::optional<T>> found_;
};

}  // namespace

std::size_t ColumnPlan::add_name(const std::string& name) {
  // Collisions give names of this form, and double underscores are not read from the line.
  if (is_special(name) || name.ends_with("_extracted")) usable_ = false;
  const auto it = std::find(names_.begin(), names_.end(), name);
  if (it != names_.end()) return static_cast<std::size_t>(it - names_.begin());
  names_.push_back(name);
  uses_.emplace_back();
  return names_.size() - 1;
}

std::unique_ptr<ColumnPlan::Filter> ColumnPlan::compile(const LabelFilter& filter) {
  auto out = std::make_unique<Filter>();
  if (const auto* pair = std::get_if<LabelFilterPair>(&filter.node)) {
    out->is_or = pair->is_or;
    out->left = compile(*pair->left);
    out->right = compile(*pair->right);
    return out;
  }
  auto predicate = ValuePredicate::from(filter);
  // `__error__=""` holds for every row: rows with an error are never answered from columns.
  const auto* text = std::get_if<StringPredicate>(&filter.node);
  const bool no_error =
      text != nullptr && text->name == "__error__" && text->op == MatchOp::kEqual && text->value.empty();
  if (no_error) return out;
  if (!predicate) {
    usable_ = false;
    return out;
  }
  out->name = add_name(predicate->name());
  Uses& uses = uses_[out->name];
  (predicate->is_number() ? uses.number : predicate->is_duration() ? uses.duration : uses.text) = true;
  out->predicate = std::move(*predicate);
  return out;
}

void ColumnPlan::take_pattern(const std::string& expression) {
  const auto pattern = Pattern::for_parser(expression);
  if (!pattern) {
    usable_ = false;
    return;
  }
  pattern_ = expression;
  for (const auto& part : pattern->parts()) {
    if (part.is_named()) captures_.push_back(part.text);
  }
}

std::unique_ptr<const ColumnPlan> ColumnPlan::make(std::span<const Stage> stages, const Unwrap* unwrap,
                                                   const ResultGrouping& grouping,
                                                   std::span<const ColumnExtra> extras) {
  if (grouping.kind != ResultGrouping::Kind::kBy) return nullptr;
  auto plan = std::make_unique<ColumnPlan>();
  for (const auto& stage : stages) {
    if (drops_only_errors(stage)) continue;  // rows with an error are never answered from columns
    const auto parser = column_parser(stage);
    const auto* pattern = std::get_if<PatternParser>(&stage);
    const auto* filter = std::get_if<LabelFilter>(&stage);
    if ((parser || pattern != nullptr) && !plan->has_parser()) {
      // A filter in front of the parser does not see what it extracts.
      if (!plan->filters_.empty()) return nullptr;
      plan->parser_ = parser;
      if (pattern != nullptr) plan->take_pattern(pattern->expression);
    } else if (filter != nullptr) {
      plan->filters_.push_back(plan->compile(*filter));
    } else {
      return nullptr;
    }
  }
  for (const auto& label : grouping.labels) {
    plan->group_.push_back(plan->add_name(label));
    plan->uses_[plan->group_.back()].text = true;
  }
  for (const auto& extra : extras) {
    plan->extras_.push_back(plan->add_name(extra.name));
    Uses& uses = plan->uses_[plan->extras_.back()];
    (extra.as_number ? uses.number : uses.text) = true;
  }
  if (unwrap != nullptr) {
    plan->unwrap_ = plan->add_name(unwrap->label);
    plan->conversion_ = unwrap->conversion;
    Uses& uses = plan->uses_[*plan->unwrap_];
    const bool seconds =
        unwrap->conversion == UnwrapConversion::kDuration || unwrap->conversion == UnwrapConversion::kDurationSeconds;
    (unwrap->conversion == UnwrapConversion::kNone ? uses.number : seconds ? uses.duration : uses.text) = true;
    for (const auto& filter : unwrap->post_filters) plan->post_filters_.push_back(plan->compile(filter));
  }
  if (!plan->usable_) return nullptr;
  return plan;
}

std::optional<std::string_view> ColumnBlock::Source::get(std::size_t row) const {
  if (constant) return constant;
  for (const FieldColumn* column : {metadata, field}) {
    if (column == nullptr) continue;
    const std::uint32_t value = column->row_value[row];
    if (value != FieldColumn::kAbsent) return column->values[value];
  }
  return std::nullopt;
}

std::size_t ColumnBlock::Source::codes() const {
  return 2 + (metadata == nullptr ? 0 : metadata->values.size()) + (field == nullptr ? 0 : field->values.size());
}

std::size_t ColumnBlock::Source::code(std::size_t row) const {
  if (constant) return 1;
  std::size_t first = 2;
  for (const FieldColumn* column : {metadata, field}) {
    if (column == nullptr) continue;
    const std::uint32_t value = column->row_value[row];
    if (value != FieldColumn::kAbsent) return first + value;
    first += column->values.size();
  }
  return 0;
}

std::string_view ColumnBlock::Source::text(std::size_t code) const {
  if (code < 2) return code == 0 ? std::string_view() : *constant;
  code -= 2;
  const std::size_t in_metadata = metadata == nullptr ? 0 : metadata->values.size();
  return code < in_metadata ? metadata->values[code] : field->values[code - in_metadata];
}

bool ColumnBlock::open_source(std::size_t name) {
  Source& source = sources_[name];
  const std::string& text = plan_.names_[name];
  if (const auto constant = block_.stream()->labels.get(text)) {
    source.constant = constant;
    return !constant->empty();  // an empty stream label hides nothing
  }
  if (block_.may_have_metadata(text)) {
    source.metadata = block_.metadata_field(text);
    if (source.metadata == nullptr) return false;
    add_unknown(source.metadata->unknown);
  }
  return open_field(name);
}

/// The name as the parser gives it: as numbers where these are enough.
bool ColumnBlock::open_field(std::size_t name) {
  Source& source = sources_[name];
  const std::string& text = plan_.names_[name];
  if (plan_.pattern_) {
    const auto& captures = plan_.captures_;
    if (std::find(captures.begin(), captures.end(), text) == captures.end()) return true;
    source.field = block_.pattern_field(*plan_.pattern_, text);
    if (source.field != nullptr) add_unknown(source.field->unknown);
    return source.field != nullptr;
  }
  if (!plan_.parser_) return true;
  const ColumnPlan::Uses uses = plan_.uses_[name];
  bool needs_text = uses.text;
  const auto open_numbers = [&](bool wanted, NumberText kind, const NumberColumn*& column) {
    if (!wanted) return;
    if (source.metadata == nullptr) column = block_.number_field(*plan_.parser_, text, kind);
    if (column != nullptr) add_unknown(column->unknown);
    needs_text = needs_text || column == nullptr;
  };
  open_numbers(uses.number, NumberText::kPlain, source.number);
  open_numbers(uses.duration, NumberText::kDuration, source.duration);
  if (!needs_text) return true;
  source.field = block_.field(*plan_.parser_, text);
  if (source.field != nullptr) add_unknown(source.field->unknown);
  return source.field != nullptr;
}

void ColumnBlock::add_unknown(const RowSet& rows) {
  for (std::size_t w = 0; w < rows.words().size(); ++w) unknown_.words()[w] |= rows.words()[w];
}

/// Only an opened field says which lines parse. Without one, errors go unnoticed only where nothing is read at all.
bool ColumnBlock::knows_errors() const {
  const bool reads_nothing = plan_.names_.empty() && plan_.filters_.empty();
  if (!plan_.parser_ || reads_nothing) return true;  // a pattern never fails
  return std::any_of(sources_.begin(), sources_.end(), [](const Source& source) {
    return source.field != nullptr || source.number != nullptr || source.duration != nullptr;
  });
}

/// Metadata may carry an error, which only the pipeline knows how to treat. Where nothing runs, nothing can have
/// failed.
bool ColumnBlock::open_errors() {
  const bool only_counts = !plan_.has_parser() && plan_.filters_.empty() && !plan_.unwrap_;
  if (only_counts || !block_.may_have_metadata("__error__")) return true;
  const FieldColumn* errors = block_.metadata_field("__error__");
  if (errors == nullptr) return false;
  add_unknown(errors->unknown);
  for (std::size_t row = 0; row < errors->row_value.size(); ++row) {
    if (errors->row_value[row] != FieldColumn::kAbsent) unknown_.set(row);
  }
  return true;
}

std::unique_ptr<ColumnBlock> ColumnBlock::open(const ColumnPlan& plan, LogBlock& block) {
  std::unique_ptr<ColumnBlock> out(new ColumnBlock(plan, block));
  out->sources_.resize(plan.names_.size());
  for (std::size_t name = 0; name < plan.names_.size(); ++name) {
    if (!out->open_source(name)) return nullptr;
  }
  if (!out->knows_errors() || !out->open_errors()) return nullptr;
  return out;
}

/// False: there is no column of numbers for this.
bool ColumnBlock::apply_numbers(const ColumnPlan::Filter& filter, RowSet& rows) const {
  const Source& source = sources_[filter.name];
  const NumberColumn* column = filter.predicate->is_number()     ? source.number
                               : filter.predicate->is_duration() ? source.duration
                                                                 : nullptr;
  if (column == nullptr) return false;
  rows.keep_only(column->present);
  filter.predicate->keep_numbers(column->values, rows.words());
  return true;
}

void ColumnBlock::apply_predicate(const ColumnPlan::Filter& filter, RowSet& rows) {
  using Outcome = ValuePredicate::Outcome;
  if (apply_numbers(filter, rows)) return;
  const Source& source = sources_[filter.name];
  Memo<Outcome> metadata(source.metadata);
  Memo<Outcome> field(source.field);
  std::string details;
  const auto evaluate = [&](std::optional<std::string_view> value) {
    return filter.predicate->evaluate(value, details);
  };
  std::optional<Outcome> fixed;  // for the constant, or for rows without the label
  const auto outcome = [&](std::size_t row) {
    if (!source.constant) {
      for (auto [column, memo] : {std::pair(source.metadata, &metadata), std::pair(source.field, &field)}) {
        const std::uint32_t value = column == nullptr ? FieldColumn::kAbsent : column->row_value[row];
        if (value != FieldColumn::kAbsent) return memo->get(value, [&] { return evaluate(column->values[value]); });
      }
    }
    if (!fixed) fixed = evaluate(source.constant);
    return *fixed;
  };
  RowSet kept = rows;
  for_each_row(rows, [&](std::size_t row) {
    const Outcome found = outcome(row);
    if (found != Outcome::kKeep) kept.clear(row);
    if (found == Outcome::kUnreadable) unknown_.set(row);
  });
  rows = std::move(kept);
}

void ColumnBlock::apply(const ColumnPlan::Filter& filter, RowSet& rows) {
  if (filter.predicate) return apply_predicate(filter, rows);
  if (!filter.left) return;  // always holds
  if (!filter.is_or) {
    // Both sides see every row, as in the pipeline: an unreadable value counts although the other side drops the row.
    RowSet right = rows;
    apply(*filter.left, rows);
    apply(*filter.right, right);
    rows.keep_only(right);
    return;
  }
  RowSet left = rows;
  apply(*filter.left, left);
  rows.remove(left);
  apply(*filter.right, rows);
  for (std::size_t i = 0; i < rows.words().size(); ++i) rows.words()[i] |= left.words()[i];
}

/// False: there is no column of numbers for this.
bool ColumnBlock::unwrap_numbers(RowSet& rows) {
  const Source& source = sources_[*plan_.unwrap_];
  if (plan_.conversion_ == UnwrapConversion::kNone && source.number != nullptr) {
    rows.keep_only(source.number->present);
    values_ = source.number->values;
    return true;
  }
  if (source.duration == nullptr) return false;
  rows.keep_only(source.duration->present);
  unwrapped_.resize(block_.rows());
  for (std::size_t row = 0; row < unwrapped_.size(); ++row) unwrapped_[row] = source.duration->values[row] / 1e9;
  values_ = unwrapped_;
  return true;
}

void ColumnBlock::unwrap(RowSet& rows) {
  if (unwrap_numbers(rows)) return;
  const Source& source = sources_[*plan_.unwrap_];
  unwrapped_.assign(block_.rows(), 0);
  values_ = unwrapped_;
  Memo<std::optional<double>> metadata(source.metadata);
  Memo<std::optional<double>> field(source.field);
  RowSet kept = rows;
  for_each_row(rows, [&](std::size_t row) {
    const auto text = source.get(row);
    if (!text || text->empty()) {
      kept.clear(row);
      return;
    }
    std::optional<double> value;
    if (source.constant) {
      value = convert(*text, plan_.conversion_);
    } else {
      const bool in_metadata = source.metadata != nullptr && source.metadata->row_value[row] != FieldColumn::kAbsent;
      const FieldColumn* column = in_metadata ? source.metadata : source.field;
      value = (in_metadata ? metadata : field).get(column->row_value[row], [&] {
        return convert(*text, plan_.conversion_);
      });
    }
    if (!value) {
      unknown_.set(row);
      kept.clear(row);
    }
    unwrapped_[row] = value.value_or(0);
  });
  rows = std::move(kept);
}

/// Rows that are in one group so far are split by the values of one more name.
void ColumnBlock::split_groups(const RowSet& rows, const Source& source) {
  if (source.constant || (source.metadata == nullptr && source.field == nullptr)) return;
  const std::size_t metadata_values = source.metadata == nullptr ? 0 : source.metadata->values.size();
  const std::size_t field_values = source.field == nullptr ? 0 : source.field->values.size();
  const std::size_t codes = 1 + metadata_values + field_values;
  const auto code_of = [&](std::size_t row) -> std::size_t {
    const auto in_metadata = source.metadata == nullptr ? FieldColumn::kAbsent : source.metadata->row_value[row];
    if (in_metadata != FieldColumn::kAbsent) return 1 + in_metadata;
    const auto in_field = source.field == nullptr ? FieldColumn::kAbsent : source.field->row_value[row];
    return in_field == FieldColumn::kAbsent ? 0 : 1 + metadata_values + in_field;
  };
  if (row_group_.empty()) row_group_.assign(block_.rows(), 0);
  const std::size_t pairs = group_row_.size() * codes;
  std::vector<std::uint32_t> dense(pairs <= kDensePairsMax ? pairs : 0, kNoGroup);
  std::unordered_map<std::size_t, std::uint32_t> sparse;
  std::vector<std::uint32_t> group_row;
  for_each_row(rows, [&](std::size_t row) {
    const std::size_t pair = row_group_[row] * codes + code_of(row);
    auto& group = dense.empty() ? sparse.try_emplace(pair, kNoGroup).first->second : dense[pair];
    if (group == kNoGroup) {
      group = static_cast<std::uint32_t>(group_row.size());
      group_row.push_back(static_cast<std::uint32_t>(row));
    }
    row_group_[row] = group;
  });
  group_row_ = std::move(group_row);
}

void ColumnBlock::assign_groups(const RowSet& rows) {
  row_group_.clear();
  std::size_t first = rows.size();
  for (std::size_t w = 0; w < rows.words().size() && first == rows.size(); ++w) {
    if (rows.words()[w] != 0) first = w * 64 + static_cast<std::size_t>(__builtin_ctzll(rows.words()[w]));
  }
  group_row_ = {static_cast<std::uint32_t>(first)};
  for (const std::size_t name : plan_.group_) split_groups(rows, sources_[name]);
}

void ColumnBlock::select(RowSet& rows) {
  const RowSet asked = rows;
  rows.remove(unknown_);
  for (const auto& filter : plan_.filters_) apply(*filter, rows);
  if (plan_.unwrap_) unwrap(rows);
  for (const auto& filter : plan_.post_filters_) apply(*filter, rows);
  rows.remove(unknown_);
  unknown_.keep_only(asked);
  if (!rows.none()) assign_groups(rows);
}

std::string_view ColumnBlock::group_text(std::size_t group, std::size_t label) const {
  return sources_[plan_.group_[label]].get(group_row_[group]).value_or(std::string_view());
}

Labels ColumnBlock::group_labels(std::size_t group) const {
  std::vector<Label> pairs;
  for (std::size_t i = 0; i < plan_.group_.size(); ++i) {
    const auto value = sources_[plan_.group_[i]].get(group_row_[group]);
    if (value) pairs.push_back({plan_.names_[plan_.group_[i]], std::string(*value)});
  }
  return Labels::from_unsorted(std::move(pairs));
}

std::unique_ptr<ColumnBlock> select_by_columns(const ColumnPlan& columns, const ScanPlan& plan, ScannedBlock& scanned,
                                               RowSet& rows) {
  OperatorCounts* const counts = plan.counts(ScanProfile::kColumns);
  const OperatorTimer timer(counts);
  auto block = ColumnBlock::open(columns, *scanned.block);
  count_blocks(counts, 1, block == nullptr ? 0 : 1);
  if (block == nullptr) {
    if (counts != nullptr) count_rows(counts, scanned.rows.count(), 0, scanned.rows.count());
    return nullptr;
  }
  block->select(rows);
  if (counts != nullptr) count_rows(counts, scanned.rows.count(), rows.count(), block->unknown().count());
  scanned.rows = block->unknown();
  return block;
}

}  // namespace kvasir::logql
