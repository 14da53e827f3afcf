#include "promtail-agent/discovery/kubernetes_sd.h"

#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <stop_token>
#include <thread>

#include "common/filesystem.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/net/http_client.h"
#include "common/yaml.h"
#include "promtail-agent/client/http_sender.h"
#include "promtail-agent/discovery/kubernetes_objects.h"

namespace kvasir::agent {

namespace {

inline constexpr const char* kAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
inline constexpr std::uint64_t kSmallFileMax = 1 << 20;
inline constexpr int kWatchSeconds = 300;
inline constexpr Duration kListTimeout = std::chrono::seconds(30);
inline constexpr Duration kRetryPause = std::chrono::seconds(2);
inline constexpr std::size_t kEventBytesMax = 64 << 20;

std::string find_text(const YamlNode* node, std::string_view key) {
  const YamlNode* found = node == nullptr ? nullptr : node->find(key);
  return found == nullptr ? std::string() : found->as_text().value_or("");
}

/// The item of a kubeconfig list with that name, and in it the block called `inner`.
const YamlNode* named(const YamlNode& root, std::string_view list, const std::string& name, std::string_view inner) {
  const YamlNode* items = root.find(list);
  if (items == nullptr) return nullptr;
  for (const YamlNode& item : items->items) {
    if (find_text(&item, "name") == name) return item.find(inner);
  }
  return nullptr;
}

std::string decoded(const std::string& base64) {
  auto bytes = net::base64_decode(base64);
  return bytes ? *bytes : std::string();
}

/// What is watched in one place: a namespace and a selector.
struct Scope {
  std::string role;
  std::string path;
  std::string field_selector;
  std::string label_selector;
};

class KubernetesSd final : public Discovery {
 public:
  KubernetesSd(KubernetesAccess access, std::vector<Scope> scopes, std::unique_ptr<HttpSender> http)
      : access_(std::move(access)), scopes_(std::move(scopes)), http_(std::move(http)) {}
  ~KubernetesSd() override { stop(); }

  void start(Callback callback) override {
    callback_ = std::move(callback);
    for (std::size_t i = 0; i < scopes_.size(); ++i) threads_.emplace_back([this, i] { follow(i); });
  }

  void stop() override {
    {
      const MutexLock lock(mutex_);
      stop_.request_stop();
      wake_.notify_all();
    }
    for (auto& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

 private:
  struct Event {
    std::string type;
    std::string version;
  };

  void follow(std::size_t scope) {
    std::string told;
    while (!stop_.stop_requested()) {
      std::string version;
      Result<void> result = list(scope, version);
      while (result && !stop_.stop_requested()) result = watch(scope, version);
      if (stop_.stop_requested()) return;
      if (result.error().message() != told) {
        told = result.error().message();
        log::error("kubernetes_sd", "cannot follow the API server, keeping the last targets", {{"error", told}});
      }
      MutexLock lock(mutex_);
      wake_.wait_for(lock, kRetryPause, [this] { return stop_.stop_requested(); });
    }
  }

  net::HttpCall call_for(const Scope& scope, const std::string& extra) const {
    net::HttpParams params;
    if (!scope.field_selector.empty()) params.add("fieldSelector", scope.field_selector);
    if (!scope.label_selector.empty()) params.add("labelSelector", scope.label_selector);
    net::HttpCall call;
    const std::string encoded = params.encode();
    call.url = access_.server + scope.path + "?" + encoded + (encoded.empty() || extra.empty() ? "" : "&") + extra;
    call.headers.set("Accept", "application/json");
    call.stop = stop_.get_token();
    return call;
  }

  Result<void> list(std::size_t index, std::string& version) {
    const Scope& scope = scopes_[index];
    net::HttpCall call = call_for(scope, "");
    call.timeout = kListTimeout;
    KVASIR_TRY(const net::HttpResponse response, http_->send(std::move(call)));
    if (response.status != 200) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("list {}: server returned HTTP status {}", scope.path, response.status));
    }
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    simdjson::dom::array items;
    const simdjson::padded_string body(response.body);
    if (parser.parse(body).get(root) != simdjson::SUCCESS) return fail(ErrorCode::kParse, "list: not JSON");
    std::string_view found;
    if (root.at_pointer("/metadata/resourceVersion").get(found) == simdjson::SUCCESS) version = found;
    std::map<std::string, KubernetesObject> objects;
    if (root["items"].get(items) == simdjson::SUCCESS) {
      for (const auto item : items) {
        KubernetesObject object = kubernetes_object(scope.role, item);
        objects[object.key] = std::move(object);
      }
    }
    {
      const MutexLock lock(mutex_);
      objects_[index] = std::move(objects);
    }
    publish();
    return {};
  }

