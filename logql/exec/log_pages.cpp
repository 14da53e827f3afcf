#include "logql/log_pages.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "common/number.h"
#include "logql/exec/let_rewrite.h"
#include "logql/exec/log_scan.h"
#include "logql/syntax/parser.h"

namespace kvasir::logql {
namespace {

LogScanRequest plan_scan(const LogQuery& query, const QueryParams& params) {
  LogScanRequest scan;
  scan.scan = {.selector = &query.selector,
               .stages = query.stages,
               .range = {params.start, params.end},
               .direction = params.direction};
  scan.limit = params.limit;
  scan.categorize = params.categorize_labels;
  if (params.categorize_labels) scan.scan.options.grouping.kind = ResultGrouping::Kind::kStream;
  for (const auto& pipe : query.pipes) {
    if (const auto* limit = std::get_if<Limit>(&pipe)) scan.limit = std::min<std::size_t>(scan.limit, limit->count);
    if (const auto* filter = std::get_if<LabelFilter>(&pipe)) scan.filters.push_back(*filter);
    // The last order decides first.
    if (const auto* order = std::get_if<OrderBy>(&pipe)) {
      scan.order.insert(scan.order.begin(), order->keys.begin(), order->keys.end());
    }
  }
  if (!scan.order.empty() && scan.order.front().field == "timestamp") {
    scan.scan.direction = scan.order.front().descending ? Direction::kBackward : Direction::kForward;
    if (scan.order.size() == 1) scan.order.clear();
  }
  return scan;
}

}  // namespace

std::string format_cursor(EntryPosition position) {
  return std::to_string(position.timestamp.value) + "-" + std::to_string(position.sequence);
}

Result<EntryPosition> parse_cursor(std::string_view text) {
  const std::size_t dash = text.find('-', 1);  // a timestamp may be negative
  const auto timestamp = parse_int64(text.substr(0, dash));
  const auto sequence = dash == std::string_view::npos ? std::nullopt : parse_uint64(text.substr(dash + 1));
  if (!timestamp || !sequence) {
    return fail(ErrorCode::kInvalidArgument,
                "a cursor is <timestamp in ns>-<sequence>, not '" + std::string(text.substr(0, 64)) + "'");
  }
  return EntryPosition{{*timestamp}, *sequence};
}

struct LogPager::State {
  QueryParams params;
  ExprPtr query;
  LogScanRequest scan;
  std::uint64_t page_bytes;
  std::size_t left;                       // entries that may still be given
  std::optional<TimestampNs> last_kept;   // of `interval`

  bool sorted_by_field() const { return !scan.order.empty(); }
  void thin_out(std::vector<PagedRow>& rows);
  LogPage page_of(LogScanResult found);
};

Result<std::unique_ptr<LogPager>> LogPager::open(QueryParams params, std::uint64_t page_bytes,
                                                 std::optional<EntryPosition> after) {
  KVASIR_TRY(const ExprPtr parsed, parse_query(params.query));
  const ExprPtr expr = resolve_let(parsed);
  if (!is_log_query(*expr)) return std::unique_ptr<LogPager>();
  return std::make_unique<LogPager>(std::move(params), expr, page_bytes, after);
}

LogPager::LogPager(QueryParams params, ExprPtr query, std::uint64_t page_bytes, std::optional<EntryPosition> after)
    : state_(std::make_unique<State>()) {
  state_->params = std::move(params);
  state_->query = std::move(query);
  state_->scan = plan_scan(std::get<LogQuery>(state_->query->node), state_->params);
  state_->scan.after = after;
  state_->page_bytes = page_bytes;
  state_->left = state_->scan.limit;
}

LogPager::~LogPager() = default;

Result<LogPage> LogPager::next(LogSource& source, QueryContext& context) {
  State& state = *state_;
  auto& range = state.scan.scan.range;
  if (state.scan.after && !state.sorted_by_field()) {
    const TimestampNs reached = state.scan.after->timestamp;
    if (state.scan.scan.direction == Direction::kForward) range.begin = std::max(range.begin, reached);
    else range.end = std::min(range.end, TimestampNs{reached.value + 1});
  }
  state.scan.limit = state.left;
  state.scan.bytes_max = state.sorted_by_field() ? 0 : state.page_bytes;
  KVASIR_TRY(LogScanResult found, scan_logs(state.scan, state.params, source, context));
  LogPage page = state.page_of(std::move(found));
  context.stats().entries_returned += page.rows.size();
  return page;
}

LogPage LogPager::State::page_of(LogScanResult found) {
  LogPage page;
  page.ordered_by_field = sorted_by_field();
  left -= found.rows.size();
  if (found.full && !found.rows.empty() && !page.ordered_by_field) {
    const auto& end = found.rows.back().entry;
    page.resume = scan.after = EntryPosition{end.timestamp, end.sequence};
    page.last = left == 0;
  }
  page.rows.reserve(found.rows.size());
  for (auto& row : found.rows) page.rows.push_back({std::move(row.entry), std::move(row.labels)});
  if (params.interval.count() > 0 && !page.ordered_by_field) thin_out(page.rows);
  return page;
}

/// Entries that are at least `interval` apart, over all streams. The limit was applied before: clients know it so.
void LogPager::State::thin_out(std::vector<PagedRow>& rows) {
  std::erase_if(rows, [&](const PagedRow& row) {
    const bool far = !last_kept || std::chrono::abs(row.entry.timestamp - *last_kept) >= params.interval;
    if (far) last_kept = row.entry.timestamp;
    return !far;
  });
}

Streams group_streams(LogPage page) {
  Streams result;
  if (page.ordered_by_field) {
    // The streams, one after the other, read in the order of the field.
    for (auto& row : page.rows) {
      if (result.streams.empty() || result.streams.back().labels != *row.labels)
        result.streams.push_back({*row.labels, {}});
      result.streams.back().entries.push_back(std::move(row.entry));
    }
    return result;
  }
  std::map<std::string, ResultStream> by_text;
  std::unordered_map<const Labels*, ResultStream*> known;
  for (auto& row : page.rows) {
    ResultStream*& stream = known[row.labels.get()];
    if (stream == nullptr) {
      stream = &by_text[row.labels->to_string()];
      stream->labels = *row.labels;
    }
    stream->entries.push_back(std::move(row.entry));
  }
  for (auto& [text, stream] : by_text) result.streams.push_back(std::move(stream));
  return result;
}

}  // namespace kvasir::logql
