// docker_containers.h -- containers as the Docker API lists them, with labels as Prometheus' discovery gives them.
//
// Notes:    that discovery makes one target for each network and TCP port of a container; logs are followed per
//           container, so the first of its targets counts: the first network by name, its first TCP port. Hence
//           match_first_network changes nothing.
// Errors:   parse.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/labels.h"
#include "common/result.h"
#include "promtail-agent/config/config.h"

namespace kvasir::agent {

/// Labels of networks by their id.
using DockerNetworks = std::map<std::string, Labels, std::less<>>;

struct DockerContainer {
  std::string id;
  Labels labels;
};

/// The answer of /networks.
Result<DockerNetworks> parse_networks(std::string_view json);
/// The answer of /containers/json.
Result<std::vector<DockerContainer>> parse_containers(std::string_view json, const DockerNetworks& networks,
                                                      const DockerSdConfig& config);

}  // namespace kvasir::agent