  /// Until the server ends the watch (then again from the newest version) or something is wrong.
  Result<void> watch(std::size_t index, std::string& version) {
    net::HttpCall call =
        call_for(scopes_[index], fmt::format("watch=true&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
                                             kWatchSeconds, version));
    call.timeout = std::chrono::seconds(kWatchSeconds + 30);
    std::string held;
    Result<void> applied;
    const auto response = http_->stream(std::move(call), [&](const net::HttpResponse& head, std::string_view piece) {
      if (head.status != 200) return true;
      held.append(piece);
      std::size_t from = 0;
      for (std::size_t end; applied && (end = held.find('\n', from)) != std::string::npos; from = end + 1) {
        applied = apply(index, std::string_view(held).substr(from, end - from), version);
      }
      held.erase(0, from);
      return applied.has_value() && held.size() < kEventBytesMax;
    });
    if (!applied) return applied;
    if (!response) return fail(response.error().with_context("watch"));
    if (response->status != 200)
      return fail(ErrorCode::kUnavailable, fmt::format("watch: server returned HTTP status {}", response->status));
    return {};
  }

  Result<void> apply(std::size_t index, std::string_view line, std::string& version) {
    if (line.empty()) return {};
    simdjson::dom::parser parser;
    simdjson::dom::element root, object;
    std::string_view type;
    const simdjson::padded_string text(line);
    if (parser.parse(text).get(root) != simdjson::SUCCESS || root["type"].get(type) != simdjson::SUCCESS ||
        root["object"].get(object) != simdjson::SUCCESS) {
      return fail(ErrorCode::kParse, "watch: event is not readable");
    }
    if (type == "ERROR") return fail(ErrorCode::kUnavailable, "watch: the server ended it with an error");
    std::string_view found;
    if (object.at_pointer("/metadata/resourceVersion").get(found) == simdjson::SUCCESS) version = found;
    if (type == "BOOKMARK") return {};
    KubernetesObject changed = kubernetes_object(scopes_[index].role, object);
    {
      const MutexLock lock(mutex_);
      if (type == "DELETED") {
        objects_[index].erase(changed.key);
      } else {
        objects_[index][changed.key] = std::move(changed);
      }
    }
    publish();
    return {};
  }

  void publish() {
    std::vector<TargetGroup> groups;
    {
      const MutexLock lock(mutex_);
      std::map<std::string, const KubernetesObject*> nodes;
      for (const auto& [index, objects] : objects_) {
        if (scopes_[index].role != "node") continue;
        for (const auto& [key, node] : objects) nodes[key.substr(1)] = &node;
      }
      for (const auto& [index, objects] : objects_) {
        if (scopes_[index].role != scopes_.front().role) continue;  // nodes that only lend their labels
        for (const auto& [key, object] : objects) {
          for (TargetGroup group : object.groups) {
            const auto node = nodes.find(object.node);
            if (node != nodes.end() && !object.node.empty()) {
              group.labels.insert(node->second->own_labels.begin(), node->second->own_labels.end());
            }
            groups.push_back(std::move(group));
          }
        }
      }
    }
    callback_(std::move(groups));
  }

