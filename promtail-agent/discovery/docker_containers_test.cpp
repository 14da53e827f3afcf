#include "promtail-agent/discovery/docker_containers.h"

#include <doctest/doctest.h>

namespace kvasir::agent {

namespace {

constexpr const char* kNetworks = R"([
{"Name": "shop", "Id": "n1", "Scope": "local", "Internal": false, "Ingress": true, "Labels": {"com.x/y": "z"}},
{"Name": "host", "Id": "n2", "Scope": "local", "Internal": true, "Ingress": false, "Labels": {}}])";

/// The labels of a container that has these members, without id and name.
std::string labels_of(const std::string& members) {
  DockerSdConfig config;
  config.port = 81;
  config.host_networking_host = "node7";
  const auto networks = parse_networks(kNetworks);
  const auto containers = parse_containers("[{\"Id\": \"c\", " + members + "}]", *networks, config);
  REQUIRE(containers);
  Labels labels = containers->at(0).labels;
  CHECK(labels.get("__meta_docker_container_id") == "c");
  labels.erase("__meta_docker_container_id");
  std::string text = labels.to_string();
  for (std::size_t at; (at = text.find("__meta_docker_")) != std::string::npos;) text.erase(at, 14);
  return text;
}

}  // namespace

TEST_CASE("a container has the labels of its first network and its first TCP port") {
  CHECK(labels_of(R"("Names": ["/web"], "Labels": {"a-b": "1"}, "HostConfig": {"NetworkMode": "shop"},
    "NetworkSettings": {"Networks": {"zoo": {"NetworkID": "n9", "IPAddress": "10.9.0.1"},
                                     "shop": {"NetworkID": "n1", "IPAddress": "10.0.0.2"}}},
    "Ports": [{"PrivatePort": 53, "Type": "udp"}, {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
              {"PrivatePort": 443, "Type": "tcp"}])") ==
        std::string(R"({__address__="10.0.0.2:80", container_label_a_b="1", container_name="/web", )") +
            R"(container_network_mode="shop", )" +
            R"(network_id="n1", network_ingress="true", network_internal="false", network_ip="10.0.0.2", )" +
            R"(network_label_com_x_y="z", network_name="shop", network_scope="local", port_private="80", )" +
            R"(port_public="8080", port_public_ip="0.0.0.0"})");
}

TEST_CASE("a container without a port has the configured one, in the host's network the configured host") {
  const std::string bridge = labels_of(
      R"("NetworkSettings": {"Networks": {"x": {"NetworkID": "?", "IPAddress": "fd00::1"}}}, "Ports": [])");
  CHECK(bridge == R"({__address__="[fd00::1]:81", network_ip="fd00::1"})");
  const std::string host = labels_of(
      R"("HostConfig": {"NetworkMode": "host"}, "NetworkSettings": {"Networks": {"host": {"NetworkID": "n2"}}})");
  CHECK(host.find(R"(__address__="node7")") != std::string::npos);
  CHECK(host.find(R"(network_internal="true")") != std::string::npos);
  CHECK(labels_of(R"("State": "running")") == "{}");
}

TEST_CASE("answers that are no lists are refused") {
  CHECK(!parse_networks("{}"));
  CHECK(!parse_containers("null", {}, {}));
}

}  // namespace kvasir::agent
