#include "promtail-agent/discovery/kubernetes_access.h"

#include <fmt/format.h>

#include <cstdlib>

#include "common/filesystem.h"
#include "common/net/http_client.h"
#include "common/yaml.h"

namespace kvasir::agent {

namespace {

inline constexpr const char* kAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
inline constexpr std::uint64_t kSmallFileMax = 1 << 20;

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

}  // namespace

Result<KubernetesAccess> read_kubeconfig(const std::string& path) {
  KVASIR_TRY(const std::string text, posix_filesystem().read_all(path, kSmallFileMax));
  KVASIR_TRY(const YamlNode root, parse_yaml(text));
  const YamlNode* context = named(root, "contexts", find_text(&root, "current-context"), "context");
  if (context == nullptr) return fail(ErrorCode::kInvalidArgument, "kubeconfig: no current context");
  const YamlNode* cluster = named(root, "clusters", find_text(context, "cluster"), "cluster");
  const YamlNode* user = named(root, "users", find_text(context, "user"), "user");
  for (const char* plugin : {"exec", "auth-provider"}) {
    if (user != nullptr && user->find(plugin) != nullptr)
      return fail(ErrorCode::kUnsupported,
                  fmt::format("kubeconfig: users with {} are not supported: give a token, tokenFile or certificate", plugin));
  }
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

Result<KubernetesAccess> find_kubernetes_access(const KubernetesSdConfig& config) {
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
    access.name_space = own->substr(0, own->find_last_not_of("\n ") + 1);
  return access;
}

}  // namespace kvasir::agent
