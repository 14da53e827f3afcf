#include "logql/exec/log_scan.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>

#include "logql/exec/parallel.h"
#include "logql/exec/row_filter.h"
#include "logql/exec/stage_meter.h"
#include "logql/exec/stats_groups.h"

namespace kvasir::logql {
namespace {

constexpr std::size_t kFirstRowsFetched = 256;
constexpr std::size_t kRowsFetchedMax = 8192;
constexpr std::uint64_t kLabelBytes = sizeof(Label) + 32;  // of a label with short texts

/// Total order of rows: keys, then time and sequence in the direction.
class RowOrder {
 public:
  RowOrder(std::span<const OrderKey> keys, Direction direction)
      : keys_(keys), forward_(direction == Direction::kForward) {}

  bool by_time_only() const { return keys_.empty(); }
  bool forward() const { return forward_; }

  /// True if `a` comes before `b` in the answer.
  bool operator()(const LogRow& a, const LogRow& b) const {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      // A row without the field comes last whatever the direction.
      if (a.keys[i].empty() != b.keys[i].empty()) return b.keys[i].empty();
      const auto order = compare_field_texts(a.keys[i], b.keys[i]);
      if (order != 0) return keys_[i].descending ? order > 0 : order < 0;
    }
    const auto left = std::pair(a.entry.timestamp, a.entry.sequence);
    const auto right = std::pair(b.entry.timestamp, b.entry.sequence);
    return forward_ ? left < right : left > right;
  }

 private:
  std::span<const OrderKey> keys_;
  bool forward_;
};

/// The best rows so far: at most `limit`, and not more than `bytes_max` of them.
class TopRows {
 public:
  TopRows(const RowOrder& order, const LogScanRequest& request, bool early_stop, MemoryBudget& budget)
      : order_(order),
        limit_(request.limit),
        bytes_max_(request.bytes_max),
        early_stop_(early_stop && order.by_time_only()),
        budget_(budget) {}
  ~TopRows() { budget_.release(charged_); }

  Result<void> offer(LogRow row) {
    MutexLock lock(mutex_);
    if (full_ && !order_(row, rows_.front())) return {};
    KVASIR_CHECK_OK(budget_.charge(row.bytes));
    charged_ += row.bytes;
    rows_.push_back(std::move(row));
    std::push_heap(rows_.begin(), rows_.end(), order_);
    while (rows_.size() > limit_ || (bytes_max_ != 0 && charged_ > bytes_max_ && rows_.size() > 1)) drop_worst();
    full_ = full_ || rows_.size() == limit_;
    if (full_) worst_ns_.store(rows_.front().entry.timestamp.value, std::memory_order_relaxed);
    return {};
  }

  /// False if no row at this instant or beyond it (in the direction) can enter any more.
  bool may_enter(TimestampNs t) const {
    if (!early_stop_) return true;
    const std::int64_t worst = worst_ns_.load(std::memory_order_relaxed);
    if (worst == kOpen) return true;
    return order_.forward() ? t.value <= worst : t.value >= worst;
  }

  LogScanResult take() {
    std::sort_heap(rows_.begin(), rows_.end(), order_);
    return {std::move(rows_), full_};
  }

 private:
  static constexpr std::int64_t kOpen = std::numeric_limits<std::int64_t>::min();

  /// From here on nothing may enter that comes after what is left: rows_ stays a beginning of the whole order.
  void drop_worst() {
    std::pop_heap(rows_.begin(), rows_.end(), order_);
    budget_.release(rows_.back().bytes);
    charged_ -= rows_.back().bytes;
    rows_.pop_back();
    full_ = true;
  }

