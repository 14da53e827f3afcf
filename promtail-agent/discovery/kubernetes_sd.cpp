#include "promtail-agent/discovery/kubernetes_sd.h"

#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <stop_token>
#include <thread>

#include "common/log.h"
#include "common/mutex.h"
#include "common/net/http_client.h"
#include "promtail-agent/client/http_sender.h"
#include "promtail-agent/discovery/kubernetes_access.h"
#include "promtail-agent/discovery/kubernetes_objects.h"

namespace kvasir::agent {

namespace {

inline constexpr int kWatchSeconds = 300;
inline constexpr Duration kListTimeout = std::chrono::seconds(30);
inline constexpr Duration kRetryPause = std::chrono::seconds(2);
inline constexpr Duration kShortWatch = std::chrono::seconds(1);
inline constexpr std::size_t kEventBytesMax = 64 << 20;

/// What is watched in one place: a namespace and a selector.
struct Scope {
  std::string role;
  std::string path;
  std::string field_selector;
  std::string label_selector;
  bool lends_only = false;  // its objects are no targets, they lend labels to those
};

/// Which owners of a pod give it a label.
struct Attached {
  bool deployment = false, job = false, cronjob = false;
};

class KubernetesSd final : public Discovery {
 public:
  KubernetesSd(KubernetesAccess access, std::vector<Scope> scopes, Attached attach, std::unique_ptr<HttpSender> http)
      : access_(std::move(access)), scopes_(std::move(scopes)), attach_(attach), http_(std::move(http)) {}
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
  void follow(std::size_t scope) {
    std::string told;
    while (!stop_.stop_requested()) {
      std::string version;
      Result<void> result = list(scope, version);
      while (result && !stop_.stop_requested()) {
        const auto since = std::chrono::steady_clock::now();
        result = watch(scope, version);
        if (!result) break;
        told.clear();
        if (std::chrono::steady_clock::now() - since < kShortWatch) pause();  // somebody closes them at once
      }
      if (stop_.stop_requested()) return;
      if (result.error().message() != told) {
        told = result.error().message();
        log::error("kubernetes_sd", "cannot follow the API server, keeping the last targets", {{"error", told}});
      }
      pause();
    }
  }

  void pause() {
    MutexLock lock(mutex_);
    wake_.wait_for(lock, kRetryPause, [this] { return stop_.stop_requested(); });
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
    if (response.status == 403) do_without(index);
    if (response.status != 200) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("list {}: server returned HTTP status {}", scope.path, response.status));
    }
    KVASIR_TRY(KubernetesList listed, parse_kubernetes_list(scope.role, response.body));
    version = std::move(listed.version);
    replace(index, std::move(listed.objects));
    return {};
  }

  void replace(std::size_t index, std::map<std::string, KubernetesObject> objects) {
    {
      const MutexLock lock(mutex_);
      objects_[index] = std::move(objects);
    }
    publish();
  }

  /// What may not be read has nothing; those of other namespaces do not wait for it.
  void do_without(std::size_t index) {
    {
      const MutexLock lock(mutex_);
      if (!objects_.try_emplace(index).second) return;
    }
    publish();
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
    KVASIR_TRY(KubernetesEvent event, parse_kubernetes_event(scopes_[index].role, line));
    if (!event.version.empty()) version = std::move(event.version);
    if (event.kind == KubernetesEvent::Kind::kBookmark) return {};
    {
      const MutexLock lock(mutex_);
      if (event.kind == KubernetesEvent::Kind::kDeleted) {
        objects_[index].erase(event.object.key);
      } else {
        objects_[index][event.object.key] = std::move(event.object);
      }
    }
    publish();
    return {};
  }

  /// Nothing until all that lend labels were listed: a target told before them would be read without these. Targets of
  /// a namespace that may not be read keep no other's waiting. One at a time: of two threads' lists, the older must not
  /// be told last.
  void publish() {
    const MutexLock telling(telling_);
    std::vector<TargetGroup> groups;
    {
      const MutexLock lock(mutex_);
      for (std::size_t i = 0; i < scopes_.size(); ++i) {
        if (scopes_[i].lends_only && !objects_.contains(i)) return;
      }
      std::map<std::string_view, const StringMap*> lenders;
      for (const auto& [index, objects] : objects_) {
        for (const auto& [key, object] : objects) {
          for (const auto& [name, labels] : object.lends) {
            if (lends(scopes_[index], name)) lenders[name] = &labels;
          }
        }
      }
      for (const auto& [index, objects] : objects_) {
        if (scopes_[index].lends_only) continue;
        for (const auto& [key, object] : objects) {
          for (const KubernetesTarget& target : object.targets) groups.push_back(with_borrowed(target, lenders));
        }
      }
    }
    callback_(std::move(groups));
  }

