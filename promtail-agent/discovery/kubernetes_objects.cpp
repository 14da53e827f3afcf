#include "promtail-agent/discovery/kubernetes_objects.h"

#include <fmt/format.h>

#include "promtail-agent/discovery/target_groups.h"

namespace kvasir::agent {

namespace {

using simdjson::dom::element;

constexpr std::string_view kPrefix = "__meta_kubernetes_";

std::string text(element object, std::string_view pointer) {
  std::string_view value;
  if (object.at_pointer(pointer).get(value) == simdjson::SUCCESS) return std::string(value);
  std::int64_t number = 0;
  if (object.at_pointer(pointer).get(number) == simdjson::SUCCESS) return std::to_string(number);
  bool flag = false;
  if (object.at_pointer(pointer).get(flag) == simdjson::SUCCESS) return flag ? "true" : "false";
  return {};
}

template <class F>
void each(element object, std::string_view pointer, F f) {
  simdjson::dom::array items;
  if (object.at_pointer(pointer).get(items) != simdjson::SUCCESS) return;
  for (const element item : items) f(item);
}

template <class F>
void each_text(element object, std::string_view pointer, F f) {
  simdjson::dom::object fields;
  if (object.at_pointer(pointer).get(fields) != simdjson::SUCCESS) return;
  for (const auto field : fields) {
    std::string_view value;
    if (field.value.get(value) == simdjson::SUCCESS) f(field.key, value);
  }
}

class LabelsOf {
 public:
  explicit LabelsOf(StringMap& out) : out_(out) {}
  void set(std::string_view name, std::string value) {
    if (!value.empty()) out_[std::string(kPrefix) + std::string(name)] = std::move(value);
  }

