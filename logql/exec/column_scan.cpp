#include "logql/exec/column_scan.h"

#include <algorithm>
#include <unordered_map>

#include "logql/exec/scan.h"
#include "logql/pipeline/value_text.h"

namespace kvasir::logql {
namespace {

/// The parser that a stage is, if its columns mean the same as running it.
std::optional<FieldSyntax> column_parser(const Stage& stage) {
  if (const auto* json = std::get_if<JsonParser>(&stage); json != nullptr && json->extractions.empty()) {
    return FieldSyntax::kJson;
  }
  const auto* logfmt = std::get_if<LogfmtParser>(&stage);
  if (logfmt != nullptr && logfmt->extractions.empty() && !logfmt->strict && !logfmt->keep_empty) return FieldSyntax::kLogfmt;
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
  filtered_.push_back(false);
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
  const bool no_error = text != nullptr && text->name == "__error__" && text->op == MatchOp::kEqual && text->value.empty();
  if (no_error) return out;
  if (!predicate) {
    usable_ = false;
    return out;
  }
  out->name = add_name(predicate->name());
  filtered_[out->name] = true;
  out->predicate = std::move(*predicate);
  return out;
}

std::unique_ptr<const ColumnPlan> ColumnPlan::make(std::span<const Stage> stages, const Unwrap* unwrap,
                                                   const ResultGrouping& grouping) {
  if (grouping.kind != ResultGrouping::Kind::kBy) return nullptr;
  auto plan = std::make_unique<ColumnPlan>();
  for (const auto& stage : stages) {
    const auto parser = column_parser(stage);
    const auto* filter = std::get_if<LabelFilter>(&stage);
    if (parser && !plan->parser_) {
      // A filter in front of the parser does not see what it extracts.
      if (!plan->filters_.empty()) return nullptr;
      plan->parser_ = parser;
    } else if (filter != nullptr) {
      plan->filters_.push_back(plan->compile(*filter));
    } else {
      return nullptr;
    }
  }
  for (const auto& label : grouping.labels) plan->group_.push_back(plan->add_name(label));
  if (unwrap != nullptr) {
    plan->unwrap_ = plan->add_name(unwrap->label);
    plan->conversion_ = unwrap->conversion;
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

bool ColumnBlock::open_source(std::size_t name, bool as_numbers) {
  Source& source = sources_[name];
  const std::string& text = plan_.names_[name];
  if (const auto constant = block_.stream()->labels.get(text)) {
    source.constant = constant;
    return !constant->empty();  // an empty stream label hides nothing
  }
  if (block_.may_have_metadata(text)) {
    source.metadata = block_.metadata_field(text);
    if (source.metadata == nullptr) return false;
  }
  if (!plan_.parser_) return true;
  if (as_numbers && source.metadata == nullptr && plan_.conversion_ == UnwrapConversion::kNone) {
    numbers_ = block_.number_field(*plan_.parser_, text);
    if (numbers_ != nullptr) return true;
  }
  source.field = block_.field(*plan_.parser_, text);
  return source.field != nullptr;
}

std::unique_ptr<ColumnBlock> ColumnBlock::open(const ColumnPlan& plan, LogBlock& block) {
  std::unique_ptr<ColumnBlock> out(new ColumnBlock(plan, block));
  out->sources_.resize(plan.names_.size());
  for (std::size_t name = 0; name < plan.names_.size(); ++name) {
    // A name that is only unwrapped may come as plain numbers.
    const bool only_unwrapped = plan.unwrap_ == name && !plan.filtered_[name] &&
                                std::find(plan.group_.begin(), plan.group_.end(), name) == plan.group_.end();
    if (!out->open_source(name, only_unwrapped)) return nullptr;
  }
  // Only an opened field says that every line parses. Without one, errors go unnoticed only where nothing is read at all.
  const bool knows_errors = out->numbers_ != nullptr || std::any_of(out->sources_.begin(), out->sources_.end(),
                                                                    [](const Source& source) { return source.field != nullptr; });
  const bool reads_nothing = plan.names_.empty() && plan.filters_.empty();
  if (plan.parser_ && !knows_errors && !reads_nothing) return nullptr;
  // Metadata may carry an error, which only the pipeline knows how to treat. Where nothing runs, nothing can have failed.
  const bool only_counts = !plan.parser_ && plan.filters_.empty() && !plan.unwrap_;
  if (only_counts || !block.may_have_metadata("__error__")) return out;
  const FieldColumn* errors = block.metadata_field("__error__");
  if (errors == nullptr || !errors->values.empty()) return nullptr;
  return out;
}

bool ColumnBlock::apply_predicate(const ColumnPlan::Filter& filter, RowSet& rows) {
  using Outcome = ValuePredicate::Outcome;
  const Source& source = sources_[filter.name];
  Memo<Outcome> metadata(source.metadata);
  Memo<Outcome> field(source.field);
  std::string details;
  const auto evaluate = [&](std::optional<std::string_view> value) { return filter.predicate->evaluate(value, details); };
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
  bool readable = true;
  RowSet kept = rows;
  for_each_row(rows, [&](std::size_t row) {
    const Outcome found = outcome(row);
    if (found == Outcome::kDrop) kept.clear(row);
    readable = readable && found != Outcome::kUnreadable;
  });
  rows = std::move(kept);
  return readable;
}

bool ColumnBlock::apply(const ColumnPlan::Filter& filter, RowSet& rows) {
  if (filter.predicate) return apply_predicate(filter, rows);
  if (!filter.left) return true;  // always holds
  if (!filter.is_or) {
    // Both sides see every row, as in the pipeline: an unreadable value counts although the other side drops the row.
    RowSet right = rows;
    if (!apply(*filter.left, rows) || !apply(*filter.right, right)) return false;
    rows.keep_only(right);
    return true;
  }
  RowSet left = rows;
  if (!apply(*filter.left, left)) return false;
  rows.remove(left);
  if (!apply(*filter.right, rows)) return false;
  for (std::size_t i = 0; i < rows.words().size(); ++i) rows.words()[i] |= left.words()[i];
  return true;
}

bool ColumnBlock::unwrap(RowSet& rows) {
  if (numbers_ != nullptr) {
    rows.keep_only(numbers_->present);
    return true;
  }
  const Source& source = sources_[*plan_.unwrap_];
  unwrapped_.assign(block_.rows(), 0);
  Memo<std::optional<double>> metadata(source.metadata);
  Memo<std::optional<double>> field(source.field);
  bool readable = true;
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
      value = (in_metadata ? metadata : field).get(column->row_value[row], [&] { return convert(*text, plan_.conversion_); });
    }
    readable = readable && value.has_value();
    unwrapped_[row] = value.value_or(0);
  });
  rows = std::move(kept);
  return readable;
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

bool ColumnBlock::select(RowSet& rows) {
  const auto apply_all = [&](const std::vector<std::unique_ptr<ColumnPlan::Filter>>& filters) {
    return std::all_of(filters.begin(), filters.end(), [&](const auto& filter) { return apply(*filter, rows); });
  };
  if (!apply_all(plan_.filters_)) return false;
  if (plan_.unwrap_ && !unwrap(rows)) return false;
  if (!apply_all(plan_.post_filters_)) return false;
  if (!rows.none()) assign_groups(rows);
  return true;
}

Labels ColumnBlock::group_labels(std::size_t group) const {
  std::vector<Label> pairs;
  for (std::size_t i = 0; i < plan_.group_.size(); ++i) {
    const auto value = sources_[plan_.group_[i]].get(group_row_[group]);
    if (value) pairs.push_back({plan_.names_[plan_.group_[i]], std::string(*value)});
  }
  return Labels::from_unsorted(std::move(pairs));
}

}  // namespace kvasir::logql
