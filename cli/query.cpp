// query.cpp -- query (paged over batches), instant-query and tail.
#include <iostream>
#include <set>
#include <tuple>

#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/query_shape.h"
#include "common/number.h"
#include "logql/syntax/parser.h"

namespace kvasir::cli {
namespace {

constexpr int kTailRetriesMax = 5;
constexpr std::uint16_t kAbnormalClosure = 1006;

net::HttpParams range_params(const QueryFlags& flags, TimeRange range, std::uint32_t limit) {
  net::HttpParams params;
  params.add("direction", flags.forward ? "FORWARD" : "BACKWARD");
  params.add("end", std::to_string(range.end.value));
  params.add("limit", std::to_string(limit));
  params.add("query", flags.query);
  params.add("start", std::to_string(range.begin.value));
  if (!flags.step.empty()) params.add("step", flags.step);
  if (!flags.interval.empty()) params.add("interval", flags.interval);
  return params;
}

void print_warnings(const QueryAnswer& answer, const QueryFlags& flags) {
  for (const auto& warning : answer.warnings) std::cerr << "warning: " << warning << "\n";
  if (flags.statistics) std::cerr << answer.statistics << "\n";
}

// Pages through [range) a batch at a time. A Kvasir server says where the next page begins. With any other,
// neighbouring pages share the boundary instant, whose entries are remembered so that none is printed twice and none is
// missed.
class Pager {
 public:
  Pager(Connection& connection, const QueryFlags& flags, TimeRange range)
      : connection_(connection), flags_(flags), range_(range), printer_(flags.print, std::cout), left_(flags.limit) {}

  /// True when there may be more.
  Result<bool> next() {
    const std::uint32_t wanted = flags_.limit == 0 ? flags_.batch : std::min(flags_.batch, left_);
    const auto asked = static_cast<std::uint32_t>(wanted + boundary_.size());
    auto params = range_params(flags_, range_, asked);
    params.add("cursor", cursor_);
    KVASIR_TRY(const auto body, connection_.get("/loki/api/v1/query_range", params));
    KVASIR_TRY(const auto answer, read_query_answer(body));
    print_warnings(answer, flags_);
    const auto* streams = std::get_if<logql::Streams>(&answer.result);
    if (streams == nullptr) {
      print_metric(answer.result, flags_.print, std::cout);
      return false;
    }
    if (first_page_) printer_.set_common_labels(streams->streams, std::cerr);
    first_page_ = false;
    const auto entries = in_order(streams->streams, flags_);
    if (answer.cursor) return print_page(entries, *answer.cursor);
    const std::size_t printed = print_new(entries);
    if (entries.size() < asked || printed == 0) return false;
    move_range(entries.back().entry->timestamp);
    return flags_.limit == 0 || left_ > 0;
  }

 private:
  using Seen = std::tuple<std::int64_t, std::string, std::string>;  // time, labels, line

  static Seen identity(const PrintEntry& item) {
    return {item.entry->timestamp.value, item.labels->to_string(), item.entry->line};
  }

  bool print_page(const std::vector<PrintEntry>& entries, const std::string& next) {
    for (const auto& item : entries) printer_.print(item);
    left_ -= static_cast<std::uint32_t>(std::min<std::size_t>(entries.size(), left_));
    cursor_ = next;
    return !cursor_.empty() && (flags_.limit == 0 || left_ > 0);
  }

  std::size_t print_new(const std::vector<PrintEntry>& entries) {
    std::size_t printed = 0;
    for (const auto& item : entries) {
      if (boundary_.contains(identity(item))) continue;
      printer_.print(item);
      ++printed;
    }
    const auto edge = entries.empty() ? TimestampNs{} : entries.back().entry->timestamp;
    std::erase_if(boundary_, [&](const Seen& seen) { return std::get<0>(seen) != edge.value; });
    for (const auto& item : entries) {
      if (item.entry->timestamp == edge) boundary_.insert(identity(item));
    }
    left_ -= static_cast<std::uint32_t>(std::min<std::size_t>(printed, left_));
    return printed;
  }

  void move_range(TimestampNs edge) {
    if (flags_.forward) {
      range_.begin = edge;
    } else {
      range_.end = edge + Duration(1);
    }
  }

