// scan.h -- from a selector and stages to the rows that are worth looking at.
//
// Shape:    ScanPlan::build asks the source for block handles and compiles the pipelines; prepare() opens what must be
//           read together and says which rows are alive after the time range, duplicates, field selectors and exact
//           literal filters.
// Duplicates: of entries of a stream with equal instant and line only the first to arrive is given, whichever blocks
//             they are in.
// Order:    units come in the order of the query's direction: by their first instant, or by their last one, newest
//           first. Where the order does not matter, those that lie in one stored block come together.
// Lifetime: a plan must outlive the blocks prepared from it.
// Threads:  a plan is shared; prepare() may run on many threads, each with a RowFilters of its own.
// Errors:   parse (stages), and what the source and the context give.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "logql/engine.h"
#include "logql/exec/field_selector.h"
#include "logql/pipeline/pipeline.h"
#include "logql/query_profile.h"
#include "logql/syntax/ast.h"

namespace kvasir::logql {

struct ScanRequest {
  const Selector* selector = nullptr;
  std::span<const Stage> stages;
  const Unwrap* unwrap = nullptr;
  PipelineOptions options;
  TimeRange range;
  Direction direction = Direction::kForward;
  bool in_order = true;  // the scan may stop early, or needs the rows in their order
  /// Overlapping blocks that a worker opens together, about: few where the scan may stop early, else more are cheaper.
  std::size_t blocks_per_unit = 1;
};

/// Blocks that are read together: of one stream, so that entries which are in two of them are found; or blocks in which
/// no entry is twice, all parts of one stored block.
struct ScanUnit {
  std::vector<std::shared_ptr<const BlockHandle>> handles;
  /// Blocks of other units that share time with these: an entry that one of them holds earlier is not given by this
  /// unit.
  std::vector<std::shared_ptr<const BlockHandle>> neighbours;
  TimestampNs first;
  TimestampNs last;
  bool unique = false;  // no duplicates are possible
  StoredPlace place;    // of the first handle
};

/// One opened block and the rows of it that are left.
struct ScannedBlock {
  std::unique_ptr<LogBlock> block;
  RowSet rows{0};
  /// The leading line filters were applied exactly: only the pipeline without them must run.
  bool filtered = false;
  /// No two rows of the block are equal.
  bool distinct = false;
  const BlockHandle* handle = nullptr;
};

class ScanPlan {
 public:
  static Result<std::unique_ptr<ScanPlan>> build(const ScanRequest& request, const QueryParams& params,
                                                 LogSource& source, QueryContext& context);

  const std::vector<ScanUnit>& units() const { return units_; }
  const TimeRange& range() const { return range_; }
  /// The pipeline for a block: what is left to do after the leading filters, or everything.
  const std::shared_ptr<const Pipeline>& pipeline(bool filtered) const { return filtered ? rest_ : full_; }
  /// The stages that `pipeline(filtered)` was compiled from.
  std::span<const Stage> stages(bool filtered) const;
  const Unwrap* unwrap() const { return unwrap_; }
  const PipelineOptions& options() const { return options_; }
  bool has_field_selectors() const { return !field_matchers_.empty(); }
  const Pushdowns& pushdowns() const { return pushdowns_; }
  /// Null unless the query is explained.
  ScanProfile* profile() const { return profile_; }
  OperatorCounts* counts(ScanProfile::Operator op) const {
    return profile_ == nullptr ? nullptr : &profile_->operators[op];
  }

  /// One block and its rows in the time range, nothing else looked at.
  Result<ScannedBlock> open(const BlockHandle& handle, QueryContext& context) const;
  /// Blocks without a row that is left are not in the result.
  Result<std::vector<ScannedBlock>> prepare(const ScanUnit& unit, FieldSelector* fields, QueryContext& context) const;
  /// The same for some blocks of a unique unit.
  Result<std::vector<ScannedBlock>> prepare_unique(std::span<const std::shared_ptr<const BlockHandle>> handles,
                                                   FieldSelector* fields, QueryContext& context) const;
  /// As fetch_lines(), counted.
  Result<void> read_lines(LogBlock& block, const RowSet& rows, std::vector<std::string_view>& out,
                          QueryContext& context) const;
  /// Null if the query has no field selectors.
  Result<std::unique_ptr<FieldSelector>> make_field_selector() const;

 private:
  struct LeadingFilter {
    std::string literal;
    bool negated = false;
  };

  void start_profile(const ScanRequest& request, QueryContext& context);
  void split_leading_filters();
  void split_matchers(const QueryParams& params, LogSource& source, const QueryContext& context, SelectRequest& select);
  void make_units(std::vector<std::unique_ptr<BlockHandle>> handles, const ScanRequest& request);
  Result<void> open_all(std::span<const std::shared_ptr<const BlockHandle>> handles, std::vector<ScannedBlock>& blocks,
                        QueryContext& context) const;
  Result<void> narrow_all(std::vector<ScannedBlock>& blocks, FieldSelector* fields, QueryContext& context) const;
  void narrow(ScannedBlock& scanned) const;
  void narrow_by_literals(ScannedBlock& scanned) const;
  Result<void> select_fields(ScannedBlock& scanned, FieldSelector& fields, QueryContext& context) const;
  Result<void> select_by_fields(ScannedBlock& scanned, FieldSelector& fields, QueryContext& context) const;

  TimeRange range_;
  std::vector<Stage> stages_;
  const Unwrap* unwrap_ = nullptr;
  PipelineOptions options_;
  Pushdowns pushdowns_;
  ScanProfile* profile_ = nullptr;
  std::vector<LeadingFilter> leading_;
  std::vector<std::string> later_literals_;  // that every kept line holds because of the stages after the leading ones
  std::vector<LabelMatcher> field_matchers_;
  std::shared_ptr<const Pipeline> full_;
  std::shared_ptr<const Pipeline> rest_;  // without the leading filters
  std::vector<ScanUnit> units_;
};

/// Fills `out` with the lines of the rows that are set, and counts them in the statistics.
Result<void> fetch_lines(LogBlock& block, const RowSet& rows, std::vector<std::string_view>& out,
                         QueryContext& context);

/// Calls visit(row) for every set bit, ascending.
template <class Visit>
void for_each_row(const RowSet& rows, Visit visit) {
  const auto words = rows.words();
  for (std::size_t w = 0; w < words.size(); ++w) {
    for (std::uint64_t bits = words[w]; bits != 0; bits &= bits - 1) {
      visit(w * 64 + static_cast<std::size_t>(__builtin_ctzll(bits)));
    }
  }
}

}  // namespace kvasir::logql
