#include "server/handlers/tail_routes.h"

#include <algorithm>

#include "common/log.h"
#include "common/number.h"
#include "logql/syntax/parser.h"
#include "server/answer.h"
#include "server/audit.h"
#include "server/encoding_flags.h"
#include "server/params.h"
#include "server/query_service.h"

namespace kvasir::server {
namespace {

constexpr std::uint16_t kServerError = 1011;
constexpr std::int64_t kDelaySecondsMax = 5;
constexpr std::uint64_t kHistoryBytesMax = 16 << 20;

struct TailRequest {
  std::string query;
  TimestampNs start;
  std::uint32_t limit = kDefaultLimit;
  std::optional<EntryPosition> after;  // the last entry that an earlier tail gave
  TailOptions options;
};

Result<TailRequest> parse_tail(const Services& services, const net::HttpRequest& request, bool legacy) {
  KVASIR_TRY(const net::HttpParams params, merged_params(request));
  TailRequest tail;
  tail.query = params.value_or_empty("query");
  KVASIR_TRY(const logql::ExprPtr expr, logql::parse_query(tail.query));
  (void)expr;
  KVASIR_TRY(tail.limit, parse_limit(params, "limit", kDefaultLimit));
  KVASIR_TRY(tail.start,
             parse_bounds(params, services.clock.now()).map([](const TimeBounds& bounds) { return bounds.start; }));
  if (const auto delay = params.value_or_empty("delay_for"); !delay.empty()) {
    const auto seconds = parse_int64(delay);
    if (!seconds)
      return fail(ErrorCode::kInvalidArgument, "strconv.Atoi: parsing \"" + std::string(delay) + "\": invalid syntax");
    if (*seconds > kDelaySecondsMax) return fail(ErrorCode::kInvalidArgument, "delay_for can't be greater than 5");
    tail.options.delay = std::chrono::seconds(std::max<std::int64_t>(*seconds, 0));
  }
  tail.options.cursors = params.has("cursor");
  if (const auto cursor = params.value_or_empty("cursor"); !cursor.empty()) {
    KVASIR_TRY(tail.after, logql::parse_cursor(cursor));
    tail.start = tail.after->timestamp;
  }
  tail.options.encoding_flags = encoding_flags(request);
  if (asks_for_categories(tail.options.encoding_flags)) tail.options.form = TailForm::kCategorized;
  if (legacy) tail.options.form = TailForm::kLegacy;
  tail.options.begun = services.clock.steady();
  tail.options.deadline = tail.options.begun + services.config.querier.tail_max_duration;
  return tail;
}

/// Everything after an entry, up to the limit.
Result<TailHistory> read_after(const Services& services, QueryCall call, EntryPosition after) {
  call.params.direction = logql::Direction::kForward;
  KVASIR_TRY(const auto pages, QueryService(services).open_pages(call, kHistoryBytesMax, after));
  if (pages == nullptr) return fail(ErrorCode::kInvalidArgument, "only log selector is supported");
  KVASIR_TRY(logql::LogPage page, pages->next());
  TailHistory history;
  history.more = page.resume.has_value();
  for (auto& row : page.rows) history.entries.push_back({*row.labels, std::move(row.entry)});
  return history;
}

/// The newest entries of [start, now), oldest first; or those after the cursor.
Result<TailHistory> read_history(const Services& services, const QueryTenants& tenants,
                                            const TailRequest& tail, std::stop_token stop) {
  QueryCall call;
  call.tenants = tenants;
  call.route = "tail_history";
  call.peer = tail.options.peer;
  call.client = std::move(stop);
  call.check_limits = false;
  call.params.query = tail.query;
  call.params.start = tail.start;
  call.params.end = std::max(services.clock.now(), tail.start);
  call.params.limit = tail.limit;
  call.params.categorize_labels = tail.options.form == TailForm::kCategorized;
  if (tail.after) return read_after(services, std::move(call), *tail.after);
  KVASIR_TRY(QueryOutcome outcome, QueryService(services).run(call));
  TailHistory history;
  auto& entries = history.entries;
  for (auto& stream : std::get<logql::Streams>(outcome.result).streams) {
    for (auto& entry : stream.entries) entries.push_back({stream.labels, std::move(entry)});
  }
  std::sort(entries.begin(), entries.end(), [](const TailEntry& a, const TailEntry& b) {
    return std::pair(a.entry.timestamp, a.entry.sequence) < std::pair(b.entry.timestamp, b.entry.sequence);
  });
  return history;
}

void begin_tail(const Services& services, TailHub& hub, const QueryTenants& tenants, const TailRequest& tail,
                const std::shared_ptr<net::WebSocketSession>& socket) {
  const RequestContext& context = tenants.tenants.front();
  const auto query = logql::parse_log_query(tail.query);
  if (!query || query->has_stats() || !query->pipes.empty())
    return socket->close(kServerError, "only log selector is supported");
  auto session = TailSession::create(tail.options, *query, services.store);
  if (!session) return socket->close(kServerError, session.error().message());
  (*session)->attach(socket);
  const std::int64_t most = context.settings->query.max_concurrent_tail_requests;
  if (!hub.add(*session, most)) {
    return socket->close(
        kServerError,
        "rpc error: code = Code(400) desc = max concurrent tail requests limit exceeded, count > limit (" +
            std::to_string(hub.count(context.tenant) + 1) + " > " + std::to_string(most) + ")");
  }
  QueryJob job;
  job.run = [&services, tenants, tail, session = *session, socket](Duration) {
    auto history = read_history(services, tenants, tail, socket->stop_token());
    if (!history) return socket->close(kServerError, history.error().message());
    session->begin_live(std::move(*history));
  };
  job.on_dropped = [socket] { socket->close(kServerError, "the server is stopping"); };
  if (!services.scheduler.submit(context.tenant, std::move(job)))
    socket->close(kServerError, "too many outstanding requests");
}

void handle_tail(const Services& services, TailHub& hub, const net::HttpRequest& request, net::HttpReply& reply,
                 bool legacy) {
  const auto tenants = services.gate.query_tenants(request, reply);
  if (!tenants) return;
  if (tenants->several) return reply.send(bare_error(400, "multiple org IDs present"));
  auto tail = parse_tail(services, request, legacy);
  if (!tail) {
    audit({"tail refused", tenants->tenants.front().tenant, tenants->caller, request.peer, 400},
          {{"query", std::string(request.params.value_or_empty("query").substr(0, kAuditedTextMax))}, {"reason", tail.error().message()}});
    return reply.send(bare_error(tail.error()));
  }
  const RequestContext& context = tenants->tenants.front();
  tail->options.tenant = context.tenant;
  tail->options.query = tail->query;
  tail->options.caller = tenants->caller;
  tail->options.peer = request.peer;
  tail->options.policy = tenants->policy;
  tail->options.field_selectors = context.settings->query.field_selectors;
  const auto socket = reply.upgrade({});
  if (socket != nullptr) begin_tail(services, hub, *tenants, *tail, socket);
}

}  // namespace

void add_tail_routes(net::HttpServer& server, const Services& services, TailHub& hub) {
  for (const bool legacy : {false, true}) {
    net::HttpRoute route;
    route.methods = {"GET", "POST"};
    route.pattern = legacy ? "/api/prom/tail" : "/loki/api/v1/tail";
    route.pool = "admin";
    route.handler = [&services, &hub, legacy](net::HttpRequest request, std::shared_ptr<net::HttpReply> reply) {
      handle_tail(services, hub, request, *reply, legacy);
    };
    server.add(std::move(route));
  }
}

}  // namespace kvasir::server
