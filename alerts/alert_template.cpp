#include "alerts/alert_template.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "alerts/humanize.h"
#include "common/go_time.h"
#include "common/json_writer.h"
#include "common/net/http_types.h"
#include "common/number.h"
#include "common/regex.h"
#include "common/utf8.h"
#include "logql/pipeline/template/regex_functions.h"
#include "logql/pipeline/template/template.h"
#include "logql/pipeline/unicode_text.h"

namespace kvasir::alerts {
namespace {

using gotemplate::Call;
using gotemplate::Value;

// The variables that Prometheus gives every template; written before the user's text, on the same line.
constexpr std::string_view kVariables =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

struct AlertEnvironment : gotemplate::Environment {
  const TemplateData* data = nullptr;
};

// Functions that look outside run only inside expand_alert_template, which makes the environment.
const TemplateData& data_of(const Call& call) { return *static_cast<AlertEnvironment&>(call.environment).data; }

class LabelMap final : public gotemplate::MapSource {
 public:
  explicit LabelMap(const Labels& labels) : labels_(labels) {}
  std::optional<Value> find(std::string_view key) const override {
    const auto value = labels_.get(key);
    if (!value) return std::nullopt;
    return Value::string(*value);
  }
  Value missing() const override { return Value::string(""); }
  void each(const std::function<bool(std::string_view, const Value&)>& visit) const override {
    for (const auto& label : labels_) {
      if (!visit(label.name, Value::string(label.value))) return;
    }
  }
  std::size_t size() const override { return labels_.size(); }

 private:
  const Labels& labels_;
};

Result<double> number_of(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kInt: return static_cast<double>(value.as_int());
    case Value::Kind::kFloat: return value.as_real();
    case Value::Kind::kString:
      if (const auto parsed = parse_go_float(value.as_string())) return *parsed;
      return fail(ErrorCode::kInvalidArgument, go_float_error(value.as_string()));
    default: return fail(ErrorCode::kInvalidArgument, fmt::format("can't convert {} to float", value.type_name()));
  }
}

template <std::string (*kForm)(double)>
Result<Value> humanized(const Call& call) {
  KVASIR_TRY(const double number, number_of(call[0]));
  return call.string(kForm(number));
}

Value sample_value(const Call& call, const logql::Series& series) {
  auto& heap = call.environment.heap;
  auto& labels = heap.map();
  for (const auto& label : series.labels) {
    // Keys must outlive the map; copies on the heap do.
    labels.set(heap.string(label.name).as_string(), heap.string(label.value));
  }
  auto& sample = heap.map();
  sample.set("Labels", Value::map(&labels));
  sample.set("Value", Value::real(series.points.empty() ? 0 : series.points.front().value));
  return Value::map(&sample);
}

Result<Value> run_query(const Call& call) {
  const auto& data = data_of(call);
  if (!data.query) return fail(ErrorCode::kUnavailable, "queries are not available here");
  KVASIR_TRY(const auto vector, data.query(call.text(0)));
  auto& list = call.environment.heap.list();
  for (const auto& series : vector.series) list.push_back(sample_value(call, series));
  return Value::list(&list);
}

Result<Value> field_of_sample(const Value& sample, std::string_view field) {
  if (sample.kind() != Value::Kind::kMap) return fail(ErrorCode::kInvalidArgument, "not a sample");
  const auto found = sample.as_map().find(field);
  if (!found) return fail(ErrorCode::kInvalidArgument, "not a sample");
  return *found;
}

Result<Value> first_sample(const Call& call) {
  if (call[0].kind() != Value::Kind::kList || call[0].as_list().empty()) {
    return fail(ErrorCode::kInvalidArgument, "first() called on vector with no elements");
  }
  return call[0].as_list().front();
}

Result<Value> value_of_sample(const Call& call) { return field_of_sample(call[0], "Value"); }

// label "name" sample
Result<Value> label_of_sample(const Call& call) {
  KVASIR_TRY(const auto labels, field_of_sample(call[1], "Labels"));
  return labels.as_map().find(call.text(0)).value_or(Value::string(""));
}

Result<Value> string_value_of_sample(const Call& call) {
  KVASIR_TRY(const auto labels, field_of_sample(call[0], "Labels"));
  return labels.as_map().find("__value__").value_or(Value::string(""));
}

// sortByLabel "name" samples
Result<Value> sort_by_label(const Call& call) {
  if (call[1].kind() != Value::Kind::kList) return fail(ErrorCode::kInvalidArgument, "not a list of samples");
  auto& sorted = call.environment.heap.list();
  sorted = call[1].as_list();
  const auto key = [&](const Value& sample) {
    const auto labels = field_of_sample(sample, "Labels");
    const auto value = labels ? labels->as_map().find(call.text(0)) : std::nullopt;
    return value ? value->as_string() : std::string_view();
  };
  std::stable_sort(sorted.begin(), sorted.end(), [&](const Value& a, const Value& b) { return key(a) < key(b); });
  return Value::list(&sorted);
}

Result<Value> to_upper(const Call& call) { return call.string(logql::to_upper(call.text(0))); }
Result<Value> to_lower(const Call& call) { return call.string(logql::to_lower(call.text(0))); }

bool in_word(char32_t c) { return c == '_' || logql::is_unicode_letter(c) || logql::is_unicode_digit(c); }

void append_titled(std::string& out, std::string_view bytes, const Rune& rune, bool start) {
  if (start && rune.valid) {
    append_utf8(out, logql::to_upper(rune.value));
  } else {
    out += bytes;
  }
}

// The first letter of each word; a dot, a colon or an apostrophe between two letters divides none.
Result<Value> title(const Call& call) {
  std::string out;
  char32_t before = 0;
  bool start = true;
  for (auto rest = call.text(0); !rest.empty();) {
    const Rune rune = decode_utf8(rest);
    const auto bytes = rest.substr(0, rune.length);
    rest.remove_prefix(rune.length);
    append_titled(out, bytes, rune, start);
    const bool joins = (rune.value == '.' || rune.value == ':' || rune.value == '\'') && !rest.empty() &&
                       logql::is_unicode_letter(before) && logql::is_unicode_letter(decode_utf8(rest).value);
    start = !joins && !(rune.valid && in_word(rune.value));
    before = rune.value;
  }
  return call.string(out);
}

Result<Value> regex_match(const Call& call) {
  KVASIR_TRY(const auto regex, call.environment.regexes.get(call.text(0)));
  return Value::boolean(re2::RE2::PartialMatch(re2::StringPiece(call.text(1).data(), call.text(1).size()), *regex));
}

// Prometheus' order: pattern, replacement, text.
Result<Value> regex_replace(const Call& call) {
  KVASIR_TRY(const auto regex, call.environment.regexes.get(call.text(0)));
  return call.string(gotemplate::regex_replace_all(*regex, call.text(2), call.text(1)));
}

struct HostPort {
  std::string_view host;
  std::string_view port;
};

// As Go divides them: `host:port` or `[host]:port`; nothing where no port stands or a bare host has colons.
std::optional<HostPort> split_host_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool in_brackets = host.starts_with('[') && host.find(']') == host.size() - 1;
  if (in_brackets) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  const auto has_brackets = [](std::string_view part) { return part.find_first_of("[]") != std::string_view::npos; };
  const bool stray = has_brackets(host) || has_brackets(port);
  return stray ? std::nullopt : std::optional(HostPort{host, port});
}

