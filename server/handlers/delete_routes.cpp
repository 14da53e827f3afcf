#include "server/handlers/delete_routes.h"

#include "common/json_writer.h"
#include "common/number.h"
#include "server/answer.h"
#include "server/audit.h"
#include "server/encode_result.h"
#include "server/tenant_settings.h"

namespace kvasir::server {
namespace {

Unexpected bad(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

/// Unix seconds of ten digits, or RFC 3339.
std::optional<TimestampNs> parse_delete_time(std::string_view text) {
  if (text.size() <= 10) {
    const auto seconds = parse_int64(text);
    if (seconds && text.size() == 10) return TimestampNs{*seconds * 1'000'000'000};
    return std::nullopt;
  }
  return parse_rfc3339(text);
}

struct DeleteParams {
  std::string query;
  TimestampNs start;
  TimestampNs end;
};

Result<void> check_max_interval(const net::HttpParams& params, const DeleteParams& request, Duration most) {
  const auto text = params.value_or_empty("max_interval");
  if (text.empty()) return {};
  const auto interval = parse_go_duration(text);
  if (!interval || interval->count() <= 0) return bad("invalid max_interval: valid time units are 's', 'm', 'h'");
  if (most.count() > 0 && *interval > most)
    return bad("max_interval can't be greater than " + format_go_duration(most));
  if (*interval > request.end - request.start) {
    return bad("max_interval can't be greater than the interval to be deleted (" +
               format_go_duration(request.end - request.start) + ")");
  }
  return {};
}

Result<DeleteParams> parse_delete(const Services& services, const net::HttpParams& params) {
  DeleteParams out;
  out.query = params.value_or_empty("query");
  if (out.query.empty()) return bad("query not set");
  const auto start = params.value_or_empty("start");
  if (start.empty()) return bad("start time not set");
  const auto from = parse_delete_time(start);
  if (!from) return bad("invalid start time: require unix seconds or RFC3339 format");
  out.start = *from;
  const TimestampNs now = services.clock.now();
  out.end = now;
  if (const auto end = params.value_or_empty("end"); !end.empty()) {
    const auto to = parse_delete_time(end);
    if (!to) return bad("invalid end time: require unix seconds or RFC3339 format");
    out.end = *to;
  }
  if (out.end > now) return bad("deletes in the future are not allowed");
  if (out.start >= out.end) return bad("start time can't be greater than or equal to end time");
  KVASIR_CHECK_OK(check_max_interval(params, out, services.config.compactor.delete_max_interval));
  return out;
}

net::HttpResponse no_content() {
  net::HttpResponse response;
  response.status = 204;
  return response;
}

net::HttpResponse create_request(const Services& services, DeleteRequests& deletes, const RequestContext& context,
                                 const net::HttpRequest& request) {
  auto params = parse_delete(services, request.params);
  if (!params) return plain_error(400, params.error().message());
  const auto id = deletes.create(context.tenant, params->query, params->start, params->end);
  const int status = id ? 204 : status_of(id.error());
  audit({"delete requested", context.tenant, context.caller, request.peer, status},
        {{"id", id ? *id : ""},
         {"query", params->query},
         {"range", format_rfc3339(params->start) + "/" + format_rfc3339(params->end)}});
  if (!id) return plain_error(status, id.error().message());
  auto response = no_content();
  response.headers.set("X-Delete-Request-Id", *id);
  return response;
}

net::HttpResponse list_requests(DeleteRequests& deletes, const RequestContext& context, const net::HttpParams& params) {
  const auto from = parse_delete_time(params.value_or_empty("start"));
  const auto to = parse_delete_time(params.value_or_empty("end"));
  std::string body = "[";
  for (const auto& request : deletes.list(context.tenant)) {
    if ((from && request.end < *from) || (to && request.start > *to)) continue;
    if (body.size() > 1) body += ',';
    body += "{\"request_id\":";
    append_json_string(body, request.id);
    body += ",\"start_time\":";
    append_seconds(body, request.start.value / 1'000'000);
    body += ",\"end_time\":";
    append_seconds(body, request.end.value / 1'000'000);
    body += ",\"query\":";
    append_json_string(body, request.query);
    const std::string status = request.percent == 0     ? "received"
                               : request.percent >= 100 ? "processed"
                                                        : std::to_string(request.percent) + "% Complete";
    body += ",\"status\":\"" + status + "\",\"created_at\":";
    append_seconds(body, request.created.value / 1'000'000);
    body += ",\"user_id\":\"\"}";
  }
  body += "]\n";
  auto response = net::HttpResponse::json(200, std::move(body));
  response.headers.set("Content-Type", "application/json");
  return response;
}

net::HttpResponse cancel_request(const Services& services, DeleteRequests& deletes, const RequestContext& context,
                                 const net::HttpRequest& request) {
  const auto id = request.params.value_or_empty("request_id");
  if (id.empty()) return plain_error(400, "request_id not set");
  const auto done = deletes.cancel(context.tenant, id, request.params.value_or_empty("force") == "true",
                                   services.config.compactor.delete_request_cancel_period);
  const int status = done ? 204 : status_of(done.error());
  audit({"delete cancelled", context.tenant, context.caller, request.peer, status}, {{"id", std::string(id)}});
  return done ? no_content() : plain_error(status, done.error().message());
}

}  // namespace

void add_delete_routes(net::HttpServer& server, const Services& services, DeleteRequests& deletes) {
  net::HttpRoute route;
  route.methods = {"POST", "PUT", "GET", "DELETE"};
  route.pattern = "/loki/api/v1/delete";
  route.pool = "admin";
  route.handler = [&services, &deletes](net::HttpRequest request, std::shared_ptr<net::HttpReply> reply) {
    const Role role = request.method == "GET" ? Role::kRead : Role::kAdmin;
    const auto context = services.gate.single_tenant(request, *reply, role);
    if (!context) return;
    if (context->settings->retention.deletion_mode == "disabled") {
      return reply->send(plain_error(403, "deletion is not available for this tenant"));
    }
    if (request.method == "GET") return reply->send(list_requests(deletes, *context, request.params));
    if (request.method == "DELETE") return reply->send(cancel_request(services, deletes, *context, request));
    reply->send(create_request(services, deletes, *context, request));
  };
  server.add(std::move(route));

  net::HttpRoute generations;
  generations.methods = {"GET"};
  generations.pattern = "/loki/api/v1/cache/generation_numbers";
  generations.pool = "admin";
  generations.handler = [&services](net::HttpRequest request, std::shared_ptr<net::HttpReply> reply) {
    if (services.gate.single_tenant(request, *reply, Role::kRead)) reply->send(net::HttpResponse::json(200, "\"\""));
  };
  server.add(std::move(generations));
}

}  // namespace kvasir::server