  const RowOrder& order_;
  std::size_t limit_;
  std::uint64_t bytes_max_;
  bool early_stop_;
  MemoryBudget& budget_;
  std::uint64_t charged_ = 0;
  bool full_ = false;
  std::atomic<std::int64_t> worst_ns_{kOpen};
  Mutex mutex_;
  std::vector<LogRow> rows_;  // a heap whose front is the worst
};

/// Label sets that rows share: most rows of a scan have one of few.
class LabelSets {
 public:
  struct Found {
    std::shared_ptr<const Labels> labels;
    std::uint64_t new_bytes = 0;  // taken for it now
  };
  Found of(const PipelineRunner& runner) {
    auto& slot = sets_[runner.result_hash()];
    if (slot != nullptr && runner.result_equals(*slot)) return {slot, 0};
    if (sets_.size() > kSetsMax) return {std::make_shared<const Labels>(runner.result_labels()), 0};
    slot = std::make_shared<const Labels>(runner.result_labels());
    std::uint64_t bytes = sizeof(Labels);
    for (const auto& label : *slot) bytes += sizeof(Label) + label.name.size() + label.value.size();
    return {slot, bytes};
  }

 private:
  static constexpr std::size_t kSetsMax = 4096;
  std::unordered_map<std::uint64_t, std::shared_ptr<const Labels>> sets_;
};

class LogWorker {
 public:
  LogWorker(const ScanPlan& plan, const LogScanRequest& request, TopRows& top, QueryContext& context)
      : plan_(plan),
        request_(request),
        top_(top),
        context_(context),
        full_(plan.pipeline(false)),
        rest_(plan.pipeline(true)),
        meter_(plan, full_, rest_) {}

  Result<void> start() {
    KVASIR_TRY(fields_, plan_.make_field_selector());
    KVASIR_TRY(filter_, RowFilter::create(request_.filters));
    return {};
  }

  Result<void> scan(const ScanUnit& unit) {
    if (unit.unique) return scan_unique(unit);
    KVASIR_TRY(auto blocks, plan_.prepare(unit, fields_.get(), context_));
    for (auto& scanned : blocks) KVASIR_CHECK_OK(scan_block(scanned));
    return {};
  }

 private:
  Result<void> scan_unique(const ScanUnit& unit) {
    std::vector<std::shared_ptr<const BlockHandle>> wanted;
    for (const auto& handle : unit.handles) {
      if (top_.may_enter(forward() ? handle->first() : handle->last())) wanted.push_back(handle);
    }
    KVASIR_TRY(auto blocks, plan_.prepare_unique(wanted, fields_.get(), context_));
    for (auto& scanned : blocks) KVASIR_CHECK_OK(scan_block(scanned));
    return {};
  }

  bool forward() const { return request_.scan.direction == Direction::kForward; }

  /// Rows in the direction of the query, a slice at a time: small at first, for the answer may be full soon.
  Result<void> scan_block(ScannedBlock& scanned) {
    std::vector<std::uint32_t> rows;
    for_each_row(scanned.rows, [&](std::size_t row) { rows.push_back(static_cast<std::uint32_t>(row)); });
    if (!forward()) std::reverse(rows.begin(), rows.end());
    PipelineRunner& runner = scanned.filtered ? rest_ : full_;
    runner.bind(scanned.block->stream()->labels);
    std::size_t slice = std::max(kFirstRowsFetched, std::min(request_.limit, kRowsFetchedMax));
    for (std::size_t begin = 0; begin < rows.size(); begin += slice, slice = std::min(slice * 2, kRowsFetchedMax)) {
      KVASIR_CHECK_OK(context_.check());
      if (!top_.may_enter({scanned.block->timestamps()[rows[begin]]})) break;
      const auto part = std::span(rows).subspan(begin, std::min(slice, rows.size() - begin));
      KVASIR_CHECK_OK(scan_rows(*scanned.block, part, runner));
    }
    return {};
  }

  Result<void> scan_rows(LogBlock& block, std::span<const std::uint32_t> rows, PipelineRunner& runner) {
    RowSet wanted(block.rows(), false);
    for (const auto row : rows) wanted.set(row);
    KVASIR_CHECK_OK(plan_.read_lines(block, wanted, lines_, context_));
    OperatorCounts* const counts = plan_.counts(ScanProfile::kResult);
    const OperatorTimer timer(counts);
    for (const auto row : rows) {
      const TimestampNs timestamp{block.timestamps()[row]};
      if (!top_.may_enter(timestamp)) break;
      if (given_before(timestamp, block, row)) continue;
      if (!runner.process(timestamp, lines_[row], block.metadata(row))) continue;
      ++context_.stats().lines_matched;
      count_rows(counts, 1, 1);
      KVASIR_CHECK_OK(offer(timestamp, block.sequence(row), runner));
    }
    return {};
  }