bool is_ip_address(std::string_view text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  const std::string host(text);
  const auto is = [&](int family) { return inet_pton(family, host.c_str(), address.data()) == 1; };
  return is(AF_INET) || is(AF_INET6);
}

Result<Value> strip_port(const Call& call) {
  const auto parts = split_host_port(call.text(0));
  return call.string(parts ? parts->host : call.text(0));
}

Result<Value> strip_domain(const Call& call) {
  const auto parts = split_host_port(call.text(0)).value_or(HostPort{call.text(0), ""});
  if (is_ip_address(parts.host)) return call[0];
  const auto name = parts.host.substr(0, parts.host.find('.'));
  if (parts.port.empty()) return call.string(name);
  if (name.find(':') != std::string_view::npos) return call.string(fmt::format("[{}]:{}", name, parts.port));
  return call.string(fmt::format("{}:{}", name, parts.port));
}

Result<Value> same_text(const Call& call) { return call.string(call.text(0)); }

Result<Value> url_query_escape(const Call& call) { return call.string(net::form_encode(call.text(0))); }

Result<Value> now_seconds(const Call& call) { return Value::real(static_cast<double>(data_of(call).now.value) / 1e9); }

Result<Value> parse_duration_seconds(const Call& call) {
  const auto duration = parse_prometheus_duration(call.text(0));
  if (!duration)
    return fail(ErrorCode::kInvalidArgument, fmt::format("not a valid duration string: \"{}\"", call.text(0)));
  return Value::real(static_cast<double>(duration->count()) / 1e9);
}

