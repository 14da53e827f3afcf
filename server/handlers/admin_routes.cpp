#include "server/handlers/admin_routes.h"

#include <algorithm>

#include "common/assert.h"
#include "common/json_writer.h"
#include "common/log.h"
#include "common/number.h"
#include "server/answer.h"
#include "server/audit.h"
#include "server/open_metrics.h"
#include "server/params.h"

namespace kvasir::server {
namespace {

using Reply = std::shared_ptr<net::HttpReply>;

/// Hands an answer on and says in the log what an admin was answered.
class AuditedReply final : public net::HttpReply {
 public:
  AuditedReply(Reply inner, std::string user, const net::HttpRequest& request)
      : inner_(std::move(inner)), user_(std::move(user)), peer_(request.peer), method_(request.method),
        path_(request.path) {}

  void send(net::HttpResponse response) override {
    audit({"admin request", "", user_, peer_, response.status}, {{"method", method_}, {"path", path_}});
    inner_->send(std::move(response));
  }
  void begin(int status, net::HttpHeaders headers) override { inner_->begin(status, std::move(headers)); }
  bool write(std::string chunk) override { return inner_->write(std::move(chunk)); }
  void end() override { inner_->end(); }
  std::shared_ptr<net::WebSocketSession> upgrade(net::WebSocketOptions options) override {
    return inner_->upgrade(std::move(options));
  }
  std::stop_token stop_token() const override { return inner_->stop_token(); }

 private:
  Reply inner_;
  std::string user_, peer_, method_, path_;
};

/// Of all their methods.
constexpr std::string_view kOpenRoutes[] = {"/ready",
                                            "/metrics",
                                            "/services",
                                            "/loki/api/v1/status/buildinfo",
                                            "/memberlist",
                                            "/ring",
                                            "/distributor/ring",
                                            "/compactor/ring",
                                            "/scheduler/ring",
                                            "/ruler/ring",
                                            "/pattern/ring"};

/// Adds routes of one kind with little writing.
class Table {
 public:
  Table(net::HttpServer& server, const Services& services) : server_(server), services_(services) {}

  /// For everybody, whatever credential comes along.
  void open(std::vector<std::string> methods, const char* pattern, net::HttpHandler handler,
            const char* pool = "admin") {
    KVASIR_ASSERT(is_open_route(pattern), "the route is one of kOpenRoutes");
    server_.add({std::move(methods), pattern, pool, kFormBytesMax, std::move(handler)});
  }
  /// The handler may ask who is calling.
  void for_callers(std::vector<std::string> methods, const char* pattern, net::HttpHandler handler) {
    server_.add({std::move(methods), pattern, "admin", kFormBytesMax, std::move(handler)});
  }
  /// Only for callers with the role admin.
  void guarded(std::vector<std::string> methods, const char* pattern, net::HttpHandler handler) {
    for_callers(std::move(methods), pattern,
                [&services = services_, handler = std::move(handler)](net::HttpRequest request, Reply reply) {
                  auto user = services.gate.admin(request, *reply);
                  if (!user) return;
                  auto audited = std::make_shared<AuditedReply>(std::move(reply), *std::move(user), request);
                  handler(std::move(request), std::move(audited));
                });
  }

