// kubernetes_sd.h -- targets from the Kubernetes API, by list and watch.
//
// Pods:     only those of this node (spec.nodeName), as a daemon set wants it.
// Order:    a list, then a watch from its version on; when the server ends the watch it is begun again at the newest
//           version, and after an error (410 Gone among them) with a new list.
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

}  // namespace kvasir::agent
