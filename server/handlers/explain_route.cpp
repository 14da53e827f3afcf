#include "server/handlers/explain_route.h"

#include <algorithm>

#include "common/json_writer.h"
#include "logql/syntax/parser.h"
#include "logql/syntax/printer.h"
#include "server/answer.h"
#include "server/handlers/query_route.h"
#include "server/params.h"
#include "server/query_readings.h"
#include "server/query_service.h"

namespace kvasir::server {
namespace {

struct Cost {
  std::uint64_t rows = 0;
  StatsSummary stats;
};

class Explanation {
 public:
  Explanation(const Services& services, const QueryExchange& exchange, const RangeParams& range)
      : services_(services), exchange_(exchange), range_(range) {}

  Result<std::string> run() {
    KVASIR_TRY(const logql::ExprPtr expr, logql::parse_query(range_.query));
    KVASIR_TRY(const QueryOutcome whole, run_whole());
    writer_.begin_object().key("status").string("success").key("data").begin_object();
    writer_.key("query").string(logql::print(*expr)).key("operators").begin_array();
    for (const auto& reading : collect_readings(*expr)) KVASIR_CHECK_OK(explain(reading));
    const auto* streams = std::get_if<logql::Streams>(&whole.result);
    begin_operator(streams != nullptr ? "limit" : "evaluate", logql::print(*expr));
    if (const auto* matrix = std::get_if<logql::Matrix>(&whole.result)) write_series(matrix->series);
    if (const auto* vector = std::get_if<logql::Vector>(&whole.result)) write_series(vector->series);
    if (streams != nullptr) writer_.key("rows").unsigned_integer(whole.stats.entries_returned);
    write_cost(whole.stats);
    writer_.end_array().end_object().end_object();
    return std::move(body_) + "\n";
  }

 private:
  QueryCall call(std::string query) const {
    QueryCall call;
    call.tenants = exchange_.tenants;
    call.route = "explain";
    call.peer = exchange_.request.peer;
    call.client = exchange_.client;
    fill_range(call.params, range_);
    call.params.query = std::move(query);
    return call;
  }

  Result<QueryOutcome> run_whole() const { return QueryService(services_).run(call(range_.query)); }

  /// The rows that a selector with some stages gives, over the whole range.
  Result<Cost> count(const Reading& reading, std::size_t stages) const {
    logql::LogQuery query;
    query.selector = *reading.selector;
    query.stages.assign(reading.stages->begin(), reading.stages->begin() + static_cast<std::ptrdiff_t>(stages));
    // Log queries read [start, end), windows of metrics (end - width, end]; ranges are written in whole milliseconds.
    const Duration exact = range_.bounds.end - range_.bounds.start + reading.before;
    const Duration width = std::chrono::ceil<std::chrono::milliseconds>(exact);
    const Duration excluded{reading.before.count() == 0 ? 1 : 0};
    if (width.count() <= 0) return Cost();
    // Lines that a parser stumbles over are rows too.
    const std::string lines = logql::print(query) + (stages > 0 ? " | drop __error__, __error_details__" : "");
    QueryCall counting = call("sum(count_over_time(" + lines + " [" + logql::print_range_duration(width) + "]))");
    counting.params.instant = true;
    counting.check_limits = counting.check_selectors = false;
    counting.params.start = counting.params.end = range_.bounds.end - reading.offset - excluded;
    KVASIR_TRY(const QueryOutcome outcome, QueryService(services_).run(counting));
    const auto* vector = std::get_if<logql::Vector>(&outcome.result);
    Cost cost{0, outcome.stats};
    if (vector != nullptr && !vector->series.empty())
      cost.rows = static_cast<std::uint64_t>(vector->series.front().points.front().value);
    return cost;
  }

  Result<void> explain(const Reading& reading) {
    Cost before;
    for (std::size_t stages = 0; stages <= reading.stages->size(); ++stages) {
      KVASIR_TRY(const Cost cost, count(reading, stages));
      const bool select = stages == 0;
      begin_operator(select ? "select" : "stage",
                     select ? logql::print(*reading.selector) : logql::print_stage((*reading.stages)[stages - 1]));
      writer_.key("rows").unsigned_integer(cost.rows);
      if (!select) writer_.key("rowsIn").unsigned_integer(before.rows);
      write_own(before.stats, cost.stats);
      write_cost(cost.stats);
      before = cost;
    }
    return {};
  }

  void begin_operator(std::string_view kind, std::string_view text) {
    writer_.begin_object().key("operator").string(kind).key("text").string(text);
  }

  void write_series(const std::vector<logql::Series>& series) {
    std::uint64_t points = 0;
    for (const auto& one : series) points += one.points.size();
    writer_.key("series").unsigned_integer(series.size()).key("points").unsigned_integer(points);
  }

  /// What this operator adds to those before it.
  void write_own(const StatsSummary& before, const StatsSummary& stats) {
    const std::uint64_t bytes = stats.bytes_processed - std::min(stats.bytes_processed, before.bytes_processed);
    writer_.key("ownBytes").unsigned_integer(bytes);
    writer_.key("ownSeconds").number(std::max(0.0, stats.exec_seconds - before.exec_seconds));
  }

  void write_cost(const StatsSummary& stats) {
    writer_.key("blocks")
        .unsigned_integer(stats.blocks_selected)
        .key("blocksOpened")
        .unsigned_integer(stats.blocks_opened);
    writer_.key("linesRead")
        .unsigned_integer(stats.lines_processed)
        .key("bytesRead")
        .unsigned_integer(stats.bytes_processed);
    writer_.key("seconds").number(stats.exec_seconds).end_object();
  }

  const Services& services_;
  const QueryExchange& exchange_;
  const RangeParams& range_;
  std::string body_;
  JsonWriter writer_{body_};
};

net::HttpResponse explain(const Services& services, QueryExchange& exchange) {
  const auto range = parse_range_params(exchange.params, services.clock.now());
  if (!range) return bare_error(range.error());
  auto body = Explanation(services, exchange, *range).run();
  if (!body) return bare_error(body.error());
  return json_answer(exchange.request, std::move(*body), services.config.querier.compress_responses);
}

}  // namespace

void add_explain_route(net::HttpServer& server, const Services& services) {
  add_query_route(server, services, "/api/v1/explain",
                  QueryHandler([&services](QueryExchange& exchange) { return explain(services, exchange); }));
}

}  // namespace kvasir::server
