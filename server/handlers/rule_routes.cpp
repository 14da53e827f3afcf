#include "server/handlers/rule_routes.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "common/json_writer.h"
#include "common/number.h"
#include "server/audit.h"
#include "server/tenant_settings.h"

namespace kvasir::server {
namespace {

using alerts::AlertState;
using alerts::GroupStatus;
using alerts::Rule;
using alerts::RuleGroup;
using alerts::RuleNamespaces;
using alerts::RuleStatus;
using net::HttpReply;
using net::HttpRequest;
using net::HttpResponse;
using Reply = std::shared_ptr<HttpReply>;

constexpr std::string_view kWritten = R"({"status":"success","data":null,"errorType":"","error":""})";
constexpr std::uint64_t kGroupBytesMax = 4 << 20;

void send_error(HttpReply& reply, int status, const std::string& text) {
  reply.send(HttpResponse::text(status, text + "\n"));
}

void send_written(HttpReply& reply) {
  auto response = HttpResponse::json(202, std::string(kWritten));
  response.headers.set("Content-Type", "application/json");
  reply.send(std::move(response));
}

void send_yaml(HttpReply& reply, std::string body) {
  auto response = HttpResponse::text(200, std::move(body));
  response.headers.set("Content-Type", "application/yaml");
  reply.send(std::move(response));
}

void send_json(HttpReply& reply, int status, std::string body) {
  auto response = HttpResponse::json(status, std::move(body));
  response.headers.set("Content-Type", "application/json");
  reply.send(std::move(response));
}

int status_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kParse: return 400;
    case ErrorCode::kNotFound: return 404;
    default: return 500;
  }
}

// `k:v,k2:v2`: a rule stays if it has any of the pairs.
void keep_rules_with_labels(RuleNamespaces& namespaces, std::string_view wanted) {
  std::set<std::pair<std::string, std::string>> pairs;
  while (!wanted.empty()) {
    const auto comma = wanted.find(',');
    const auto item = wanted.substr(0, comma);
    const auto colon = item.find(':');
    if (colon != std::string_view::npos) pairs.emplace(item.substr(0, colon), item.substr(colon + 1));
    wanted = comma == std::string_view::npos ? std::string_view() : wanted.substr(comma + 1);
  }
  const auto has_any = [&pairs](const Rule& rule) {
    return std::any_of(rule.labels.begin(), rule.labels.end(),
                       [&](const auto& label) { return pairs.contains(label); });
  };
  for (auto& [name, groups] : namespaces) {
    for (auto& group : groups) std::erase_if(group.rules, [&](const Rule& rule) { return !has_any(rule); });
    std::erase_if(groups, [](const RuleGroup& group) { return group.rules.empty(); });
  }
  std::erase_if(namespaces, [](const auto& item) { return item.second.empty(); });
}

class RuleApi {
 public:
  explicit RuleApi(RuleServices services) : services_(services) {}

  void list(const HttpRequest& request, HttpReply& reply) {
    const auto context = services_.gate.single_tenant(request, reply, Role::kRead);
    if (!context) return;
    auto namespaces = services_.ruler.rules(context->tenant);
    if (const auto wanted = request.path_params.get("namespace")) {
      std::erase_if(namespaces, [&](const auto& item) { return item.first != *wanted; });
    }
    if (const auto labels = request.params.get("labels")) keep_rules_with_labels(namespaces, *labels);
    if (namespaces.empty()) return send_error(reply, 404, "no rule groups found");
    send_yaml(reply, alerts::rule_namespaces_yaml(namespaces));
  }

  void get(const HttpRequest& request, HttpReply& reply) {
    const auto context = services_.gate.single_tenant(request, reply, Role::kRead);
    if (!context) return;
    const auto namespaces = services_.ruler.rules(context->tenant);
    const auto found = namespaces.find(param(request, "namespace"));
    const std::string name = param(request, "group");
    if (found != namespaces.end()) {
      for (const auto& group : found->second) {
        if (group.name == name) return send_yaml(reply, alerts::rule_group_yaml(group));
      }
    }
    send_error(reply, 404, "group does not exist");
  }

  void set(const HttpRequest& request, HttpReply& reply) {
    const auto context = services_.gate.single_tenant(request, reply, Role::kAdmin);
    if (!context) return;
    const auto node = parse_yaml(request.body);
    if (!node) return send_error(reply, 400, "unable to decoded rule group");
    auto group = alerts::parse_rule_group(*node);
    if (!group) return send_error(reply, 400, group.error().message());
    if (auto refused = over_limit(*context, *group); !refused.empty()) return send_error(reply, 400, refused);
    const Change change{"rule group written", *context, request, group->name};
    finish(change, services_.ruler.store().set_group(context->tenant, param(request, "namespace"), std::move(*group)),
           reply);
  }