 private:
  StringMap& out_;
};

/// Name, namespace, labels and annotations of any object.
void add_metadata(const std::string& role, element object, StringMap& out, bool with_namespace) {
  LabelsOf labels(out);
  labels.set(role + "_name", text(object, "/metadata/name"));
  if (with_namespace) labels.set("namespace", text(object, "/metadata/namespace"));
  each_text(object, "/metadata/labels", [&](std::string_view name, std::string_view value) {
    labels.set(role + "_label_" + sanitised_label_name(name), std::string(value));
    labels.set(role + "_labelpresent_" + sanitised_label_name(name), "true");
  });
  each_text(object, "/metadata/annotations", [&](std::string_view name, std::string_view value) {
    labels.set(role + "_annotation_" + sanitised_label_name(name), std::string(value));
    labels.set(role + "_annotationpresent_" + sanitised_label_name(name), "true");
  });
}

std::string pod_ready(element pod) {
  std::string ready;
  each(pod, "/status/conditions", [&](element condition) {
    if (text(condition, "/type") != "Ready") return;
    ready = text(condition, "/status");
    for (char& c : ready) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return ready;
}

void add_controller(element pod, LabelsOf& labels) {
  each(pod, "/metadata/ownerReferences", [&](element owner) {
    if (text(owner, "/controller") != "true") return;
    labels.set("pod_controller_kind", text(owner, "/kind"));
    labels.set("pod_controller_name", text(owner, "/name"));
  });
}

std::string container_id(element pod, std::string_view list, const std::string& name) {
  std::string id;
  each(pod, list, [&](element status) {
    if (text(status, "/name") == name) id = text(status, "/containerID");
  });
  return id;
}

std::string with_port(const std::string& ip, const std::string& port) {
  return ip.find(':') == std::string::npos ? ip + ":" + port : "[" + ip + "]:" + port;
}

void add_container(element pod, element container, bool init, TargetGroup group, std::vector<TargetGroup>& out) {
  const std::string name = text(container, "/name");
  const std::string ip = text(pod, "/status/podIP");
  LabelsOf labels(group.labels);
  labels.set("pod_container_name", name);
  labels.set("pod_container_image", text(container, "/image"));
  labels.set("pod_container_init", init ? "true" : "false");
  labels.set("pod_container_id",
             container_id(pod, init ? "/status/initContainerStatuses" : "/status/containerStatuses", name));
  bool any_port = false;
  each(container, "/ports", [&](element port) {
    any_port = true;
    TargetGroup one = group;
    LabelsOf more(one.labels);
    const std::string number = text(port, "/containerPort");
    more.set("pod_container_port_number", number);
    more.set("pod_container_port_name", text(port, "/name"));
    more.set("pod_container_port_protocol", text(port, "/protocol"));
    one.targets = {with_port(ip, number)};
    out.push_back(std::move(one));
  });
  if (any_port) return;
  group.targets = {ip};
  out.push_back(std::move(group));
}

void add_pod(element pod, KubernetesObject& out) {
  TargetGroup group;
  add_metadata("pod", pod, group.labels, true);
  LabelsOf labels(group.labels);
  labels.set("pod_ip", text(pod, "/status/podIP"));
  labels.set("pod_ready", pod_ready(pod));
  labels.set("pod_phase", text(pod, "/status/phase"));
  labels.set("pod_node_name", text(pod, "/spec/nodeName"));
  labels.set("pod_host_ip", text(pod, "/status/hostIP"));
  labels.set("pod_uid", text(pod, "/metadata/uid"));
  add_controller(pod, labels);
  out.node = text(pod, "/spec/nodeName");
  each(pod, "/spec/containers", [&](element container) { add_container(pod, container, false, group, out.groups); });
  each(pod, "/spec/initContainers", [&](element container) { add_container(pod, container, true, group, out.groups); });
}

void add_node(element node, KubernetesObject& out) {
  TargetGroup group;
  add_metadata("node", node, group.labels, false);
  out.own_labels = group.labels;
  LabelsOf labels(group.labels);
  labels.set("node_provider_id", text(node, "/spec/providerID"));
  std::string address;
  each(node, "/status/addresses", [&](element one) {
    const std::string type = text(one, "/type");
    labels.set("node_address_" + sanitised_label_name(type), text(one, "/address"));
    if (address.empty() || type == "InternalIP") address = text(one, "/address");
  });
  each(node, "/status/conditions", [&](element one) {
    std::string status = text(one, "/status");
    for (char& c : status) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    labels.set("node_condition_" + sanitised_label_name(text(one, "/type")), status);
  });
  const std::string port = text(node, "/status/daemonEndpoints/kubeletEndpoint/Port");
  group.targets = {with_port(address, port.empty() ? "10250" : port)};
  group.labels["instance"] = text(node, "/metadata/name");
  out.groups.push_back(std::move(group));
}

void add_service(element service, KubernetesObject& out) {
  TargetGroup group;
  add_metadata("service", service, group.labels, true);
  LabelsOf labels(group.labels);
  labels.set("service_cluster_ip", text(service, "/spec/clusterIP"));
  labels.set("service_external_name", text(service, "/spec/externalName"));
  labels.set("service_loadbalancer_ip", text(service, "/spec/loadBalancerIP"));
  labels.set("service_type", text(service, "/spec/type"));
  const std::string host =
      fmt::format("{}.{}.svc", text(service, "/metadata/name"), text(service, "/metadata/namespace"));
  each(service, "/spec/ports", [&](element port) {
    TargetGroup one = group;
    LabelsOf more(one.labels);
    more.set("service_port_name", text(port, "/name"));
    more.set("service_port_number", text(port, "/port"));
    more.set("service_port_protocol", text(port, "/protocol"));
    one.targets = {host + ":" + text(port, "/port")};
    out.groups.push_back(std::move(one));
  });
}

void add_endpoint(element subset, element address, bool ready, const TargetGroup& group,
                  std::vector<TargetGroup>& out) {
  each(subset, "/ports", [&](element port) {
    TargetGroup one = group;
    LabelsOf labels(one.labels);
    labels.set("endpoint_port_name", text(port, "/name"));
    labels.set("endpoint_port_protocol", text(port, "/protocol"));
    labels.set("endpoint_ready", ready ? "true" : "false");
    labels.set("endpoint_node_name", text(address, "/nodeName"));
    labels.set("endpoint_hostname", text(address, "/hostname"));
    labels.set("endpoint_address_target_kind", text(address, "/targetRef/kind"));
    labels.set("endpoint_address_target_name", text(address, "/targetRef/name"));
    one.targets = {with_port(text(address, "/ip"), text(port, "/port"))};
    out.push_back(std::move(one));
  });
}

void add_endpoints(element endpoints, KubernetesObject& out) {
  TargetGroup group;
  add_metadata("endpoints", endpoints, group.labels, true);
  each(endpoints, "/subsets", [&](element subset) {
    each(subset, "/addresses", [&](element address) { add_endpoint(subset, address, true, group, out.groups); });
    each(subset, "/notReadyAddresses",
         [&](element address) { add_endpoint(subset, address, false, group, out.groups); });
  });
}

}  // namespace

KubernetesObject kubernetes_object(const std::string& role, element object) {
  KubernetesObject out;
  out.key = text(object, "/metadata/namespace") + "/" + text(object, "/metadata/name");
  if (role == "pod") add_pod(object, out);
  if (role == "node") add_node(object, out);
  if (role == "service") add_service(object, out);
  if (role == "endpoints") add_endpoints(object, out);
  return out;
}

std::string kubernetes_path(const std::string& role, const std::string& name_space) {
  if (role == "node") return "/api/v1/nodes";
  if (role != "pod" && role != "service" && role != "endpoints") return {};
  const std::string kind = role == "endpoints" ? role : role + "s";
  return name_space.empty() ? "/api/v1/" + kind : fmt::format("/api/v1/namespaces/{}/{}", name_space, kind);
}

}  // namespace kvasir::agent
