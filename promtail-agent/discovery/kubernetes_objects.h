// kubernetes_objects.h -- targets out of the objects of the Kubernetes API.
//
// Labels:   __meta_kubernetes_*, as configurations of Promtail and Prometheus use them. A target may borrow labels of
//           other objects by their names: `node/n1`, `namespace/shop`, `pod/shop/api-1`, `pod/shop/api-1:8080/TCP` (the
//           container with that port), `service/shop/api`.
// Notes:    a pod needs no address: its log files are there before it has one.
// Threads:  any.
#pragma once

#include <simdjson.h>

#include <map>
#include <string>
#include <vector>

#include "common/result.h"
#include "promtail-agent/config/config.h"

namespace kvasir::agent {

struct KubernetesTarget {
  TargetGroup group;
  std::vector<std::string> borrows;
};

struct KubernetesObject {
  std::string key;                          // namespace/name
  std::vector<KubernetesTarget> targets;
  std::map<std::string, StringMap> lends;   // by the name under which others borrow
};

/// `role`: pod, node, service, endpoints, endpointslice, ingress, namespace; of others only the key is read.
KubernetesObject kubernetes_object(const std::string& role, simdjson::dom::element object);

/// The path of the API under which objects of the role are listed, for a namespace or (empty) all of them. Empty: no
/// such role.
std::string kubernetes_path(const std::string& role, const std::string& name_space);

/// What a list answers. Errors: parse.
struct KubernetesList {
  std::string version;                      // where a watch goes on
  std::map<std::string, KubernetesObject> objects;
};
Result<KubernetesList> parse_kubernetes_list(const std::string& role, std::string_view json);

/// One line of a watch. Errors: parse; unavailable for an ERROR, with its code: the list has to be fetched again.
struct KubernetesEvent {
  enum class Kind { kSet, kDeleted, kBookmark } kind = Kind::kBookmark;
  std::string version;
  KubernetesObject object;
};
Result<KubernetesEvent> parse_kubernetes_event(const std::string& role, std::string_view line);

// By role, for kubernetes_object().
void add_services(simdjson::dom::element object, KubernetesObject& out);
void add_endpoints(simdjson::dom::element object, KubernetesObject& out);
void add_endpoint_slice(simdjson::dom::element object, KubernetesObject& out);
void add_ingress(simdjson::dom::element object, KubernetesObject& out);

}  // namespace kvasir::agent