  bool given_before(TimestampNs timestamp, const LogBlock& block, std::size_t row) const {
    if (!request_.after) return false;
    const auto order = timestamp != request_.after->timestamp ? timestamp <=> request_.after->timestamp
                                                              : block.sequence(row) <=> request_.after->sequence;
    return forward() ? order <= 0 : order >= 0;
  }

  Result<void> offer(TimestampNs timestamp, std::uint64_t sequence, const PipelineRunner& runner) {
    LogRow row;
    row.entry.timestamp = timestamp;
    row.entry.sequence = sequence;
    row.entry.line = runner.line();
    for (const auto& key : request_.order) row.keys.push_back(key_text(key.field, row.entry, runner));
    if (!filter_.empty() && !filter_.keeps(runner.final_labels())) return {};
    auto found = sets_.of(runner);
    row.labels = std::move(found.labels);
    row.bytes = sizeof(LogRow) + row.entry.line.size() + found.new_bytes;
    for (const auto& key : row.keys) row.bytes += sizeof(std::string) + key.size();
    if (request_.categorize) {
      row.entry.structured_metadata = runner.labels_of(LabelCategory::kMetadata);
      row.entry.parsed = runner.labels_of(LabelCategory::kParsed);
      row.bytes += (row.entry.structured_metadata.size() + row.entry.parsed.size()) * kLabelBytes;
    }
    return top_.offer(std::move(row));
  }

  static std::string key_text(const std::string& field, const ResultEntry& entry, const PipelineRunner& runner) {
    if (field == "timestamp") return std::to_string(entry.timestamp.value);
    if (field == "line") return entry.line;
    return std::string(runner.label(field).value_or(std::string_view()));
  }

  const ScanPlan& plan_;
  const LogScanRequest& request_;
  TopRows& top_;
  QueryContext& context_;
  PipelineRunner full_;
  PipelineRunner rest_;
  const StageMeter meter_;
  RowFilter filter_;
  std::unique_ptr<FieldSelector> fields_;
  std::vector<std::string_view> lines_;
  LabelSets sets_;
};

}  // namespace

namespace {

/// The digits of a whole number without zeros in front.
std::optional<std::string_view> whole_number(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
  return text;
}

}  // namespace

std::strong_ordering compare_field_texts(std::string_view a, std::string_view b) {
  // Ids and nanoseconds have more digits than a double.
  const auto m = whole_number(a);
  const auto n = whole_number(b);
  if (m && n) return m->size() != n->size() ? m->size() <=> n->size() : *m <=> *n;
  const auto x = stats_number(a);
  const auto y = stats_number(b);
  if (x && y && *x != *y) return *x < *y ? std::strong_ordering::less : std::strong_ordering::greater;
  if (x && y) return std::strong_ordering::equal;
  if (x || y) return x ? std::strong_ordering::less : std::strong_ordering::greater;
  return a <=> b;
}

Result<LogScanResult> scan_logs(const LogScanRequest& request, const QueryParams& params, LogSource& source,
                                QueryContext& context) {
  KVASIR_TRY(const auto plan, ScanPlan::build(request.scan, params, source, context));
  if (request.limit == 0) return LogScanResult();
  const RowOrder order(request.order, request.scan.direction);
  TopRows top(order, request, plan->pushdowns().early_stop, context.budget());
  const bool forward = request.scan.direction == Direction::kForward;
  std::atomic<std::size_t> next{0};
  const auto& units = plan->units();
  const std::size_t workers = worker_count(context.limits().parallelism, units.size());
  KVASIR_CHECK_OK(run_workers(workers, [&](std::size_t) -> Result<void> {
    LogWorker worker(*plan, request, top, context);
    KVASIR_CHECK_OK(worker.start());
    for (std::size_t i = next++; i < units.size(); i = next++) {
      if (!top.may_enter(forward ? units[i].first : units[i].last)) break;
      KVASIR_CHECK_OK(worker.scan(units[i]));
    }
    return {};
  }));
  return top.take();
}

}  // namespace kvasir::logql
