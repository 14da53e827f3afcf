#include "server/handlers/entry_routes.h"

#include <algorithm>

#include "server/answer.h"
#include "server/encode_result.h"
#include "server/handlers/query_route.h"
#include "server/params.h"
#include "server/query_service.h"
#include "server/read_policy.h"

namespace kvasir::server {
namespace {

using Rows = std::vector<logql::PagedRow>;

constexpr std::uint32_t kContextLines = 10;
constexpr std::uint32_t kContextLinesMax = 5000;
constexpr Duration kContextWindow = std::chrono::hours(24);  // how far from the entry its neighbours are looked for
constexpr std::uint64_t kContextBytesMax = 64 << 20;

struct ContextRequest {
  EntryPosition position;
  std::uint32_t before = kContextLines;
  std::uint32_t after = kContextLines;
  std::string query;      // whose lines are the neighbours; empty: those of the entry's stream
};

/// As parse_limit, but none is a number too.
Result<std::uint32_t> parse_count(const net::HttpParams& params, const char* name) {
  if (params.value_or_empty(name) == "0") return 0;
  KVASIR_TRY(const std::uint32_t count, parse_limit(params, name, kContextLines));
  return std::min(count, kContextLinesMax);
}

Result<ContextRequest> parse_request(const QueryExchange& exchange) {
  if (exchange.tenants.several) return fail(ErrorCode::kInvalidArgument, "a cursor belongs to one tenant");
  ContextRequest request;
  KVASIR_TRY(request.position, logql::parse_cursor(exchange.request.path_params.value_or_empty("cursor")));
  KVASIR_TRY(request.before, parse_count(exchange.params, "before"));
  KVASIR_TRY(request.after, parse_count(exchange.params, "after"));
  request.query = exchange.params.value_or_empty("query");
  return request;
}

struct Slice {
  std::string query;
  TimeRange range;
  logql::Direction direction = logql::Direction::kForward;
  std::uint32_t limit = 0;
  std::optional<EntryPosition> after;
  bool every_stream = false;   // the query is our own {}
};

Result<Rows> read_slice(const Services& services, const QueryExchange& exchange, const Slice& slice) {
  if (slice.limit == 0) return Rows();
  QueryCall call = query_call(exchange, "entry");
  call.check_limits = call.check_selectors = false;
  call.may_select_all = slice.every_stream;
  call.params.query = slice.query;
  call.params.start = slice.range.begin;
  call.params.end = slice.range.end;
  call.params.direction = slice.direction;
  call.params.limit = slice.limit;
  call.params.categorize_labels = true;
  KVASIR_TRY(const auto pages, QueryService(services).open_pages(call, kContextBytesMax, slice.after));
  if (pages == nullptr) return fail(ErrorCode::kInvalidArgument, "the query of a context gives log lines");
  KVASIR_TRY(logql::LogPage page, pages->next());
  return std::move(page.rows);
}

/// The entry itself; an empty optional if there is none at that place.
Result<std::optional<logql::PagedRow>> find_entry(const Services& services, const QueryExchange& exchange,
                                                  EntryPosition position) {
  Slice slice{"{}", {position.timestamp, position.timestamp + Duration(1)}, logql::Direction::kForward, 1, {}, true};
  if (position.sequence > 0) slice.after = EntryPosition{position.timestamp, position.sequence - 1};
  KVASIR_TRY(Rows rows, read_slice(services, exchange, slice));
  if (rows.empty() || rows.front().entry.sequence != position.sequence) return std::nullopt;
  return std::move(rows.front());
}

void append_rows(std::string& body, const char* name, const Rows& rows) {
  body += ",\"" + std::string(name) + "\":[";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) body += ',';
    append_entry_object(body, rows[i].entry, *rows[i].labels, {.categorize = true, .cursor = true});
  }
  body += ']';
}

/// A selector of the entry's stream, as far as the caller may name its labels.
std::string stream_selector(const Labels& shown, const ReadPolicy* policy) {
  if (policy == nullptr) return shown.to_string();
  Labels named;
  for (const auto& label : shown) {
    if (!policy->mask.hides(label.name)) named.set(label.name, label.value);
  }
  return named.to_string();
}

Result<std::string> entry_with_context(const Services& services, const QueryExchange& exchange) {
  KVASIR_TRY(const ContextRequest request, parse_request(exchange));
  KVASIR_TRY(const auto entry, find_entry(services, exchange, request.position));
  if (!entry) return fail(ErrorCode::kNotFound, "no such entry");
  const std::string query = request.query.empty()
                                ? stream_selector(*entry->labels, exchange.tenants.policy.get())
                                : request.query;
  const TimestampNs at = request.position.timestamp;
  KVASIR_TRY(Rows before, read_slice(services, exchange,
                                     {query,
                                      {at - kContextWindow, at + Duration(1)},
                                      logql::Direction::kBackward,
                                      request.before,
                                      request.position,
                                      false}));
  KVASIR_TRY(
      const Rows after,
      read_slice(
          services, exchange,
          {query, {at, at + kContextWindow}, logql::Direction::kForward, request.after, request.position, false}));
  std::reverse(before.begin(), before.end());
  std::string body = "{\"status\":\"success\",\"data\":{\"entry\":";
  append_entry_object(body, entry->entry, *entry->labels, {.categorize = true, .cursor = true});
  append_rows(body, "before", before);
  append_rows(body, "after", after);
  body += "}}\n";
  return body;
}

}  // namespace

void add_entry_routes(net::HttpServer& server, const Services& services) {
  add_query_route(server, services, "/api/v1/entry/{cursor}", QueryHandler([&services](QueryExchange& exchange) {
                    auto body = entry_with_context(services, exchange);
                    if (!body) return refused(exchange, bare_error(body.error()));
                    return json_answer(exchange.request, std::move(*body), services.config.querier.compress_responses);
                  }));
}

}  // namespace kvasir::server
