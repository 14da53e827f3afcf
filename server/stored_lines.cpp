#include "server/stored_lines.h"

#include <algorithm>
#include <tuple>

#include "ingest/push_verdicts.h"

namespace kvasir::server {
namespace {

/// The entries of one stream of a push, by time.
class WantedLines {
 public:
  explicit WantedLines(const ingest::PushStream& stream) {
    for (const auto& entry : stream.entries) by_time_.push_back(&entry);
    std::stable_sort(by_time_.begin(), by_time_.end(),
                     [](const auto* a, const auto* b) { return a->timestamp < b->timestamp; });
  }

  TimestampNs first() const { return by_time_.front()->timestamp; }
  TimestampNs last() const { return by_time_.back()->timestamp; }

  /// Those of one instant.
  std::span<const EntryView* const> at(TimestampNs time) const {
    const auto begin = std::partition_point(by_time_.begin(), by_time_.end(),
                                            [&](const auto* entry) { return entry->timestamp < time; });
    const auto end = std::partition_point(begin, by_time_.end(),
                                          [&](const auto* entry) { return entry->timestamp == time; });
    return {begin, end};
  }
  bool any_in(TimestampNs first, TimestampNs last) const {
    const auto at = std::partition_point(by_time_.begin(), by_time_.end(),
                                         [&](const auto* entry) { return entry->timestamp < first; });
    return at != by_time_.end() && (*at)->timestamp <= last;
  }

 private:
  std::vector<const EntryView*> by_time_;
};

Result<std::vector<LabelMatcher>> matchers_of(const Labels& labels) {
  std::vector<LabelMatcher> matchers;
  for (const auto& label : labels) {
    KVASIR_TRY(auto matcher, LabelMatcher::create(label.name, MatchOp::kEqual, label.value));
    matchers.push_back(std::move(matcher));
  }
  return matchers;
}

/// Rows whose instant is that of a wanted entry.
logql::RowSet rows_at_wanted_times(const logql::LogBlock& block, const WantedLines& wanted) {
  logql::RowSet rows(block.rows(), false);
  const auto times = block.timestamps();
  auto at = std::lower_bound(times.begin(), times.end(), wanted.first().value);
  for (; at != times.end() && *at <= wanted.last().value; ++at) {
    if (!wanted.at({*at}).empty()) rows.set(static_cast<std::size_t>(at - times.begin()));
  }
  return rows;
}

Result<void> mark_in_block(logql::LogBlock& block, const WantedLines& wanted, ingest::PushVerdicts& verdicts) {
  const logql::RowSet rows = rows_at_wanted_times(block, wanted);
  if (rows.none()) return {};
  std::vector<std::string_view> lines(block.rows());
  KVASIR_CHECK_OK(block.lines(rows, lines));
  for (std::size_t row = rows.next(0); row < block.rows(); row = rows.next(row + 1)) {
    for (const EntryView* entry : wanted.at({block.timestamps()[row]})) {
      if (entry->line != lines[row]) continue;
      const auto metadata = block.metadata(row);
      if (std::equal(metadata.begin(), metadata.end(), entry->metadata.begin(), entry->metadata.end()))
        verdicts.repeat(verdicts.number_of(*entry));
    }
  }
  return {};
}

}  // namespace

Result<void> mark_stored_lines(const ingest::PushBatch& batch, logql::LogSource& source,
                               logql::QueryContext& context) {
  for (const auto& stream : batch.streams) {
    const WantedLines wanted(stream);
    logql::SelectRequest select;
    select.tenant = batch.tenant;
    KVASIR_TRY(select.matchers, matchers_of(stream.identity->labels));
    select.range = {wanted.first(), wanted.last() + Duration(1)};
    KVASIR_TRY(const auto handles, source.select(select, context));
    for (const auto& handle : handles) {
      KVASIR_CHECK_OK(context.check());
      if (handle->stream()->labels != stream.identity->labels || !wanted.any_in(handle->first(), handle->last()))
        continue;
      KVASIR_TRY(const auto block, handle->open());
      KVASIR_CHECK_OK(mark_in_block(*block, wanted, *batch.verdicts));
    }
  }
  return {};
}

}  // namespace kvasir::server