  Connection& connection_;
  const QueryFlags& flags_;
  TimeRange range_;
  EntryPrinter printer_;
  std::uint32_t left_;
  std::string cursor_;       // empty on the first page
  std::set<Seen> boundary_;
  bool first_page_ = true;
};

struct TailState {
  EntryPrinter printer;
  TimestampNs last;
};

// Reads one connection to its end. True: it broke and may be opened again.
Result<bool> read_tail(net::WebSocketClient& socket, TailState& state) {
  while (true) {
    auto message = socket.read(std::chrono::seconds(10));
    if (!message && message.error().code() == ErrorCode::kDeadlineExceeded) continue;
    if (!message) return true;
    if (!*message) break;
    KVASIR_TRY(const auto frame, read_tail_frame(**message));
    for (const auto& item : in_time_order(frame.streams, true)) {
      state.printer.print(item);
      state.last = std::max(state.last, item.entry->timestamp);
    }
    std::cout.flush();
    if (frame.dropped_entries > 0) std::cerr << "warning: the server dropped " << frame.dropped_entries << " entries\n";
  }
  if (socket.close_code() == kAbnormalClosure) return true;
  if (!socket.close_reason().empty()) return fail(ErrorCode::kUnavailable, socket.close_reason());
  return false;
}

bool has_stats(const std::string& query) {
  const auto parsed = logql::parse_query(query);
  const auto* logs = parsed ? std::get_if<logql::LogQuery>(&(*parsed)->node) : nullptr;
  return logs != nullptr && logs->has_stats();
}

Result<void> print_answer(Connection& connection, const std::string& path, const net::HttpParams& params,
                          const QueryFlags& flags) {
  KVASIR_TRY(const auto body, connection.get(path, params));
  KVASIR_TRY(const auto answer, read_query_answer(body));
  print_warnings(answer, flags);
  print_metric(answer.result, flags.print, std::cout);
  return {};
}

/// Rows of a `stats` over the whole range.
Result<void> print_table(Connection& connection, const QueryFlags& flags, TimeRange range) {
  net::HttpParams params;
  params.add("query", flags.query);
  params.add("start", std::to_string(range.begin.value));
  params.add("end", std::to_string(range.end.value));
  params.add("table", "true");
  return print_answer(connection, "/loki/api/v1/query_range", params, flags);
}

}  // namespace

Result<void> run_query(Connection& connection, const QueryFlags& asked) {
  const QueryFlags flags = fitted_to_query(asked);
  KVASIR_TRY(const auto range, resolve_times(flags.times, system_clock()));
  if (has_stats(flags.query) && flags.step.empty()) return print_table(connection, flags, range);
  Pager pager(connection, flags, range);
  while (true) {
    KVASIR_TRY(const bool more, pager.next());
    std::cout.flush();
    if (!more) return {};
  }
}

Result<void> run_instant_query(Connection& connection, const QueryFlags& flags) {
  TimeFlags at{.from = "", .to = flags.now, .since = "1h"};
  KVASIR_TRY(const auto range, resolve_times(at, system_clock()));
  net::HttpParams params;
  params.add("direction", flags.forward ? "FORWARD" : "BACKWARD");
  params.add("limit", std::to_string(flags.limit));
  params.add("query", flags.query);
  params.add("time", std::to_string(range.end.value));
  if (has_stats(flags.query)) params.add("table", "true");
  return print_answer(connection, "/loki/api/v1/query", params, flags);
}

Result<void> run_tail(Connection& connection, const QueryFlags& flags) {
  KVASIR_TRY(const auto range, resolve_times(flags.times, system_clock()));
  TailState state{EntryPrinter(flags.print, std::cout), range.begin};
  for (int attempt = 0; attempt < kTailRetriesMax; ++attempt) {
    net::HttpParams params;
    if (flags.delay_for > 0) params.add("delay_for", std::to_string(flags.delay_for));
    params.add("limit", std::to_string(flags.limit));
    params.add("query", flags.query);
    params.add("start", std::to_string(state.last.value));
    auto socket = connection.websocket("/loki/api/v1/tail", params);
    if (!socket && attempt == 0) return fail(socket.error());
    if (!socket) continue;
    const TimestampNs before = state.last;
    KVASIR_TRY(const bool broke, read_tail(**socket, state));
    if (!broke) return {};
    if (state.last > before) attempt = 0;
    std::cerr << "warning: the connection broke, connecting again\n";
  }
  return fail(ErrorCode::kUnavailable, "the tail connection broke and could not be opened again");
}

}  // namespace kvasir::cli