  void remove_group(const HttpRequest& request, HttpReply& reply) {
    const auto context = services_.gate.single_tenant(request, reply, Role::kAdmin);
    if (!context) return;
    const std::string group = param(request, "group");
    finish({"rule group deleted", *context, request, group},
           services_.ruler.store().delete_group(context->tenant, param(request, "namespace"), group), reply);
  }

  void remove_namespace(const HttpRequest& request, HttpReply& reply) {
    const auto context = services_.gate.single_tenant(request, reply, Role::kAdmin);
    if (!context) return;
    finish({"rule namespace deleted", *context, request, ""},
           services_.ruler.store().delete_namespace(context->tenant, param(request, "namespace")), reply);
  }

  void rule_states(const HttpRequest& request, HttpReply& reply);
  void alert_states(const HttpRequest& request, HttpReply& reply);

 private:
  static std::string param(const HttpRequest& request, std::string_view name) {
    return std::string(request.path_params.get(name).value_or(""));
  }

  struct Change {
    std::string_view action;
    const RequestContext& context;
    const HttpRequest& request;
    std::string group;
  };

  void finish(const Change& change, const Result<void>& outcome, HttpReply& reply) {
    const int status = outcome ? 202 : status_of(outcome.error());
    audit({change.action, change.context.tenant, change.context.caller, change.request.peer, status},
          {{"namespace", param(change.request, "namespace")}, {"group", change.group}});
    if (!outcome) return send_error(reply, status, outcome.error().message());
    services_.ruler.reload();
    send_written(reply);
  }

  std::string over_limit(const RequestContext& context, const RuleGroup& group) const {
    const auto& limits = *context.settings;
    const std::uint64_t rules_max = limits.ruler.max_rules_per_rule_group;
    if (rules_max != 0 && group.rules.size() > rules_max) {
      return fmt::format("per-user rules per rule group limit (limit: {} actual: {}) exceeded", rules_max,
                         group.rules.size());
    }
    std::size_t others = 0;
    for (const auto& [name, groups] : services_.ruler.rules(context.tenant)) others += groups.size();
    const std::uint64_t groups_max = limits.ruler.max_rule_groups_per_tenant;
    if (groups_max != 0 && others + 1 > groups_max) {
      return fmt::format("per-user rule groups limit (limit: {} actual: {}) exceeded", groups_max, others + 1);
    }
    return "";
  }

  RuleServices services_;
};

// State, as Prometheus' rule API gives it.

double seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e9; }

std::string instant_text(TimestampNs t) { return t.value == 0 ? "0001-01-01T00:00:00Z" : format_rfc3339(t); }

// 5e+01, 1.25e+00: the shortest digits, always with an exponent of two digits.
std::string exponent_form(double value) {
  if (!std::isfinite(value)) return format_go_float(value);
  std::string text = fmt::format("{:e}", value);
  for (int digits = 0; digits < 17; ++digits) {
    text = fmt::format("{:.{}e}", value, digits);
    if (parse_go_float(text) == value) break;
  }
  return text;
}

void write_text_map(JsonWriter& json, const alerts::TextMap& map) {
  json.begin_object();
  for (const auto& [name, value] : map) json.key(name).string(value);
  json.end_object();
}

void write_alert(JsonWriter& json, const alerts::Alert& alert) {
  json.begin_object().key("labels").begin_object();
  for (const auto& label : alert.labels) json.key(label.name).string(label.value);
  json.end_object().key("annotations");
  write_text_map(json, alert.annotations);
  json.key("state").string(alerts::alert_state_name(alert.state)).key("activeAt").string(instant_text(alert.active_at));
  json.key("value").string(exponent_form(alert.value)).end_object();
}

void write_rule(JsonWriter& json, const RuleStatus& status) {
  const Rule& rule = status.rule;
  const bool alerting = rule.kind == Rule::Kind::kAlert;
  json.begin_object();
  if (alerting) json.key("state").string(alerts::alert_state_name(status.state));
  json.key("name").string(rule.name).key("query").string(rule.canonical.empty() ? rule.expr : rule.canonical);
  if (alerting) {
    json.key("duration").number(seconds(rule.hold));
    if (rule.keep_firing_for.count() != 0) json.key("keepFiringFor").number(seconds(rule.keep_firing_for));
  }
  json.key("labels");
  write_text_map(json, rule.labels);
  if (alerting) {
    json.key("annotations");
    write_text_map(json, rule.annotations);
    json.key("alerts").begin_array();
    for (const auto& alert : status.alerts) write_alert(json, alert);
    json.end_array();
  }
  const bool known = status.evaluated || !status.last_error.empty();
  json.key("health").string(!known ? "unknown" : status.last_error.empty() ? "ok" : "err");
  json.key("lastError").string(status.last_error).key("type").string(alerting ? "alerting" : "recording");
  json.key("lastEvaluation").string(instant_text(status.last_evaluation));
  json.key("evaluationTime").number(seconds(status.evaluation_time)).end_object();
}

