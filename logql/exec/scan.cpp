#include "logql/exec/scan.h"

#include <algorithm>
#include <map>
#include <optional>

#include "logql/exec/duplicates.h"
#include "logql/exec/literal_hints.h"
#include "logql/syntax/printer.h"

namespace kvasir::logql {
namespace {

constexpr std::size_t kNarrowedLiteralBytesMin = 3;  // shorter ones are in too many lines to look for them twice

/// A line filter that the source may apply to a block exactly: one plain, non-empty literal.
bool is_exact_literal(const Stage& stage) {
  const auto* filter = std::get_if<LineFilter>(&stage);
  return filter != nullptr && filter->arguments.size() == 1 && !filter->arguments[0].is_ip &&
         !filter->arguments[0].text.empty() &&
         (filter->op == LineFilterOp::kContains || filter->op == LineFilterOp::kNotContains);
}

/// Rows of the open interval of time; blocks are sorted, so they are one run. A block may be empty: all of it deleted.
RowSet rows_in_range(const LogBlock& block, const TimeRange& range) {
  const auto times = block.timestamps();
  if (times.empty()) return RowSet(0);
  if (range.contains({times.front()}) && range.contains({times.back()})) return RowSet(block.rows());
  const auto begin = std::lower_bound(times.begin(), times.end(), range.begin.value);
  const auto end = std::lower_bound(begin, times.end(), range.end.value);
  RowSet rows(block.rows());
  rows.clear_range(0, static_cast<std::size_t>(begin - times.begin()));
  rows.clear_range(static_cast<std::size_t>(end - times.begin()), block.rows());
  return rows;
}

using Handles = std::vector<std::shared_ptr<const BlockHandle>>;

void add_unique_units(Handles handles, std::vector<ScanUnit>& units) {
  std::vector<std::pair<StoredPlace, std::size_t>> order;
  order.reserve(handles.size());
  for (std::size_t i = 0; i < handles.size(); ++i) order.emplace_back(handles[i]->stored_in(), i);
  std::sort(order.begin(), order.end());
  std::optional<StoredPlace> open;  // of the last unit
  for (const auto& [place, i] : order) {
    auto& handle = handles[i];
    if (place.file == nullptr || place != open) {
      units.push_back({{}, {}, handle->first(), handle->last(), true, place});
      open = place;
    }
    ScanUnit& unit = units.back();
    unit.first = std::min(unit.first, handle->first());
    unit.last = std::max(unit.last, handle->last());
    unit.handles.push_back(std::move(handle));
  }
}

}  // namespace

Result<void> fetch_lines(LogBlock& block, const RowSet& rows, std::vector<std::string_view>& out,
                         QueryContext& context) {
  out.assign(block.rows(), std::string_view());
  KVASIR_CHECK_OK(block.lines(rows, out));
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  for_each_row(rows, [&](std::size_t row) {
    ++count;
    bytes += out[row].size();
  });
  context.stats().lines_processed += count;
  context.stats().line_bytes_processed += bytes;
  return {};
}

std::span<const Stage> ScanPlan::stages(bool filtered) const {
  return std::span(stages_).subspan(filtered ? leading_.size() : 0);
}

void ScanPlan::split_leading_filters() {
  if (!pushdowns_.narrow_literals) return;
  for (const auto& stage : stages_) {
    if (!is_exact_literal(stage)) break;
    const auto& filter = std::get<LineFilter>(stage);
    leading_.push_back({filter.arguments[0].text, filter.op == LineFilterOp::kNotContains});
  }
}

void ScanPlan::split_matchers(const QueryParams& params, LogSource& source, const QueryContext& context,
                              SelectRequest& select) {
  const auto matchers = std::move(select.matchers);
  select.matchers.clear();
  for (const auto& matcher : matchers) {
    const bool by_field = context.limits().field_selectors && may_select_by_field(matcher) &&
                          !source.has_stream_label(params.tenant, matcher.name());
    if (!by_field) {
      select.matchers.push_back(matcher);
      continue;
    }
    field_matchers_.push_back(matcher);
    if (!pushdowns_.prune_literals) continue;
    for (auto& token : field_selector_tokens(matcher)) select.tokens.push_back(std::move(token));
  }
}

/// Exact blocks of one stored block are a unit; others are cut into runs of blocks that share time with few blocks
/// outside.
void ScanPlan::make_units(std::vector<std::unique_ptr<BlockHandle>> handles, const ScanRequest& request) {
  std::vector<std::shared_ptr<const BlockHandle>> exact;
  std::vector<std::shared_ptr<const BlockHandle>> shared;
  for (auto& handle : handles) {
    if (!range_.overlaps(handle->first(), handle->last())) continue;
    (handle->exact() ? exact : shared).push_back(std::move(handle));
  }
  add_unique_units(std::move(exact), units_);
  add_overlapping_units(std::move(shared), request.blocks_per_unit, units_);
  if (!request.in_order) {
    const auto earlier = [](const ScanUnit& a, const ScanUnit& b) { return a.place < b.place; };
    if (!std::is_sorted(units_.begin(), units_.end(), earlier)) std::stable_sort(units_.begin(), units_.end(), earlier);
    return;
  }
  std::sort(units_.begin(), units_.end(), [&request](const ScanUnit& a, const ScanUnit& b) {
    return request.direction == Direction::kForward ? a.first < b.first : a.last > b.last;
  });
}

void ScanPlan::start_profile(const ScanRequest& request, QueryContext& context) {
  if (context.profile() == nullptr) return;
  std::vector<std::string> names;
  for (const auto& stage : stages_) names.push_back(print_stage(stage));
  if (unwrap_ != nullptr) names.push_back(print_unwrap(*unwrap_));
  profile_ = &context.profile()->add_scan(print(*request.selector), std::move(names));
}

Result<void> ScanPlan::read_lines(LogBlock& block, const RowSet& rows, std::vector<std::string_view>& out,
                                  QueryContext& context) const {
  OperatorCounts* const counts = this->counts(ScanProfile::kLines);
  {
    const OperatorTimer timer(counts);
    KVASIR_CHECK_OK(fetch_lines(block, rows, out, context));
  }
  if (counts == nullptr) return {};
  const std::uint64_t count = rows.count();
  count_rows(counts, count, count);
  for (const auto line : out) counts->bytes += line.size();
  return {};
}

Result<std::unique_ptr<ScanPlan>> ScanPlan::build(const ScanRequest& request, const QueryParams& params,
                                                  LogSource& source, QueryContext& context) {
  auto plan = std::make_unique<ScanPlan>();
  plan->range_ = request.range;
  plan->stages_.assign(request.stages.begin(), request.stages.end());
  plan->unwrap_ = request.unwrap;
  plan->options_ = request.options;
  plan->options_.regex_literals = params.pushdowns.regex_literals;
  plan->pushdowns_ = params.pushdowns;
  KVASIR_TRY(plan->full_, Pipeline::compile(plan->stages_, request.unwrap, plan->options_));
  plan->start_profile(request, context);
  plan->split_leading_filters();
  KVASIR_TRY(plan->rest_, Pipeline::compile(plan->stages(true), request.unwrap, plan->options_));
  plan->later_literals_ = required_line_literals(plan->stages(true), params.pushdowns.regex_literals);

  SelectRequest select{.tenant = params.tenant,
                       .matchers = request.selector->matchers,
                       .range = request.range,
                       .direction = request.direction,
                       .pushdowns = params.pushdowns};
  plan->split_matchers(params, source, context, select);
  if (params.pushdowns.prune_literals) {
    select.literals = required_line_literals(plan->stages_, params.pushdowns.regex_literals);
  }
  if (request.range.empty()) return plan;
  OperatorCounts* const counts = plan->counts(ScanProfile::kSelect);
  const OperatorTimer timer(counts);
  const std::uint64_t pruned_before = context.stats().blocks_pruned;
  KVASIR_TRY(auto handles, source.select(select, context));
  context.stats().blocks_selected += handles.size();
  count_blocks(counts, handles.size() + context.stats().blocks_pruned - pruned_before, handles.size());
  if (counts != nullptr) {
    for (const auto& handle : handles) counts->rows_out += handle->rows();
  }
  plan->make_units(std::move(handles), request);
  return plan;
}

Result<std::unique_ptr<FieldSelector>> ScanPlan::make_field_selector() const {
  if (field_matchers_.empty()) return std::unique_ptr<FieldSelector>();
  return FieldSelector::create(field_matchers_);
}

void ScanPlan::narrow(ScannedBlock& scanned) const {
  if (!pushdowns_.narrow_literals) return;
  const bool looks = !leading_.empty() || !later_literals_.empty();
  OperatorCounts* const counts = looks ? this->counts(ScanProfile::kLiterals) : nullptr;
  const OperatorTimer timer(counts);
  const std::uint64_t rows = counts == nullptr ? 0 : scanned.rows.count();
  narrow_by_literals(scanned);
  if (counts != nullptr) count_rows(counts, rows, scanned.rows.count());
}

void ScanPlan::narrow_by_literals(ScannedBlock& scanned) const {
  scanned.filtered = true;
  for (const auto& filter : leading_) {
    if (scanned.rows.none()) return;
    if (scanned.block->narrow_literal(filter.literal, filter.negated, scanned.rows)) continue;
    scanned.filtered = false;
    if (!filter.negated) scanned.block->narrow_perhaps(filter.literal, scanned.rows);
  }
  // What a later filter cannot do without: most lines never meet its regex.
  for (const auto& literal : later_literals_) {
    if (scanned.rows.none()) return;
    const bool exact = literal.size() >= kNarrowedLiteralBytesMin &&
                       scanned.block->narrow_literal(literal, false, scanned.rows);
    if (!exact) scanned.block->narrow_perhaps(literal, scanned.rows);
  }
}

Result<void> ScanPlan::select_fields(ScannedBlock& scanned, FieldSelector& fields, QueryContext& context) const {
  OperatorCounts* const counts = this->counts(ScanProfile::kFields);
  const OperatorTimer timer(counts);
  const std::uint64_t rows = counts == nullptr ? 0 : scanned.rows.count();
  KVASIR_CHECK_OK(select_by_fields(scanned, fields, context));
  if (counts != nullptr) count_rows(counts, rows, scanned.rows.count());
  return {};
}

Result<void> ScanPlan::select_by_fields(ScannedBlock& scanned, FieldSelector& fields, QueryContext& context) const {
  RowSet unknown(0);
  fields.narrow(*scanned.block, pushdowns_, scanned.rows, unknown);
  if (unknown.none()) return {};
  std::vector<std::string_view> lines;
  KVASIR_CHECK_OK(fetch_lines(*scanned.block, unknown, lines, context));
  for_each_row(unknown, [&](std::size_t row) {
    if (fields.matches(lines[row], scanned.block->metadata(row))) scanned.rows.set(row);
  });
  return {};
}

Result<ScannedBlock> ScanPlan::open(const BlockHandle& handle, QueryContext& context) const {
  KVASIR_CHECK_OK(context.check());
  ScannedBlock scanned;
  OperatorCounts* const counts = this->counts(ScanProfile::kOpen);
  const OperatorTimer timer(counts);
  KVASIR_TRY(scanned.block, handle.open());
  ++context.stats().blocks_opened;
  scanned.distinct = handle.distinct();
  scanned.handle = &handle;
  scanned.rows = rows_in_range(*scanned.block, range_);
  count_blocks(counts, 1, scanned.rows.none() ? 0 : 1);
  if (counts != nullptr) count_rows(counts, scanned.block->rows(), scanned.rows.count());
  return scanned;
}

Result<void> ScanPlan::open_all(std::span<const std::shared_ptr<const BlockHandle>> handles,
                                std::vector<ScannedBlock>& blocks, QueryContext& context) const {
  for (const auto& handle : handles) {
    KVASIR_TRY(auto scanned, open(*handle, context));
    if (!scanned.rows.none()) blocks.push_back(std::move(scanned));
  }
  return {};
}

Result<void> ScanPlan::narrow_all(std::vector<ScannedBlock>& blocks, FieldSelector* fields,
                                  QueryContext& context) const {
  for (auto& scanned : blocks) {
    narrow(scanned);
    if (fields != nullptr) KVASIR_CHECK_OK(select_fields(scanned, *fields, context));
  }
  std::erase_if(blocks, [](const ScannedBlock& scanned) { return scanned.rows.none(); });
  return {};
}

Result<std::vector<ScannedBlock>> ScanPlan::prepare_unique(std::span<const std::shared_ptr<const BlockHandle>> handles,
                                                           FieldSelector* fields, QueryContext& context) const {
  std::vector<ScannedBlock> blocks;
  KVASIR_CHECK_OK(open_all(handles, blocks, context));
  KVASIR_CHECK_OK(narrow_all(blocks, fields, context));
  return blocks;
}

Result<std::vector<ScannedBlock>> ScanPlan::prepare(const ScanUnit& unit, FieldSelector* fields,
                                                    QueryContext& context) const {
  if (unit.unique) return prepare_unique(unit.handles, fields, context);
  std::vector<ScannedBlock> blocks;
  KVASIR_CHECK_OK(open_all(unit.handles, blocks, context));
  if (!blocks.empty()) {
    const std::size_t own = blocks.size();
    KVASIR_CHECK_OK(open_all(unit.neighbours, blocks, context));
    KVASIR_CHECK_OK(remove_duplicates(blocks));
    blocks.resize(own);
  }
  KVASIR_CHECK_OK(narrow_all(blocks, fields, context));
  return blocks;
}

}  // namespace kvasir::logql