  const KubernetesAccess access_;
  const std::vector<Scope> scopes_;
  std::unique_ptr<HttpSender> http_;
  Callback callback_;
  std::stop_source stop_;
  Mutex mutex_;
  Condition wake_;
  std::map<std::size_t, std::map<std::string, KubernetesObject>> objects_ KVASIR_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

Result<KubernetesAccess> find_access(const KubernetesSdConfig& config) {
  if (!config.kubeconfig_file.empty()) return read_kubeconfig(config.kubeconfig_file);
  KubernetesAccess access;
  access.http = config.http;
  if (!config.api_server.empty()) {
    access.server = config.api_server;
    while (access.server.ends_with('/')) access.server.pop_back();
    return access;
  }
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr) {
    return fail(
        ErrorCode::kInvalidArgument,
        "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined");
  }
  const std::string name(host);
  access.server = fmt::format("https://{}:{}", name.find(':') == std::string::npos ? name : "[" + name + "]", port);
  access.http.bearer_token_file = std::string(kAccountFolder) + "/token";
  access.http.tls.ca_file = std::string(kAccountFolder) + "/ca.crt";
  if (auto own = posix_filesystem().read_all(std::string(kAccountFolder) + "/namespace", kSmallFileMax))
    access.name_space = *own;
  return access;
}

std::vector<Scope> make_scopes(const KubernetesSdConfig& config, const KubernetesAccess& access,
                               const std::string& node) {
  std::vector<std::string> namespaces = config.namespaces;
  if (config.own_namespace && !access.name_space.empty()) namespaces.push_back(access.name_space);
  if (namespaces.empty() || config.role == "node") namespaces = {""};
  std::vector<Scope> scopes;
  for (const std::string& name_space : namespaces) {
    Scope base{config.role, kubernetes_path(config.role, name_space), "", ""};
    bool any = false;
    for (const auto& selector : config.selectors) {
      if (selector.role != config.role) continue;
      Scope scope = base;
      scope.field_selector = selector.field;
      scope.label_selector = selector.label;
      scopes.push_back(std::move(scope));
      any = true;
    }
    if (!any) scopes.push_back(base);
  }
  if (config.role == "pod") {
    for (Scope& scope : scopes)
      scope.field_selector += (scope.field_selector.empty() ? "" : ",") + ("spec.nodeName=" + node);
  }
  if (config.attach_node && config.role == "pod")
    scopes.push_back({"node", kubernetes_path("node", ""), "metadata.name=" + node, ""});
  return scopes;
}

}  // namespace

Result<KubernetesAccess> read_kubeconfig(const std::string& path) {
  KVASIR_TRY(const std::string text, posix_filesystem().read_all(path, kSmallFileMax));
  KVASIR_TRY(const YamlNode root, parse_yaml(text));
  const YamlNode* context = named(root, "contexts", find_text(&root, "current-context"), "context");
  if (context == nullptr) return fail(ErrorCode::kInvalidArgument, "kubeconfig: no current context");
  const YamlNode* cluster = named(root, "clusters", find_text(context, "cluster"), "cluster");
  const YamlNode* user = named(root, "users", find_text(context, "user"), "user");
  KubernetesAccess access;
  access.server = find_text(cluster, "server");
  if (access.server.empty()) return fail(ErrorCode::kInvalidArgument, "kubeconfig: no server");
  access.name_space = find_text(context, "namespace");
  TlsConfig& tls = access.http.tls;
  tls.ca_file = find_text(cluster, "certificate-authority");
  tls.ca = decoded(find_text(cluster, "certificate-authority-data"));
  tls.insecure_skip_verify = find_text(cluster, "insecure-skip-tls-verify") == "true";
  tls.server_name = find_text(cluster, "tls-server-name");
  tls.cert_file = find_text(user, "client-certificate");
  tls.cert = decoded(find_text(user, "client-certificate-data"));
  tls.key_file = find_text(user, "client-key");
  tls.key = decoded(find_text(user, "client-key-data"));
  access.http.bearer_token = find_text(user, "token");
  access.http.bearer_token_file = find_text(user, "tokenFile");
  access.http.basic_auth.username = find_text(user, "username");
  access.http.basic_auth.password = find_text(user, "password");
  access.http.basic_auth.set = !access.http.basic_auth.username.empty();
  return access;
}

Result<std::unique_ptr<Discovery>> make_kubernetes_sd(const KubernetesSdConfig& config, const std::string& hostname,
                                                      const Clock& clock) {
  if (kubernetes_path(config.role, "").empty()) {
    return fail(ErrorCode::kUnsupported, fmt::format("kubernetes_sd_configs: role {} is not supported", config.role));
  }
  KVASIR_TRY(KubernetesAccess access, find_access(config));
  const char* from_environment = std::getenv("NODE_NAME");
  const std::string node = !config.node_name.empty()                                  ? config.node_name
                           : from_environment != nullptr && *from_environment != 0 ? from_environment
                                                                                   : hostname;
  auto scopes = make_scopes(config, access, node);
  KVASIR_TRY(auto http, HttpSender::create(access.http, {}, clock));
  return std::unique_ptr<Discovery>(new KubernetesSd(std::move(access), std::move(scopes), std::move(http)));
}

}  // namespace kvasir::agent