void write_group(JsonWriter& json, const GroupStatus& group) {
  json.begin_object().key("name").string(group.identity.group).key("file").string(group.identity.name_space);
  json.key("rules").begin_array();
  for (const auto& rule : group.rules) write_rule(json, rule);
  json.end_array().key("interval").number(seconds(group.interval)).key("limit").unsigned_integer(group.limit);
  json.key("lastEvaluation").string(instant_text(group.last_evaluation));
  json.key("evaluationTime").number(seconds(group.evaluation_time)).end_object();
}

bool listed(const net::HttpParams& params, std::string_view name, std::string_view value) {
  const auto wanted = params.all(name);
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

// Applies the filters of the request; groups left empty by them go.
std::vector<GroupStatus> filtered(std::vector<GroupStatus> groups, const net::HttpParams& params) {
  const auto type = params.get("type").value_or("");
  std::erase_if(groups, [&](const GroupStatus& group) {
    return !listed(params, "rule_group", group.identity.group) || !listed(params, "file", group.identity.name_space);
  });
  for (auto& group : groups) {
    std::erase_if(group.rules, [&](const RuleStatus& rule) {
      const bool alerting = rule.rule.kind == Rule::Kind::kAlert;
      const bool wrong_type = (type == "alert" && !alerting) || (type == "record" && alerting);
      return wrong_type || !listed(params, "rule_name", rule.rule.name);
    });
  }
  std::erase_if(groups, [](const GroupStatus& group) { return group.rules.empty(); });
  return groups;
}

void RuleApi::rule_states(const HttpRequest& request, HttpReply& reply) {
  const auto context = services_.gate.single_tenant(request, reply, Role::kRead);
  if (!context) return;
  std::string body;
  JsonWriter json(body);
  const std::string type(request.params.get("type").value_or(""));
  if (!type.empty() && type != "alert" && type != "record") {
    json.begin_object().key("status").string("error").key("data").null().key("errorType").string("bad_data");
    json.key("error").string("not supported value \"" + type + "\"").end_object();
    return send_json(reply, 400, std::move(body));
  }
  json.begin_object().key("status").string("success").key("data").begin_object().key("groups").begin_array();
  for (const auto& group : filtered(services_.ruler.groups(context->tenant), request.params)) write_group(json, group);
  json.end_array().end_object().key("errorType").string("").key("error").string("").end_object();
  send_json(reply, 200, std::move(body));
}

void RuleApi::alert_states(const HttpRequest& request, HttpReply& reply) {
  const auto context = services_.gate.single_tenant(request, reply, Role::kRead);
  if (!context) return;
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("status").string("success").key("data").begin_object().key("alerts").begin_array();
  for (const auto& group : services_.ruler.groups(context->tenant)) {
    for (const auto& rule : group.rules) {
      for (const auto& alert : rule.alerts) write_alert(json, alert);
    }
  }
  json.end_array().end_object().key("errorType").string("").key("error").string("").end_object();
  send_json(reply, 200, std::move(body));
}

using ApiCall = void (RuleApi::*)(const HttpRequest&, HttpReply&);

void add(net::HttpServer& server, const std::shared_ptr<RuleApi>& api, std::vector<std::string> methods,
         std::string pattern, ApiCall call) {
  server.add({.methods = std::move(methods),
              .pattern = std::move(pattern),
              .pool = "admin",
              .body_bytes_max = kGroupBytesMax,
              .handler = [api, call](HttpRequest request, Reply reply) { ((*api).*call)(request, *reply); }});
}

}  // namespace

void add_rule_routes(net::HttpServer& server, RuleServices services) {
  const auto api = std::make_shared<RuleApi>(services);
  for (const std::string prefix : {"/loki/api/v1/rules", "/api/prom/rules"}) {
    if (!services.enable_api) break;
    add(server, api, {"GET"}, prefix, &RuleApi::list);
    add(server, api, {"GET"}, prefix + "/{namespace}", &RuleApi::list);
    add(server, api, {"POST"}, prefix + "/{namespace}", &RuleApi::set);
    add(server, api, {"DELETE"}, prefix + "/{namespace}", &RuleApi::remove_namespace);
    add(server, api, {"GET"}, prefix + "/{namespace}/{group}", &RuleApi::get);
    add(server, api, {"DELETE"}, prefix + "/{namespace}/{group}", &RuleApi::remove_group);
  }
  add(server, api, {"GET"}, "/prometheus/api/v1/rules", &RuleApi::rule_states);
  add(server, api, {"GET"}, "/prometheus/api/v1/alerts", &RuleApi::alert_states);
}

}  // namespace kvasir::server
