#include "promtail-agent/discovery/docker_containers.h"

#include <simdjson.h>

#include <optional>

#include "promtail-agent/discovery/kubernetes_json.h"
#include "promtail-agent/discovery/target_groups.h"

namespace kvasir::agent {

namespace {

constexpr std::string_view kPrefix = "__meta_docker_";

void set(Labels& labels, std::string_view name, const std::string& value) {
  if (!value.empty()) labels.set(std::string(kPrefix) + std::string(name), value);
}

/// The first network by name.
std::optional<simdjson::dom::element> first_network(simdjson::dom::element container) {
  simdjson::dom::object networks;
  if (container.at_pointer("/NetworkSettings/Networks").get(networks) != simdjson::SUCCESS) return std::nullopt;
  std::optional<simdjson::dom::element> found;
  std::string_view name;
  for (const auto network : networks) {
    if (found && network.key >= name) continue;
    found = network.value;
    name = network.key;
  }
  return found;
}

/// The first TCP port.
std::optional<simdjson::dom::element> first_port(simdjson::dom::element container) {
  std::optional<simdjson::dom::element> found;
  for_each_item(container, "/Ports", [&](simdjson::dom::element port) {
    if (!found && member_text(port, "/Type") == "tcp") found = port;
  });
  return found;
}

void set_address(simdjson::dom::element container, simdjson::dom::element network, const DockerSdConfig& config,
                 Labels& labels) {
  const std::string ip = member_text(network, "/IPAddress");
  set(labels, "network_ip", ip);
  const auto port = first_port(container);
  if (!port) {
    const bool host = member_text(container, "/HostConfig/NetworkMode") == "host";
    labels.set("__address__", host ? config.host_networking_host : joined_address(ip, std::to_string(config.port)));
    return;
  }
  const std::string inside = member_text(*port, "/PrivatePort");
  const std::string outside = member_text(*port, "/PublicPort");
  labels.set("__address__", joined_address(ip, inside));
  set(labels, "port_private", inside);
  if (outside.empty() || outside == "0") return;
  set(labels, "port_public", outside);
  set(labels, "port_public_ip", member_text(*port, "/IP"));
}

Labels container_labels(simdjson::dom::element item, const DockerNetworks& networks, const DockerSdConfig& config) {
  Labels labels;
  set(labels, "container_id", member_text(item, "/Id"));
  set(labels, "container_name", member_text(item, "/Names/0"));
  set(labels, "container_network_mode", member_text(item, "/HostConfig/NetworkMode"));
  for_each_text(item, "/Labels", [&](std::string_view name, std::string_view value) {
    set(labels, "container_label_" + sanitised_label_name(name), std::string(value));
  });
  const auto network = first_network(item);
  if (!network) return labels;
  set_address(item, *network, config, labels);
  const auto known = networks.find(member_text(*network, "/NetworkID"));
  if (known == networks.end()) return labels;
  for (const Label& label : known->second) labels.set(label.name, label.value);
  return labels;
}

}  // namespace

Result<DockerNetworks> parse_networks(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::array items;
  const simdjson::padded_string text(json);
  if (parser.parse(text).get(items) != simdjson::SUCCESS)
    return fail(ErrorCode::kParse, "docker: the list of networks is not readable");
  DockerNetworks networks;
  for (const auto item : items) {
    Labels labels;
    const std::string id = member_text(item, "/Id");
    set(labels, "network_id", id);
    set(labels, "network_name", member_text(item, "/Name"));
    set(labels, "network_scope", member_text(item, "/Scope"));
    set(labels, "network_internal", member_text(item, "/Internal"));
    set(labels, "network_ingress", member_text(item, "/Ingress"));
    for_each_text(item, "/Labels", [&](std::string_view name, std::string_view value) {
      set(labels, "network_label_" + sanitised_label_name(name), std::string(value));
    });
    networks.insert_or_assign(id, std::move(labels));
  }
  return networks;
}

Result<std::vector<DockerContainer>> parse_containers(std::string_view json, const DockerNetworks& networks,
                                                      const DockerSdConfig& config) {
  simdjson::dom::parser parser;
  simdjson::dom::array items;
  const simdjson::padded_string text(json);
  if (parser.parse(text).get(items) != simdjson::SUCCESS)
    return fail(ErrorCode::kParse, "docker: the list of containers is not readable");
  std::vector<DockerContainer> containers;
  for (const auto item : items)
    containers.push_back({member_text(item, "/Id"), container_labels(item, networks, config)});
  return containers;
}

}  // namespace kvasir::agent
