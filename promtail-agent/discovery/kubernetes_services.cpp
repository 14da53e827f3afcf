// Targets of services, endpoints, endpoint slices and ingresses.
#include <fmt/format.h>

#include "promtail-agent/discovery/kubernetes_json.h"
#include "promtail-agent/discovery/kubernetes_objects.h"
#include "promtail-agent/discovery/target_groups.h"

namespace kvasir::agent {

namespace {

using simdjson::dom::element;

std::string space_of(element object) { return member_text(object, "/metadata/namespace"); }

TargetGroup described(const std::string& role, element object) {
  TargetGroup group;
  KubernetesLabels labels(group.labels);
  labels.set_metadata(role, object);
  labels.set("namespace", space_of(object));
  return group;
}

/// What an address borrows: from its service, its pod and the container that listens on the port.
std::vector<std::string> borrowed(element object, const std::string& service, element address, element port) {
  const std::string space = space_of(object);
  std::vector<std::string> names = {"namespace/" + space, fmt::format("service/{}/{}", space, service)};
  if (member_text(address, "/targetRef/kind") == "Pod") {
    const std::string pod = fmt::format("pod/{}/{}", space, member_text(address, "/targetRef/name"));
    const std::string protocol = member_text(port, "/protocol");
    names.push_back(pod);
    names.push_back(fmt::format("{}:{}/{}", pod, member_text(port, "/port"), protocol.empty() ? "TCP" : protocol));
  }
  return names;
}

void add_address(element endpoints, element subset, element address, bool ready, KubernetesObject& out) {
  for_each_item(subset, "/ports", [&](element port) {
    TargetGroup group = described("endpoints", endpoints);
    KubernetesLabels labels(group.labels);
    labels.set("endpoint_port_name", member_text(port, "/name"));
    labels.set("endpoint_port_protocol", member_text(port, "/protocol"));
    labels.set("endpoint_ready", ready ? "true" : "false");
    labels.set("endpoint_node_name", member_text(address, "/nodeName"));
    labels.set("endpoint_hostname", member_text(address, "/hostname"));
    labels.set("endpoint_address_target_kind", member_text(address, "/targetRef/kind"));
    labels.set("endpoint_address_target_name", member_text(address, "/targetRef/name"));
    group.targets = {joined_address(member_text(address, "/ip"), member_text(port, "/port"))};
    out.targets.push_back(
        {std::move(group), borrowed(endpoints, member_text(endpoints, "/metadata/name"), address, port)});
  });
}

void set_slice_labels(element slice, element endpoint, element port, KubernetesLabels& labels) {
  labels.set("endpointslice_address_type", member_text(slice, "/addressType"));
  labels.set("endpointslice_port_name", member_text(port, "/name"));
  labels.set("endpointslice_port_protocol", member_text(port, "/protocol"));
  labels.set("endpointslice_port", member_text(port, "/port"));
  labels.set("endpointslice_port_app_protocol", member_text(port, "/appProtocol"));
  for (const std::string condition : {"ready", "serving", "terminating"}) {
    labels.set("endpointslice_endpoint_conditions_" + condition, member_text(endpoint, "/conditions/" + condition));
  }
  labels.set("endpointslice_endpoint_zone", member_text(endpoint, "/zone"));
  labels.set("endpointslice_endpoint_hostname", member_text(endpoint, "/hostname"));
  labels.set("endpointslice_endpoint_node_name", member_text(endpoint, "/nodeName"));
  labels.set("endpointslice_address_target_kind", member_text(endpoint, "/targetRef/kind"));
  labels.set("endpointslice_address_target_name", member_text(endpoint, "/targetRef/name"));
  for_each_text(endpoint, "/deprecatedTopology", [&](std::string_view name, std::string_view value) {
    labels.set("endpointslice_endpoint_topology_" + sanitised_label_name(name), std::string(value));
    labels.set("endpointslice_endpoint_topology_present_" + sanitised_label_name(name), "true");
  });
}

/// Whether a host of a TLS block stands for this one; `*.example.org` stands for one more label in front.
bool covers(std::string_view pattern, std::string_view host) {
  if (pattern == host) return true;
  const std::size_t dot = host.find('.');
  return pattern.starts_with("*.") && dot != std::string_view::npos && pattern.substr(1) == host.substr(dot);
}

bool is_https(element ingress, const std::string& host) {
  bool https = false;
  for_each_item(ingress, "/spec/tls", [&](element tls) {
    for_each_item(tls, "/hosts", [&](element pattern) {
      std::string_view text;
      if (pattern.get(text) == simdjson::SUCCESS && covers(text, host)) https = true;
    });
  });
  return https;
}

}  // namespace

void add_services(element service, KubernetesObject& out) {
  TargetGroup group = described("service", service);
  out.lends["service/" + out.key] = group.labels;
  KubernetesLabels labels(group.labels);
  labels.set("service_cluster_ip", member_text(service, "/spec/clusterIP"));
  labels.set("service_external_name", member_text(service, "/spec/externalName"));
  labels.set("service_loadbalancer_ip", member_text(service, "/spec/loadBalancerIP"));
  labels.set("service_type", member_text(service, "/spec/type"));
  const std::string host = fmt::format("{}.{}.svc", member_text(service, "/metadata/name"), space_of(service));
  for_each_item(service, "/spec/ports", [&](element port) {
    TargetGroup one = group;
    KubernetesLabels more(one.labels);
    more.set("service_port_name", member_text(port, "/name"));
    more.set("service_port_number", member_text(port, "/port"));
    more.set("service_port_protocol", member_text(port, "/protocol"));
    one.targets = {host + ":" + member_text(port, "/port")};
    out.targets.push_back({std::move(one), {"namespace/" + space_of(service)}});
  });
}

void add_endpoints(element endpoints, KubernetesObject& out) {
  for_each_item(endpoints, "/subsets", [&](element subset) {
    for_each_item(subset, "/addresses",
                  [&](element address) { add_address(endpoints, subset, address, true, out); });
    for_each_item(subset, "/notReadyAddresses",
                  [&](element address) { add_address(endpoints, subset, address, false, out); });
  });
}

void add_endpoint_slice(element slice, KubernetesObject& out) {
  const std::string service = member_text(slice, "/metadata/labels/kubernetes.io~1service-name");
  const auto add = [&](element endpoint, element address, element port) {
    std::string_view ip;
    if (address.get(ip) != simdjson::SUCCESS) return;
    TargetGroup group = described("endpointslice", slice);
    KubernetesLabels labels(group.labels);
    set_slice_labels(slice, endpoint, port, labels);
    group.targets = {joined_address(std::string(ip), member_text(port, "/port"))};
    out.targets.push_back({std::move(group), borrowed(slice, service, endpoint, port)});
  };
  for_each_item(slice, "/endpoints", [&](element endpoint) {
    for_each_item(slice, "/ports", [&](element port) {
      for_each_item(endpoint, "/addresses", [&](element address) { add(endpoint, address, port); });
    });
  });
}

void add_ingress(element ingress, KubernetesObject& out) {
  const auto add = [&](const std::string& host, const std::string& path) {
    TargetGroup group = described("ingress", ingress);
    KubernetesLabels labels(group.labels);
    labels.set("ingress_scheme", is_https(ingress, host) ? "https" : "http");
    labels.set("ingress_host", host);
    labels.set("ingress_path", path.empty() ? "/" : path);
    labels.set("ingress_class_name", member_text(ingress, "/spec/ingressClassName"));
    group.targets = {host};
    out.targets.push_back({std::move(group), {"namespace/" + space_of(ingress)}});
  };
  for_each_item(ingress, "/spec/rules", [&](element rule) {
    const std::string host = member_text(rule, "/host");
    bool any = false;
    for_each_item(rule, "/http/paths", [&](element path) {
      any = true;
      add(host, member_text(path, "/path"));
    });
    if (!any) add(host, "/");
  });
}

}  // namespace kvasir::agent