// A number of seconds as nanoseconds.
Result<std::int64_t> nanoseconds_of(const Value& value, std::string_view what) {
  KVASIR_TRY(const double seconds, number_of(value));
  const double nanoseconds = seconds * 1e9;
  if (nanoseconds >= -0x1p63 && nanoseconds < 0x1p63) return static_cast<std::int64_t>(nanoseconds);
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} cannot be represented as a {} since it overflows int64", format_go_float(seconds), what));
}

// Times are whole milliseconds, as everywhere in Prometheus.
Result<Value> to_time(const Call& call) {
  KVASIR_TRY(const auto nanoseconds, nanoseconds_of(call[0], "nanoseconds timestamp"));
  return call.environment.heap.time(TimeZone::utc().at(TimestampNs{nanoseconds / 1'000'000 * 1'000'000}));
}

Result<Value> timestamp_for_people(const Call& call) {
  KVASIR_TRY(const double seconds, number_of(call[0]));
  if (!std::isfinite(seconds)) return call.string(format_go_float(seconds));
  KVASIR_TRY(const auto time, to_time(call));
  return call.string(format_go_time(time.as_time()));
}

Result<Value> to_duration(const Call& call) {
  KVASIR_TRY(const auto nanoseconds, nanoseconds_of(call[0], "duration"));
  return call.string(format_go_duration(Duration(nanoseconds)));
}

// args 1 "x": a map with arg0, arg1 ...
Result<Value> arguments_map(const Call& call) {
  auto& map = call.environment.heap.map();
  for (std::size_t i = 0; i < call.size(); ++i) map.set(call.string(fmt::format("arg{}", i)).as_string(), call[i]);
  return Value::map(&map);
}

Result<Value> graph_link(const Call& call) {
  return call.string(fmt::format("/graph?g0.expr={}&g0.tab=0", net::form_encode(call.text(0))));
}

Result<Value> table_link(const Call& call) {
  return call.string(fmt::format("/graph?g0.expr={}&g0.tab=1", net::form_encode(call.text(0))));
}

Result<Value> external_url(const Call& call) { return call.string(data_of(call).external_url); }

Result<Value> path_prefix(const Call& call) {
  const auto url = data_of(call).external_url;
  const auto scheme = url.find("://");
  const auto path = url.find('/', scheme == std::string_view::npos ? 0 : scheme + 3);
  return call.string(path == std::string_view::npos ? std::string_view() : url.substr(path));
}

std::string explore_link(const TemplateData& data, std::string_view source, std::string_view query,
                         std::string_view from, std::string_view to) {
  std::string left;
  JsonWriter json(left);
  json.begin_object().key("datasource").string(source).key("queries").begin_array().begin_object();
  json.key("expr").string(query).key("refId").string("A").end_object().end_array();
  json.key("range").begin_object().key("from").string(from).key("to").string(to).end_object().end_object();
  return fmt::format("{}/explore?left={}", data.external_url, net::form_encode(left));
}

// A link to Grafana's Explore that runs a query: grafanaExplore "Loki" "{app=\"x\"}".
Result<Value> grafana_explore(const Call& call) {
  return call.string(explore_link(data_of(call), call.text(0), call.text(1), "now-1h", "now"));
}

Result<Value> jaeger_trace(const Call& call) {
  auto base = call.text(0);
  while (base.ends_with('/')) base.remove_suffix(1);
  return call.string(fmt::format("{}/trace/{}", base, net::percent_encode(call.text(1))));
}

Result<EvidenceQuery> evidence_of(const TemplateData& data) { return evidence_query(data.expr, data.labels, data.now); }

Result<Value> log_query(const Call& call) {
  KVASIR_TRY(const auto evidence, evidence_of(data_of(call)));
  return call.string(evidence.query);
}

// Grafana's Explore with the lines behind the alert, in the window that made it fire: logLink "Loki".
Result<Value> log_link(const Call& call) {
  KVASIR_TRY(const auto evidence, evidence_of(data_of(call)));
  const auto milliseconds = [](TimestampNs t) { return std::to_string(t.value / 1'000'000); };
  return call.string(explore_link(data_of(call), call.text(0), evidence.query, milliseconds(evidence.start),
                                  milliseconds(evidence.end)));
}

Result<std::vector<std::string>> newest_lines(const TemplateData& data, std::size_t limit) {
  if (data.lines == nullptr || !*data.lines) return fail(ErrorCode::kUnavailable, "lines are not available here");
  KVASIR_TRY(const auto evidence, evidence_of(data));
  return (*data.lines)(evidence, limit);
}

