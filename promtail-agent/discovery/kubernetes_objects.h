// kubernetes_objects.h -- targets out of the objects of the Kubernetes API.
//
// Labels:   __meta_kubernetes_*, as configurations of Promtail and Prometheus use them.
// Notes:    a pod needs no address: its log files are there before it has one.
// Threads:  any.
#pragma once

#include <simdjson.h>

#include <string>
#include <vector>

#include "promtail-agent/config/config.h"

namespace kvasir::agent {

struct KubernetesObject {
  std::string key;                     // namespace/name
  std::string node;                    // of a pod
  std::vector<TargetGroup> groups;
  StringMap own_labels;                // of a node: what attach_metadata gives to its pods
};

/// REQUIRES: kubernetes_path() knows the role.
KubernetesObject kubernetes_object(const std::string& role, simdjson::dom::element object);

/// The path of the API under which objects of the role are listed, for a namespace or (empty) all of them. Empty: not
/// supported.
std::string kubernetes_path(const std::string& role, const std::string& name_space);

}  // namespace kvasir::agent