 private:
  net::HttpServer& server_;
  const Services& services_;
};

net::HttpResponse no_content() {
  net::HttpResponse response;
  response.status = 204;
  return response;
}

net::HttpResponse json(int status, std::string body) {
  auto response = net::HttpResponse::json(status, std::move(body));
  response.headers.set("Content-Type", "application/json");
  return response;
}

net::HttpResponse config_answer(const Services& services, const net::HttpRequest& request) {
  ServerConfig shown = services.config;
  const auto mode = request.params.value_or_empty("mode");
  if (mode == "defaults") shown = ServerConfig{};
  const auto table = settings(shown);
  if (mode != "diff") return net::HttpResponse::text(200, print_yaml(table));
  ServerConfig plain;
  const auto defaults = settings(plain);
  std::vector<Setting> changed;
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (print_value(table[i]) != print_value(defaults[i])) changed.push_back(table[i]);
  }
  return net::HttpResponse::text(200, print_yaml(changed));
}

net::HttpResponse build_info() {
  std::string body;
  JsonWriter w(body);
  w.begin_object().key("version").string(BuildInfo::kVersion).key("revision").string(BuildInfo::kKvasirVersion);
  w.key("branch")
      .string("kvasir")
      .key("buildUser")
      .string("")
      .key("buildDate")
      .string("")
      .key("goVersion")
      .string("")
      .end_object();
  return json(200, std::move(body));
}

std::string_view level_name(log::Level level) {
  switch (level) {
    case log::Level::kDebug: return "debug";
    case log::Level::kInfo: return "info";
    case log::Level::kWarn: return "warn";
    case log::Level::kError: return "error";
  }
  return "info";
}

net::HttpResponse set_log_level(const net::HttpRequest& request) {
  const auto params = merged_params(request);
  const std::string level(params ? params->value_or_empty("log_level") : std::string_view());
  const bool known = log::set_level(level);
  std::string body;
  JsonWriter w(body);
  w.begin_object().key("status").string(known ? "success" : "failed");
  w.key("message")
      .string(known ? "Log level set to " + level : "unrecognized log level \"" + level + "\"")
      .end_object();
  return json(known ? 200 : 400, std::move(body));
}

void add_health(Table& table, const Services& services, LifeCycle& life) {
  table.open({"GET", "HEAD"}, "/ready", [&life](net::HttpRequest, Reply reply) {
    if (life.stopping) return reply->send(plain_error(503, "Application is stopping"));
    if (!life.ready) return reply->send(plain_error(503, "Ingester not ready: replaying the log"));
    reply->send(net::HttpResponse::text(200, "ready\n"));
  }, net::kIoPool);
  table.open({"GET"}, "/metrics", [&services](net::HttpRequest request, Reply reply) {
    const bool open = wants_open_metrics(request.headers.value_or_empty("Accept"));
    std::string text = services.metrics.text();
    auto response = json_answer(request, open ? to_open_metrics(text) : std::move(text), true);
    response.headers.set("Content-Type",
                         open ? kOpenMetricsType : "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
    reply->send(std::move(response));
  });
  table.open({"GET"}, "/services", [&life](net::HttpRequest, Reply reply) {
    std::string body;
    for (const char* name : {"server", "distributor", "ingester", "store", "querier", "query-frontend",
                             "query-scheduler", "compactor", "ruler"}) {
      const bool stopped = life.ingester_stopped && std::string_view(name) == "ingester";
      body += std::string(name) + " => " + (life.stopping ? "Stopping" : stopped ? "Terminated" : "Running") + "\n";
    }
    reply->send(net::HttpResponse::text(200, std::move(body)));
  });
  table.open({"GET"}, "/loki/api/v1/status/buildinfo",
             [](net::HttpRequest, Reply reply) { reply->send(build_info()); });
  table.guarded({"GET"}, "/config",
                [&services](net::HttpRequest request, Reply reply) { reply->send(config_answer(services, request)); });
  // Not open() though anybody may ask: POST of the same pattern needs a caller.
  table.for_callers({"GET"}, "/log_level", [](net::HttpRequest, Reply reply) {
    reply->send(json(200, "{\"message\":\"Current log level is " + std::string(level_name(log::level())) + "\"}"));
  });
  table.guarded({"POST"}, "/log_level",
                [](net::HttpRequest request, Reply reply) { reply->send(set_log_level(request)); });
  table.open({"GET"}, "/memberlist", [](net::HttpRequest, Reply reply) {
    reply->send(net::HttpResponse::text(200, "This instance doesn't use memberlist."));
  });
}

void shut_ingester_down(const Services& services, LifeCycle& life, const net::HttpRequest& request,
                        net::HttpReply& reply) {
  if (life.ingester_stopped.exchange(true))
    return reply.send(plain_error(503, "Ingester is stopping or already stopped."));
  services.ingester.set_read_only(true);
  const auto flag = [&](const char* name, bool fallback) {
    const auto text = request.params.value_or_empty(name);
    return text.empty() ? fallback : text == "true";
  };
  if (flag("flush", true)) {
    if (const auto flushed = services.ingester.flush(); !flushed)
      return reply.send(plain_error(500, flushed.error().message()));
  }
  reply.send(no_content());
  if (flag("terminate", true)) life.request_stop();
}

void add_life(Table& table, const Services& services, LifeCycle& life) {
  table.guarded({"GET", "POST"}, "/flush", [&services](net::HttpRequest, Reply reply) {
    const auto flushed = services.ingester.flush();
    reply->send(flushed ? no_content() : plain_error(500, flushed.error().message()));
  });
  table.guarded({"GET", "POST"}, "/ingester/shutdown", [&](net::HttpRequest request, Reply reply) {
    shut_ingester_down(services, life, request, *reply);
  });
  table.guarded({"GET", "POST", "DELETE"}, "/ingester/prepare_shutdown",
                [&life](net::HttpRequest request, Reply reply) {
                  if (request.method == "GET")
                    return reply->send(net::HttpResponse::text(200, life.prepared_to_shut_down ? "set" : "unset"));
                  life.prepared_to_shut_down = request.method == "POST";
                  reply->send(no_content());
                });
  table.guarded({"POST"}, "/-/reload", [&life](net::HttpRequest, Reply reply) {
    const auto done = life.reload();
    reply->send(done ? net::HttpResponse::text(200, "") : plain_error(500, done.error().message()));
  });
}

std::string ring_json(const Services& services) {
  std::string body;
  JsonWriter w(body);
  const std::string now = format_rfc3339(services.clock.now());
  w.begin_object().key("shards").begin_array().begin_object().key("id").string("kvasir").key("state").string("ACTIVE");
  w.key("address").string("127.0.0.1:9095").key("timestamp").string(now).key("registered_timestamp").string(now);
  w.key("read_only")
      .boolean(false)
      .key("read_only_updated_timestamp")
      .string("0001-01-01T00:00:00Z")
      .key("zone")
      .string("");
  w.key("tokens").begin_array().integer(1).end_array().end_object().end_array().key("now").string(now).end_object();
  return body;
}

void add_rings(Table& table, const Services& services) {
  for (const char* pattern :
       {"/ring", "/distributor/ring", "/compactor/ring", "/scheduler/ring", "/ruler/ring", "/pattern/ring"}) {
    table.open({"GET", "POST"}, pattern, [&services](net::HttpRequest request, Reply reply) {
      const bool wants_json =
          request.headers.get("Accept").value_or("").find("application/json") != std::string_view::npos;
      if (wants_json) return reply->send(json(200, ring_json(services)));
      auto page = net::HttpResponse::text(
          200,
          "<!DOCTYPE "
          "html><title>Ring</title><h1>Ring</h1><table><tr><th>Instance<th>State<tr><td>kvasir<td>ACTIVE</table>\n");
      page.headers.set("Content-Type", "text/html; charset=utf-8");
      reply->send(std::move(page));
    });
  }
}

/// Scalars of the settings table as JSON: numbers and booleans bare, everything else text.
void write_limit(JsonWriter& w, const Setting& setting) {
  const std::string text = print_value(setting);
  w.key(setting.path);
  if (const auto* list = std::get_if<std::vector<std::string>*>(&setting.target)) {
    w.begin_array();
    for (const auto& item : **list) w.string(item);
    w.end_array();
  } else if (text == "true" || text == "false" || parse_go_float(text)) {
    w.raw(text);
  } else if (const auto* word = std::get_if<std::string*>(&setting.target)) {
    w.string(**word);
  } else {
    w.string(text);
  }
}

const std::vector<std::string>& published_by_default() {
  static const std::vector<std::string> kNames = {
      "discover_log_levels",    "discover_service_name", "log_level_fields", "max_entries_limit_per_query",
      "max_line_size_truncate", "max_query_bytes_read",  "max_query_length", "max_query_lookback",
      "max_query_range",        "max_query_series",      "otlp_config",      "query_timeout",
      "retention_period",       "volume_enabled",        "volume_max_series"};
  return kNames;
}

std::vector<Setting> published(const ServerConfig& config, TenantSettings& settings) {
  const auto& names = config.limits_to_publish.empty() ? published_by_default() : config.limits_to_publish;
  auto table = tenant_settings_table(settings, "");
  std::erase_if(table, [&](const Setting& s) { return std::find(names.begin(), names.end(), s.path) == names.end(); });
  std::sort(table.begin(), table.end(), [](const Setting& a, const Setting& b) { return a.path < b.path; });
  return table;
}

void add_limits(Table& table, const Services& services) {
  table.for_callers({"GET"}, "/loki/api/v1/drilldown-limits", [&services](net::HttpRequest request, Reply reply) {
    const auto context = services.gate.single_tenant(request, *reply, Role::kRead);
    if (!context) return;
    TenantSettings settings = *context->settings;
    std::string body;
    JsonWriter w(body);
    w.begin_object().key("limits").begin_object();
    for (const auto& setting : published(services.config, settings)) {
      if (!std::holds_alternative<CustomTarget>(setting.target)) write_limit(w, setting);
    }
    w.key("metric_aggregation_enabled").boolean(false).key("pattern_persistence_enabled").boolean(false).end_object();
    w.key("pattern_ingester_enabled").boolean(services.config.pattern_ingester_enabled);
    w.key("version").string(BuildInfo::kVersion).end_object();
    reply->send(json(200, std::move(body)));
  });
  table.for_callers({"GET"}, "/config/tenant/v1/limits", [&services](net::HttpRequest request, Reply reply) {
    const auto context = services.gate.single_tenant(request, *reply, Role::kRead);
    if (!context) return;
    TenantSettings settings = *context->settings;
    reply->send(net::HttpResponse::text(200, print_yaml(published(services.config, settings))));
  });
}

void add_running(Table& table, const Services& services) {
  table.guarded({"GET"}, "/api/v1/queries", [&services](net::HttpRequest, Reply reply) {
    std::string body;
    JsonWriter w(body);
    w.begin_object().key("status").string("success").key("data").begin_array();
    for (const auto& query : services.running.list()) {
      const double seconds = static_cast<double>((services.clock.now() - query.started).count()) / 1e9;
      w.begin_object()
          .key("id")
          .unsigned_integer(query.id)
          .key("tenant")
          .string(query.tenant)
          .key("query")
          .string(query.query);
      w.key("kind")
          .string(query.kind)
          .key("peer")
          .string(query.peer)
          .key("started")
          .string(format_rfc3339(query.started));
      w.key("seconds").number(seconds).end_object();
    }
    w.end_array().end_object();
    body += '\n';
    reply->send(json(200, std::move(body)));
  });
  table.guarded({"DELETE"}, "/api/v1/queries/{id}", [&services](net::HttpRequest request, Reply reply) {
    const auto id = parse_uint64(request.path_params.value_or_empty("id"));
    if (!id || !services.running.cancel(*id, "")) return reply->send(plain_error(404, "no such query"));
    reply->send(no_content());
  });
}

/// Every route there is, so that a test of all of them cannot forget one.
void add_route_list(Table& table, const net::HttpServer& server) {
  table.guarded({"GET"}, "/api/v1/routes", [&server](net::HttpRequest, Reply reply) {
    std::string body;
    JsonWriter w(body);
    w.begin_object().key("status").string("success").key("data").begin_array();
    for (const auto* route : server.routes()) {
      w.begin_object().key("pattern").string(route->pattern).key("methods").begin_array();
      for (const auto& method : route->methods) w.string(method);
      w.end_array().end_object();
    }
    w.end_array().end_object();
    body += '\n';
    reply->send(json(200, std::move(body)));
  });
}

}  // namespace

bool is_open_route(std::string_view pattern) {
  return std::find(std::begin(kOpenRoutes), std::end(kOpenRoutes), pattern) != std::end(kOpenRoutes);
}

void add_admin_routes(net::HttpServer& server, const Services& services, LifeCycle& life) {
  Table table(server, services);
  add_health(table, services, life);
  add_life(table, services, life);
  add_rings(table, services);
  add_limits(table, services);
  add_running(table, services);
  add_route_list(table, server);
}

}  // namespace kvasir::server
