#include <fmt/format.h>

#include "common/number.h"
#include "promtail-agent/config/load.h"

namespace kvasir::agent {

namespace {

/// Writes `key: value` lines at a depth.
class YamlPrinter {
 public:
  YamlPrinter(std::string& out, int depth) : out_(out), depth_(depth) {}

  void open(std::string_view key) { line(fmt::format("{}:", key)), ++depth_; }
  void close() { --depth_; }
  void text(std::string_view key, std::string_view value) { line(fmt::format("{}: {}", key, yaml_scalar(value))); }
  void some(std::string_view key, std::string_view value) {
    if (!value.empty()) text(key, value);
  }
  void secret(std::string_view key, std::string_view value) {
    if (!value.empty()) line(fmt::format("{}: <secret>", key));
  }
  void flag(std::string_view key, bool value) { line(fmt::format("{}: {}", key, value)); }
  void number(std::string_view key, std::int64_t value) { line(fmt::format("{}: {}", key, value)); }
  void duration(std::string_view key, Duration value) { line(fmt::format("{}: {}", key, format_go_duration(value))); }
  void map(std::string_view key, const StringMap& values, int deeper = 0) {
    if (values.empty()) return;
    open(key);
    depth_ += deeper;
    for (const auto& [name, value] : values) text(yaml_scalar(name), value);
    depth_ -= deeper;
    close();
  }
  void line(std::string_view text) {
    out_.append(static_cast<std::size_t>(depth_) * 2, ' ');
    out_ += text;
    out_ += '\n';
  }
  void node(const YamlNode& value);

 private:
  std::string& out_;
  int depth_;
};

void YamlPrinter::node(const YamlNode& value) {
  for (const auto& entry : value.entries) {
    if (entry.value.is_scalar() || entry.value.is_null()) {
      text(yaml_scalar(entry.key), entry.value.text);
      continue;
    }
    open(yaml_scalar(entry.key));
    node(entry.value);
    close();
  }
  for (const YamlNode& item : value.items) {
    if (item.is_scalar() || item.is_null()) {
      line("- " + yaml_scalar(item.text));
      continue;
    }
    line("-");
    ++depth_;
    node(item);
    --depth_;
  }
}

void print_http(YamlPrinter& p, const HttpConfig& http) {
  if (http.basic_auth.set) {
    p.open("basic_auth");
    p.some("username", http.basic_auth.username);
    p.some("username_file", http.basic_auth.username_file);
    p.secret("password", http.basic_auth.password);
    p.some("password_file", http.basic_auth.password_file);
    p.close();
  }
  p.secret("bearer_token", http.bearer_token);
  p.some("bearer_token_file", http.bearer_token_file);
  if (http.authorization_set) {
    p.open("authorization");
    p.text("type", http.authorization_type);
    p.secret("credentials", http.credentials);
    p.some("credentials_file", http.credentials_file);
    p.close();
  }
  p.some("proxy_url", http.proxy_url);
  p.flag("follow_redirects", http.follow_redirects);
}

void print_client_at(YamlPrinter& p, const ClientConfig& client) {
  p.some("name", client.name);
  const std::size_t at = client.url.find('@');
  const std::size_t slashes = client.url.find("://");
  const bool user = at != std::string::npos && slashes != std::string::npos && at < client.url.find('/', slashes + 3);
  p.text("url", user ? client.url.substr(0, slashes + 3) + "xxxxx" + client.url.substr(at) : client.url);
  p.duration("batchwait", client.batch_wait);
  p.number("batchsize", static_cast<std::int64_t>(client.batch_bytes));
  print_http(p, client.http);
  p.open("backoff_config");
  p.duration("min_period", client.backoff.min_period);
  p.duration("max_period", client.backoff.max_period);
  p.number("max_retries", client.backoff.max_retries);
  p.close();
  p.map("external_labels", client.external_labels);
  p.map("headers", client.headers);
  p.duration("timeout", client.timeout);
  p.text("tenant_id", client.tenant_id);
  p.flag("drop_rate_limited_batches", client.drop_rate_limited_batches);
}

void print_scrape(YamlPrinter& p, const ScrapeConfig& scrape) {
  p.text("job_name", scrape.job_name);
  if (!scrape.pipeline_stages.is_null()) {
    p.open("pipeline_stages");
    p.node(scrape.pipeline_stages);
    p.close();
  }
  if (!scrape.relabel_configs.is_null()) {
    p.open("relabel_configs");
    p.node(scrape.relabel_configs);
    p.close();
  }
  p.some("encoding", scrape.encoding);
  if (scrape.static_configs.empty()) return;
  p.line("static_configs:");
  for (const TargetGroup& group : scrape.static_configs) {
    std::string targets;
    for (const auto& target : group.targets) targets += (targets.empty() ? "" : ", ") + yaml_scalar(target);
    p.line(fmt::format("- targets: [{}]", targets));
    p.map("  labels", group.labels, 1);
  }
}

}  // namespace

std::string print_client(const ClientConfig& client) {
  std::string out;
  YamlPrinter printer(out, 0);
  print_client_at(printer, client);
  return out;
}

std::string print_config(const Config& config) {
  std::string out;
  YamlPrinter p(out, 0);
  p.open("server");
  p.text("http_listen_address", config.server.listen_address);
  p.number("http_listen_port", config.server.listen_port);
  p.text("http_path_prefix", config.server.path_prefix);
  p.text("log_level", config.server.log_level);
  p.text("log_format", config.server.log_format);
  p.flag("enable_runtime_reload", config.server.enable_runtime_reload);
  p.flag("disable", config.server.disable);
  p.close();
  p.line("clients:");
  for (const ClientConfig& client : config.clients) {
    p.line("-");
    YamlPrinter inner(out, 1);
    print_client_at(inner, client);
  }
  p.open("positions");
  p.text("filename", config.positions.filename);
  p.duration("sync_period", config.positions.sync_period);
  p.flag("ignore_invalid_yaml", config.positions.ignore_invalid_yaml);
  p.close();
  p.line("scrape_configs:");
  for (const ScrapeConfig& scrape : config.scrape_configs) {
    p.line("-");
    YamlPrinter inner(out, 1);
    print_scrape(inner, scrape);
  }
  p.open("target_config");
  p.duration("sync_period", config.sync_period);
  p.flag("stdin", config.stdin_target);
  p.close();
  p.open("limits_config");
  p.line(fmt::format("readline_rate: {}", config.limits.readline_rate));
  p.number("readline_burst", config.limits.readline_burst);
  p.flag("readline_rate_enabled", config.limits.readline_rate_enabled);
  p.flag("readline_rate_drop", config.limits.readline_rate_drop);
  p.number("max_streams", config.limits.max_streams);
  p.number("max_line_size", static_cast<std::int64_t>(config.limits.max_line_size));
  p.flag("max_line_size_truncate", config.limits.max_line_size_truncate);
  p.close();
  return out;
}

}  // namespace kvasir::agent
