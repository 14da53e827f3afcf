// kubernetes_access.h -- where the Kubernetes API is and how it is asked.
//
// Errors:   io, parse, invalid_argument.
#pragma once

#include <string>

#include "common/result.h"
#include "promtail-agent/config/config.h"

namespace kvasir::agent {

struct KubernetesAccess {
  std::string server;
  HttpConfig http;
  std::string name_space;  // of the service account, or the context's
};

/// api_server with the HTTP options, a kubeconfig file, or the service account of the pod this runs in.
Result<KubernetesAccess> find_kubernetes_access(const KubernetesSdConfig& config);
Result<KubernetesAccess> read_kubeconfig(const std::string& path);

}  // namespace kvasir::agent
