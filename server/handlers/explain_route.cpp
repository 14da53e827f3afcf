#include "server/handlers/explain_route.h"

#include <algorithm>

#include "common/json_writer.h"
#include "logql/query_profile.h"
#include "logql/syntax/parser.h"
#include "logql/syntax/printer.h"
#include "server/answer.h"
#include "server/handlers/query_route.h"
#include "server/params.h"
#include "server/query_service.h"

namespace kvasir::server {
namespace {

using logql::OperatorCounts;
using logql::ScanProfile;

/// Operators that answer for blocks or rows instead of handing them on.
bool is_short_cut(ScanProfile::Operator op) {
  return op == ScanProfile::kFooters || op == ScanProfile::kTimes || op == ScanProfile::kColumns;
}

class Explanation {
 public:
  explicit Explanation(std::string& body) : writer_(body) {}

  void write(const logql::Expr& expr, const logql::QueryProfile& profile, const QueryOutcome& outcome) {
    writer_.begin_object().key("status").string("success").key("data").begin_object();
    writer_.key("query").string(logql::print(expr)).key("operators").begin_array();
    for (const auto& scan : profile.scans()) write_scan(scan);
    write_answer(logql::print(expr), outcome);
    writer_.end_array().end_object().end_object();
  }

 private:
  void write_scan(const ScanProfile& scan) {
    for (int i = ScanProfile::kSelect; i <= ScanProfile::kLines; ++i) {
      const auto op = static_cast<ScanProfile::Operator>(i);
      const OperatorCounts& counts = scan.operators[i];
      if (op == ScanProfile::kSelect || counts.blocks_in > 0 || counts.rows_in > 0) write_operator(scan, op, counts);
    }
    std::uint64_t stages_ns = 0;
    for (std::size_t i = 0; i < scan.stages.size(); ++i) {
      const OperatorCounts& stage = scan.stages[i];
      stages_ns += stage.cpu_ns;
      if (stage.rows_in == 0) continue;
      begin_operator("stage", scan.stage_names[i]);
      write_rows(stage);
      writer_.key("bytes").unsigned_integer(stage.bytes);
      end_operator(stage.cpu_ns);
    }
    const OperatorCounts& result = scan.operators[ScanProfile::kResult];
    if (result.rows_in == 0) return;
    begin_operator("result", scan.selector);
    writer_.key("rowsIn").unsigned_integer(result.rows_in);
    end_operator(result.cpu_ns - std::min<std::uint64_t>(stages_ns, result.cpu_ns));  // the stages run within it
  }

  void write_operator(const ScanProfile& scan, ScanProfile::Operator op, const OperatorCounts& counts) {
    begin_operator(ScanProfile::name(op), scan.selector);
    if (counts.blocks_in > 0 || op == ScanProfile::kSelect) {
      writer_.key("blocksIn").unsigned_integer(counts.blocks_in);
      writer_.key(is_short_cut(op) ? "blocksAnswered" : "blocks").unsigned_integer(counts.blocks_out);
    }
    if (op == ScanProfile::kSelect) {
      writer_.key("blocksPruned").unsigned_integer(counts.blocks_in - counts.blocks_out);
      writer_.key("rows").unsigned_integer(counts.rows_out);
    } else if (counts.rows_in > 0) {
      write_rows(counts);
    }
    if (op == ScanProfile::kColumns) writer_.key("rowsLeft").unsigned_integer(counts.rows_left);
    if (op == ScanProfile::kLines) writer_.key("bytes").unsigned_integer(counts.bytes);
    end_operator(counts.cpu_ns);
  }

  void write_rows(const OperatorCounts& counts) {
    writer_.key("rowsIn").unsigned_integer(counts.rows_in).key("rows").unsigned_integer(counts.rows_out);
  }

  void write_answer(const std::string& query, const QueryOutcome& outcome) {
    const auto* streams = std::get_if<logql::Streams>(&outcome.result);
    begin_operator(streams != nullptr ? "limit" : "evaluate", query);
    if (const auto* matrix = std::get_if<logql::Matrix>(&outcome.result)) write_series(matrix->series);
    if (const auto* vector = std::get_if<logql::Vector>(&outcome.result)) write_series(vector->series);
    const StatsSummary& stats = outcome.stats;
    if (streams != nullptr) writer_.key("rows").unsigned_integer(stats.entries_returned);
    writer_.key("blocks").unsigned_integer(stats.blocks_selected);
    writer_.key("blocksOpened").unsigned_integer(stats.blocks_opened);
    writer_.key("linesRead").unsigned_integer(stats.lines_processed);
    writer_.key("bytesRead").unsigned_integer(stats.bytes_processed);
    writer_.key("seconds").number(stats.exec_seconds).end_object();
  }

  void write_series(const std::vector<logql::Series>& series) {
    std::uint64_t points = 0;
    for (const auto& one : series) points += one.points.size();
    writer_.key("series").unsigned_integer(series.size()).key("points").unsigned_integer(points);
  }

  void begin_operator(std::string_view kind, std::string_view text) {
    writer_.begin_object().key("operator").string(kind).key("text").string(text);
  }
  void end_operator(std::uint64_t cpu_ns) {
    writer_.key("cpuSeconds").number(static_cast<double>(cpu_ns) / 1e9).end_object();
  }

  JsonWriter writer_;
};

net::HttpResponse explain(const Services& services, QueryExchange& exchange) {
  const auto range = parse_range_params(exchange.params, services.clock.now());
  if (!range) return refused(exchange, bare_error(range.error()));
  logql::QueryProfile profile;
  QueryCall call = query_call(exchange, "explain");
  call.may_use_cache = false;
  call.profile = &profile;
  fill_range(call.params, *range);
  const auto outcome = QueryService(services).run(call);
  if (!outcome) return bare_error(outcome.error());
  const auto expr = logql::parse_query(range->query);
  if (!expr) return bare_error(expr.error());
  std::string body;
  Explanation(body).write(**expr, profile, *outcome);
  body += '\n';
  return json_answer(exchange.request, std::move(body), services.config.querier.compress_responses);
}

}  // namespace

void add_explain_route(net::HttpServer& server, const Services& services) {
  add_query_route(server, services, "/api/v1/explain",
                  QueryHandler([&services](QueryExchange& exchange) { return explain(services, exchange); }));
}

}  // namespace kvasir::server
