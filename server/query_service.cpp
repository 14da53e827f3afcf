#include "server/query_service.h"

#include <malloc.h>
#include <prometheus/gauge.h>

#include <algorithm>

#include "common/log.h"
#include "common/number.h"
#include "logql/syntax/parser.h"
#include "server/answer.h"
#include "server/cached_range.h"
#include "server/query_checks.h"
#include "server/request_limits.h"
#include "server/visible_store.h"

namespace kvasir::server {
namespace {

constexpr std::size_t kLoggedQueryBytesMax = 4096;
constexpr std::string_view kDrilldownTag = "Source=grafana-lokiexplore-app";

Unexpected bad(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

template <class T>
void keep_smaller_positive(T& into, const T& other) {
  if (other > T{} && (into <= T{} || other < into)) into = other;
}

logql::QueryResult empty_result(const QueryCall& call, const logql::Expr& expr) {
  if (logql::is_log_query(expr)) return logql::Streams{};
  if (call.params.instant) return logql::Vector{};
  return logql::Matrix{};
}

std::size_t series_count(const logql::QueryResult& result) {
  if (const auto* matrix = std::get_if<logql::Matrix>(&result)) return matrix->series.size();
  if (const auto* vector = std::get_if<logql::Vector>(&result)) return vector->series.size();
  return 0;
}

/// Logs Drilldown wants a part and a warning instead of an error.
void cut_series(QueryOutcome& outcome, std::uint32_t most) {
  if (most == 0 || series_count(outcome.result) <= most) return;
  if (auto* matrix = std::get_if<logql::Matrix>(&outcome.result)) matrix->series.resize(most);
  if (auto* vector = std::get_if<logql::Vector>(&outcome.result)) vector->series.resize(most);
  outcome.warnings.push_back("maximum number of series (" + std::to_string(most) +
                             ") reached for a single query; returning partial results");
}

std::string tenant_names(const QueryTenants& tenants) {
  std::string out;
  for (const auto& tenant : tenants.tenants) out += (out.empty() ? "" : "|") + tenant.tenant;
  return out;
}

/// False: the whole range is older than tenants may look back.
bool cut_to_lookback(logql::QueryParams& params, const QuerySettings& settings, TimestampNs now) {
  if (settings.max_query_lookback.count() <= 0) return true;
  const TimestampNs oldest = now - settings.max_query_lookback;
  if (params.end < oldest) return false;
  if (!params.instant) params.start = std::max(params.start, oldest);
  return true;
}

void apply_settings(logql::QueryParams& params, const QuerySettings& settings) {
  const auto& disabled = settings.disabled_pushdowns;
  const auto allowed = [&](std::string_view name) {
    return std::none_of(disabled.begin(), disabled.end(), [&](const auto& one) { return one == name || one == "all"; });
  };
  for (const auto& [name, flag] : logql::kPushdowns) params.pushdowns.*flag = allowed(name);
  params.align_steps = params.align_steps && settings.split_queries_by_interval.count() != 0;
}

logql::QueryLimits engine_limits(const QuerySettings& settings, bool any_series_count) {
  logql::QueryLimits limits;
  limits.series_max = any_series_count ? 0 : settings.max_query_series;
  limits.bytes_read_max =
      settings.max_query_bytes_read != 0 ? settings.max_query_bytes_read : settings.max_querier_bytes_read;
  limits.field_selectors = settings.field_selectors;
  limits.multi_variant_queries = settings.enable_multi_variant_queries;
  return limits;
}

Duration deadline_of(const QuerySettings& settings, Duration begun) {
  return settings.query_timeout.count() > 0 ? begun + settings.query_timeout : Duration::max();
}

std::unique_ptr<RunningQueries::Ticket> register_query(const Services& services, const QueryCall& call) {
  return services.running.start({0, tenant_names(call.tenants), call.params.query, call.route, call.peer, {}},
                                call.client);
}

struct Finished {
  std::string_view kind;
  Duration took;
  StatsSummary stats;
  const Error* error = nullptr;
};

/// Counts a query that has ended, and logs it if it took long.
void report(const Services& services, const QueryCall& call, const Finished& finished) {
  const auto& params = call.params;
  const int status = finished.error == nullptr ? 200 : status_of(*finished.error);
  services.metrics.observe_query(std::string(finished.kind), !params.instant, status,
                                 static_cast<double>(finished.took.count()) / 1e9, finished.stats.bytes_processed);
  if (finished.took < services.config.querier.log_queries_longer_than) return;
  log::info("query", finished.error == nullptr ? "query" : finished.error->message(),
            {{"tenant", tenant_names(call.tenants)},
             {"user", call.tenants.caller},
             {"route", call.route},
             {"type", std::string(finished.kind)},
             {"query", params.query.substr(0, kLoggedQueryBytesMax)},
             {"length", format_go_duration(params.end - params.start)},
             {"status", std::to_string(status)},
             {"duration", format_go_duration(finished.took)},
             {"queued", format_go_duration(call.queued)},
             {"bytes", std::to_string(finished.stats.bytes_processed)},
             {"lines", std::to_string(finished.stats.lines_processed)},
             {"blocks", std::to_string(finished.stats.blocks_opened)},
             {"tags", call.tags},
             {"peer", call.peer}});
}

/// The time range alone first: its error names it without ranges and offsets.
Result<void> check_lengths(const logql::Expr& expr, Duration between, const QuerySettings& settings) {
  KVASIR_CHECK_OK(check_query_length(between, settings));
  return check_query_length(query_length(expr, between), settings);
}

}  // namespace

std::string clean_query_tags(std::string_view header) {
  std::string out(header.substr(0, 1024));
  for (char& c : out) {
    const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("-=.@, ").find(c) != std::string_view::npos;
    if (!keep) c = '_';
  }
  return out;
}

QuerySettings effective_settings(const QueryTenants& tenants) {
  QuerySettings out = tenants.tenants.front().settings->query;
  for (std::size_t i = 1; i < tenants.tenants.size(); ++i) {
    const QuerySettings& other = tenants.tenants[i].settings->query;
    keep_smaller_positive(out.max_query_length, other.max_query_length);
    keep_smaller_positive(out.max_query_range, other.max_query_range);
    keep_smaller_positive(out.max_query_lookback, other.max_query_lookback);
    keep_smaller_positive(out.max_query_series, other.max_query_series);
    keep_smaller_positive(out.max_entries_limit_per_query, other.max_entries_limit_per_query);
    keep_smaller_positive(out.max_streams_matchers_per_query, other.max_streams_matchers_per_query);
    keep_smaller_positive(out.max_query_bytes_read, other.max_query_bytes_read);
    keep_smaller_positive(out.query_timeout, other.query_timeout);
    out.max_query_parallelism = std::min(out.max_query_parallelism, other.max_query_parallelism);
    out.minimum_labels_number = std::max(out.minimum_labels_number, other.minimum_labels_number);
    out.volume_enabled = out.volume_enabled && other.volume_enabled;
    out.required_labels.insert(out.required_labels.end(), other.required_labels.begin(), other.required_labels.end());
    out.blocked_queries.insert(out.blocked_queries.end(), other.blocked_queries.begin(), other.blocked_queries.end());
  }
  return out;
}

Result<void> check_query_length(Duration length, const QuerySettings& settings) {
  if (settings.max_query_length.count() <= 0 || length <= settings.max_query_length) return {};
  return bad("the query time range exceeds the limit (query length: " + format_go_duration(length) +
             ", limit: " + format_prometheus_duration(settings.max_query_length) + ")");
}

std::shared_ptr<logql::LogSource> QueryService::source_of(const QueryTenants& tenants) const {
  return VisibleStore(services_.store, tenants).source();
}

Result<logql::ExprPtr> QueryService::check(const QueryCall& call, QuerySettings& settings) const {
  const auto& params = call.params;
  if (!call.limits.empty()) KVASIR_CHECK_OK(tighten(settings, call.limits));
  KVASIR_TRY(logql::ExprPtr expr, logql::parse_query(params.query));
  KVASIR_CHECK_OK(check_blocked(*expr, params.query, call.tags, settings));
  if (!call.may_select_all) KVASIR_CHECK_OK(check_empty_selectors(*expr, settings));
  KVASIR_CHECK_OK(check_matcher_count(*expr, settings));
  const bool logs = logql::is_log_query(*expr);
  if (logs && !call.log_queries_allowed) {
    return bad(
        "log queries are not supported as an instant query type, please change your query to a range query type");
  }
  if (logs && call.check_limits) KVASIR_CHECK_OK(check_entry_limit(params.limit, settings));
  if (call.check_limits) KVASIR_CHECK_OK(check_lengths(*expr, params.end - params.start, settings));
  KVASIR_CHECK_OK(check_range_width(*expr, settings));
  if (call.check_selectors) KVASIR_CHECK_OK(check_required_labels(*expr, settings));
  return expr;
}

Result<QueryOutcome> QueryService::run(const QueryCall& call) const {
  QuerySettings settings = effective_settings(call.tenants);
  const Duration begun = services_.clock.steady();
  const auto checked = check(call, settings);
  Result<QueryOutcome> outcome =
      checked ? execute(call, settings, **checked) : Result<QueryOutcome>(fail(checked.error()));
  Finished finished{checked ? query_kind(**checked) : "unknown", services_.clock.steady() - begun};
  if (outcome) finished.stats = outcome->stats;
  else finished.error = &outcome.error();
  report(services_, call, finished);
  return outcome;
}

Result<std::unique_ptr<PagedQuery>> QueryService::open_pages(const QueryCall& call, std::uint64_t page_bytes,
                                                             std::optional<EntryPosition> after) const {
  QuerySettings settings = effective_settings(call.tenants);
  const auto checked = check(call, settings);
  if (!checked) {
    report(services_, call, {"unknown", {}, {}, &checked.error()});
    return fail(checked.error());
  }
  if (!logql::is_log_query(**checked)) return std::unique_ptr<PagedQuery>();
  logql::QueryParams params = call.params;
  params.tenant = call.tenants.tenants.front().tenant;
  apply_settings(params, settings);
  if (!cut_to_lookback(params, settings, services_.clock.now())) params.start = params.end;  // an empty answer
  KVASIR_TRY(auto pager, logql::LogPager::open(std::move(params), page_bytes, after));
  QueryCall with_kind = call;
  with_kind.kind = query_kind(**checked);
  return std::make_unique<PagedQuery>(services_, std::move(with_kind), settings, std::move(pager));
}

PagedQuery::PagedQuery(const Services& services, QueryCall call, const QuerySettings& settings,
                       std::unique_ptr<logql::LogPager> pager)
    : services_(services),
      call_(std::move(call)),
      settings_(settings),
      pager_(std::move(pager)),
      source_(QueryService(services).source_of(call_.tenants)),
      ticket_(register_query(services, call_)),
      budget_("query", 0, &services.query_budget) {
  services_.metrics.queries_in_progress().Increment();
}

PagedQuery::~PagedQuery() {
  services_.metrics.queries_in_progress().Decrement();
  report(services_, call_, {call_.kind, worked_, stats_, error_ ? &*error_ : nullptr});
}

Result<logql::LogPage> PagedQuery::next() {
  const Duration begun = services_.clock.steady();
  logql::QueryContext context(services_.clock, deadline_of(settings_, begun), ticket_->stop_token(), budget_,
                              engine_limits(settings_, false));
  auto page = pager_->next(*source_, context);
  const Duration took = services_.clock.steady() - begun;
  worked_ += took;
  stats_.add(summarise(context.stats(), took, worked_ == took ? call_.queued : Duration{0}));
  for (auto& warning : context.warnings()) {
    if (std::find(warnings_.begin(), warnings_.end(), warning) == warnings_.end()) warnings_.push_back(warning);
  }
  if (!page) error_ = page.error();
  else if (call_.in_order) page->ordered_by_field = true;
  return page;
}

Result<logql::QueryResult> QueryService::evaluate(const QueryCall& call, const logql::Expr& expr,
                                                  const logql::QueryParams& params,
                                                  logql::QueryContext& context) const {
  const auto source = source_of(call.tenants);
  const auto run = [&](const logql::QueryParams& part) { return logql::run_query(part, *source, context); };
  const bool cached = services_.results.enabled() && call.may_use_cache && !call.tenants.several &&
                      call.tenants.policy == nullptr && is_cacheable(expr, params);
  if (!cached) return run(params);
  KVASIR_TRY(logql::QueryResult result, CachedRange(services_, expr, params).run(run));
  // Parts may be small enough where the whole is not: the engine says so in its own words.
  const std::uint32_t most = context.limits().series_max;
  if (most != 0 && series_count(result) > most) return run(params);
  return result;
}

Result<QueryOutcome> QueryService::execute(const QueryCall& call, const QuerySettings& settings,
                                           const logql::Expr& expr) const {
  logql::QueryParams params = call.params;
  params.tenant = call.tenants.tenants.front().tenant;
  apply_settings(params, settings);
  QueryOutcome outcome{empty_result(call, expr), {}, {}};
  if (!cut_to_lookback(params, settings, services_.clock.now())) return outcome;
  const bool partial = call.tags.find(kDrilldownTag) != std::string::npos;
  const auto ticket = register_query(services_, call);
  const Duration begun = services_.clock.steady();
  MemoryBudget budget("query", 0, &services_.query_budget);
  logql::QueryContext context(services_.clock, deadline_of(settings, begun), ticket->stop_token(), budget,
                              engine_limits(settings, partial));
  context.set_profile(call.profile);
  services_.metrics.queries_in_progress().Increment();
  auto result = evaluate(call, expr, params, context);
  services_.metrics.queries_in_progress().Decrement();
  // What the query took lies free in malloc's arenas, where the threads of the next one may not find it.
  if (!result && result.error().code() == ErrorCode::kLimitExceeded) malloc_trim(0);
  if (!result) return fail(std::move(result).error());
  outcome.result = std::move(*result);
  outcome.stats = summarise(context.stats(), services_.clock.steady() - begun, call.queued);
  outcome.warnings = context.warnings();
  if (partial) cut_series(outcome, settings.max_query_series);
  return outcome;
}

}  // namespace kvasir::server