Value text_list(const Call& call, const std::vector<std::string>& texts) {
  auto& list = call.environment.heap.list();
  for (const auto& text : texts) list.push_back(call.string(text));
  return Value::list(&list);
}

std::size_t count_of(const Call& call) {
  return static_cast<std::size_t>(std::clamp<std::int64_t>(call[0].as_int(), 0, kEvidenceLinesMax));
}

Result<Value> log_lines(const Call& call) {
  KVASIR_TRY(auto lines, newest_lines(data_of(call), count_of(call)));
  for (auto& line : lines) line = evidence_line(line);
  return text_list(call, lines);
}

Result<Value> trace_ids_of_lines(const Call& call) {
  KVASIR_TRY(const auto lines, newest_lines(data_of(call), kEvidenceLinesMax));
  auto ids = trace_ids(lines);
  ids.resize(std::min(ids.size(), count_of(call)));
  return text_list(call, ids);
}

const gotemplate::FunctionSet& alert_functions() {
  static const gotemplate::FunctionSet functions = [] {
    gotemplate::FunctionSet set;
    set.add_all(gotemplate::builtin_functions()).add_all(gotemplate::shared_functions());
    set.add("humanize", "a", humanized<humanize>).add("humanize1024", "a", humanized<humanize1024>);
    set.add("humanizeDuration", "a", humanized<humanize_duration>);
    set.add("humanizePercentage", "a", humanized<humanize_percentage>);
    set.add("humanizeTimestamp", "a", timestamp_for_people);
    set.add("query", "s", run_query).add("first", "a", first_sample).add("value", "a", value_of_sample);
    set.add("label", "sa", label_of_sample)
        .add("strvalue", "a", string_value_of_sample)
        .add("sortByLabel", "sa", sort_by_label);
    set.add("toUpper", "s", to_upper)
        .add("toLower", "s", to_lower)
        .add("title", "s", title)
        .add("match", "ss", regex_match);
    set.add("stripPort", "s", strip_port).add("stripDomain", "s", strip_domain).add("safeHtml", "s", same_text);
    set.add("urlQueryEscape", "s", url_query_escape).add("now", "", now_seconds);
    set.add("parseDuration", "s", parse_duration_seconds)
        .add("externalURL", "", external_url)
        .add("pathPrefix", "", path_prefix);
    set.add("toTime", "a", to_time).add("toDuration", "a", to_duration).add("args", "a*", arguments_map);
    set.add("graphLink", "s", graph_link).add("tableLink", "s", table_link);
    set.add("grafanaExplore", "ss", grafana_explore).add("jaegerTrace", "ss", jaeger_trace);
    set.add("logQuery", "", log_query).add("logLink", "s", log_link).add("logLines", "i", log_lines);
    set.add("traceIDs", "i", trace_ids_of_lines);
    set.add("reReplaceAll", "sss", regex_replace);
    return set;
  }();
  return functions;
}

Result<gotemplate::Template> parse_template(std::string_view alert, std::string_view text) {
  return gotemplate::Template::parse("__alert_" + std::string(alert), std::string(kVariables) + std::string(text),
                                     alert_functions());
}

Result<std::string> expand(std::string_view alert, std::string_view text, const TemplateData& data) {
  KVASIR_TRY(const auto parsed, parse_template(alert, text));
  AlertEnvironment environment;
  environment.now = data.now;
  environment.data = &data;
  const LabelMap labels(data.labels), external_labels(data.external_labels);
  gotemplate::OwnedMap root;
  root.set("ExternalLabels", Value::map(&external_labels));
  root.set("ExternalURL", Value::string(data.external_url));
  root.set("Labels", Value::map(&labels));
  root.set("Value", Value::real(data.value));
  std::string out;
  KVASIR_CHECK_OK(parsed.execute(Value::map(&root), environment, out));
  return out;
}

}  // namespace

Result<void> check_alert_template(std::string_view alert, std::string_view text) {
  if (text.find("{{") == std::string_view::npos) return {};
  KVASIR_TRY(const auto parsed, parse_template(alert, text));
  (void)parsed;
  return {};
}

std::string expand_alert_template(std::string_view alert, std::string_view text, const TemplateData& data) {
  if (text.find("{{") == std::string_view::npos) return std::string(text);
  auto expanded = expand(alert, text, data);
  if (expanded) return std::move(*expanded);
  return fmt::format("<error expanding template: error executing template __alert_{}: {}>", alert,
                     expanded.error().message());
}

}  // namespace kvasir::alerts