  /// What a pod tells of its own owners is only lent where it was asked for.
  bool lends(const Scope& scope, std::string_view name) const {
    if (name.starts_with("deployment-of/")) return attach_.deployment;
    if (name.starts_with("job-of/")) return attach_.job;
    if (name.starts_with("cronjob-of/")) return attach_.cronjob;
    return scope.lends_only;
  }

  static TargetGroup with_borrowed(const KubernetesTarget& target,
                                   const std::map<std::string_view, const StringMap*>& lenders) {
    TargetGroup group = target.group;
    for (const std::string& name : target.borrows) {
      const auto found = lenders.find(name);
      if (found != lenders.end()) group.labels.insert(found->second->begin(), found->second->end());
    }
    return group;
  }

  const KubernetesAccess access_;
  const std::vector<Scope> scopes_;
  const Attached attach_;
  std::unique_ptr<HttpSender> http_;
  Callback callback_;
  std::stop_source stop_;
  Mutex telling_;  // taken before mutex_
  Mutex mutex_;
  Condition wake_;
  std::map<std::size_t, std::map<std::string, KubernetesObject>> objects_ KVASIR_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

/// A scope for each selector of the role, or one without any.
void add_scopes(const KubernetesSdConfig& config, const std::string& role, const std::string& name_space,
                bool lends_only, std::vector<Scope>& out) {
  const Scope base{role, kubernetes_path(role, name_space), "", "", lends_only};
  bool any = false;
  for (const auto& selector : config.selectors) {
    if (selector.role != role) continue;
    Scope scope = base;
    scope.field_selector = selector.field;
    scope.label_selector = selector.label;
    out.push_back(std::move(scope));
    any = true;
  }
  if (!any) out.push_back(base);
}

std::vector<Scope> make_scopes(const KubernetesSdConfig& config, const KubernetesAccess& access,
                               const std::string& node) {
  std::vector<std::string> namespaces = config.namespaces;
  if (config.own_namespace && !access.name_space.empty()) namespaces.push_back(access.name_space);
  if (namespaces.empty() || config.role == "node") namespaces = {""};
  const bool endpoints = config.role == "endpoints" || config.role == "endpointslice";
  std::vector<Scope> scopes;
  for (const std::string& name_space : namespaces) {
    add_scopes(config, config.role, name_space, false, scopes);
    if (!endpoints) continue;
    add_scopes(config, "service", name_space, true, scopes);
    add_scopes(config, "pod", name_space, true, scopes);
  }
  if (config.role == "pod") {
    for (Scope& scope : scopes)
      scope.field_selector += (scope.field_selector.empty() ? "" : ",") + ("spec.nodeName=" + node);
  }
  if (config.attach_node && config.role == "pod")
    scopes.push_back({"node", kubernetes_path("node", ""), "metadata.name=" + node, "", true});
  if (config.attach_namespace && config.role != "node") {
    scopes.push_back({"namespace", kubernetes_path("namespace", ""), "", "", true});
  }
  return scopes;
}

}  // namespace

Result<std::unique_ptr<Discovery>> make_kubernetes_sd(const KubernetesSdConfig& config, const std::string& hostname,
                                                      const Clock& clock) {
  KVASIR_TRY(KubernetesAccess access, find_kubernetes_access(config));
  const char* from_environment = std::getenv("NODE_NAME");
  const std::string node = !config.node_name.empty()                                  ? config.node_name
                           : from_environment != nullptr && *from_environment != 0 ? from_environment
                                                                                   : hostname;
  auto scopes = make_scopes(config, access, node);
  KVASIR_TRY(auto http, HttpSender::create(access.http, {}, clock));
  const Attached attach{config.attach_deployment, config.attach_job, config.attach_cronjob};
  return std::make_unique<KubernetesSd>(std::move(access), std::move(scopes), attach, std::move(http));
}

}  // namespace kvasir::agent
