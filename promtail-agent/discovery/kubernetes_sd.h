// kubernetes_sd.h -- pods, nodes, services and endpoints from the Kubernetes API, by list and watch.
//
// Access:   api_server with the HTTP options, a kubeconfig file, or the service account of the pod this runs in.
// Pods:     only those of this node (spec.nodeName), as a daemon set wants it.
// Errors:   invalid_argument at creation; later the list is fetched again after a pause and the last one stays.
// Threads:  one per namespace and selector.
#pragma once

#include <memory>
#include <string>

#include "common/clock.h"
#include "common/result.h"
#include "promtail-agent/config/config.h"
#include "promtail-agent/discovery/discovery.h"

namespace kvasir::agent {

Result<std::unique_ptr<Discovery>> make_kubernetes_sd(const KubernetesSdConfig& config, const std::string& hostname,
                                                      const Clock& clock);

struct KubernetesAccess {
  std::string server;
  HttpConfig http;
  std::string name_space;  // of the service account
};
/// Errors: io, parse, invalid_argument.
Result<KubernetesAccess> read_kubeconfig(const std::string& path);

}  // namespace kvasir::agent
