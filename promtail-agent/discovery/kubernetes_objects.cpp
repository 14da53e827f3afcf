#include "promtail-agent/discovery/kubernetes_objects.h"

#include <fmt/format.h>

#include <algorithm>

#include "promtail-agent/discovery/kubernetes_json.h"
#include "promtail-agent/discovery/target_groups.h"

namespace kvasir::agent {

namespace {

using simdjson::dom::element;

constexpr std::size_t kScheduledDigitsMin = 8;  // minutes since 1970 at the end of a cron job's jobs

std::string pod_ready(element pod) {
  std::string ready;
  for_each_item(pod, "/status/conditions", [&](element condition) {
    if (member_text(condition, "/type") == "Ready") ready = lower_case(member_text(condition, "/status"));
  });
  return ready;
}

/// The name in front of `-<suffix>`; "" if it does not end so.
std::string without_suffix(const std::string& name, const std::string& suffix) {
  const std::string end = "-" + suffix;
  return name.size() > end.size() && name.ends_with(end) ? name.substr(0, name.size() - end.size()) : std::string();
}

/// Jobs of a cron job are called after it and the minute they were due.
std::string cron_job_of(const std::string& job) {
  const std::size_t dash = job.rfind('-');
  if (dash == std::string::npos || job.size() - dash - 1 < kScheduledDigitsMin) return {};
  const bool digits = std::all_of(job.begin() + static_cast<std::ptrdiff_t>(dash) + 1, job.end(),
                                  [](char c) { return c >= '0' && c <= '9'; });
  return digits ? job.substr(0, dash) : std::string();
}

/// The controller, and what stands behind it: given to pods only where attach_metadata asks for it.
void add_controller(element pod, KubernetesLabels& labels, KubernetesObject& out) {
  for_each_item(pod, "/metadata/ownerReferences", [&](element owner) {
    if (member_text(owner, "/controller") != "true") return;
    const std::string kind = member_text(owner, "/kind");
    const std::string name = member_text(owner, "/name");
    labels.set("pod_controller_kind", kind);
    labels.set("pod_controller_name", name);
    if (kind == "ReplicaSet") {
      const std::string hash = member_text(pod, "/metadata/labels/pod-template-hash");
      KubernetesLabels(out.lends["deployment-of/" + out.key]).set("pod_deployment_name", without_suffix(name, hash));
    } else if (kind == "Job") {
      KubernetesLabels(out.lends["job-of/" + out.key]).set("pod_job_name", name);
      KubernetesLabels(out.lends["cronjob-of/" + out.key]).set("pod_cronjob_name", cron_job_of(name));
    }
  });
}

std::string container_id(element pod, std::string_view list, const std::string& name) {
  std::string id;
  for_each_item(pod, list, [&](element status) {
    if (member_text(status, "/name") == name) id = member_text(status, "/containerID");
  });
  return id;
}

class PodReader {
 public:
  PodReader(element pod, KubernetesObject& out) : pod_(pod), out_(out), ip_(member_text(pod, "/status/podIP")) {
    KubernetesLabels labels(pod_labels_.labels);
    labels.set_metadata("pod", pod);
    labels.set("namespace", member_text(pod, "/metadata/namespace"));
    labels.set("pod_ip", ip_);
    labels.set("pod_ready", pod_ready(pod));
    labels.set("pod_phase", member_text(pod, "/status/phase"));
    labels.set("pod_node_name", member_text(pod, "/spec/nodeName"));
    labels.set("pod_host_ip", member_text(pod, "/status/hostIP"));
    labels.set("pod_uid", member_text(pod, "/metadata/uid"));
    add_controller(pod, labels, out);
    borrows_ = {"node/" + member_text(pod, "/spec/nodeName"), "namespace/" + member_text(pod, "/metadata/namespace"),
                "deployment-of/" + out.key, "job-of/" + out.key, "cronjob-of/" + out.key};
    out.lends["pod/" + out.key] = pod_labels_.labels;
  }

  void read() {
    for_each_item(pod_, "/spec/containers", [&](element container) { add_container(container, false); });
    for_each_item(pod_, "/spec/initContainers", [&](element container) { add_container(container, true); });
  }

 private:
  void add_container(element container, bool init) {
    const std::string name = member_text(container, "/name");
    TargetGroup group;
    KubernetesLabels labels(group.labels);
    labels.set("pod_container_name", name);
    labels.set("pod_container_image", member_text(container, "/image"));
    labels.set("pod_container_init", init ? "true" : "false");
    const char* statuses = init ? "/status/initContainerStatuses" : "/status/containerStatuses";
    labels.set("pod_container_id", container_id(pod_, statuses, name));
    bool any_port = false;
    for_each_item(container, "/ports", [&](element port) {
      any_port = true;
      add_port(port, group);
    });
    if (any_port) return;
    group.targets = {ip_};
    add_target(std::move(group));
  }

  void add_port(element port, TargetGroup group) {
    KubernetesLabels labels(group.labels);
    const std::string number = member_text(port, "/containerPort");
    const std::string protocol = member_text(port, "/protocol");
    labels.set("pod_container_port_number", number);
    labels.set("pod_container_port_name", member_text(port, "/name"));
    labels.set("pod_container_port_protocol", protocol);
    out_.lends[fmt::format("pod/{}:{}/{}", out_.key, number, protocol.empty() ? "TCP" : protocol)] = group.labels;
    group.targets = {joined_address(ip_, number)};
    add_target(std::move(group));
  }

  void add_target(TargetGroup group) {
    group.labels.insert(pod_labels_.labels.begin(), pod_labels_.labels.end());
    out_.targets.push_back({std::move(group), borrows_});
  }

  element pod_;
  KubernetesObject& out_;
  const std::string ip_;
  TargetGroup pod_labels_;
  std::vector<std::string> borrows_;
};

void add_node(element node, KubernetesObject& out) {
  TargetGroup group;
  KubernetesLabels labels(group.labels);
  labels.set_metadata("node", node);
  const std::string name = member_text(node, "/metadata/name");
  out.lends["node/" + name] = group.labels;
  labels.set("node_provider_id", member_text(node, "/spec/providerID"));
  std::string address;
  for_each_item(node, "/status/addresses", [&](element one) {
    const std::string type = member_text(one, "/type");
    labels.set("node_address_" + sanitised_label_name(type), member_text(one, "/address"));
    if (address.empty() || type == "InternalIP") address = member_text(one, "/address");
  });
  for_each_item(node, "/status/conditions", [&](element one) {
    labels.set("node_condition_" + sanitised_label_name(member_text(one, "/type")),
               lower_case(member_text(one, "/status")));
  });
  const std::string port = member_text(node, "/status/daemonEndpoints/kubeletEndpoint/Port");
  group.targets = {joined_address(address, port.empty() ? "10250" : port)};
  group.labels["instance"] = name;
  out.targets.push_back({std::move(group), {}});
}

void add_namespace(element name_space, KubernetesObject& out) {
  StringMap& lent = out.lends["namespace/" + member_text(name_space, "/metadata/name")];
  KubernetesLabels(lent).set_metadata("namespace", name_space);
  lent.erase("__meta_kubernetes_namespace_name");  // every target has its own
}

}  // namespace

std::string member_text(element object, std::string_view pointer) {
  std::string_view value;
  if (object.at_pointer(pointer).get(value) == simdjson::SUCCESS) return std::string(value);
  std::int64_t number = 0;
  if (object.at_pointer(pointer).get(number) == simdjson::SUCCESS) return std::to_string(number);
  bool flag = false;
  if (object.at_pointer(pointer).get(flag) == simdjson::SUCCESS) return flag ? "true" : "false";
  return {};
}

void KubernetesLabels::set_metadata(const std::string& role, element object) {
  set(role + "_name", member_text(object, "/metadata/name"));
  for_each_text(object, "/metadata/labels", [&](std::string_view name, std::string_view value) {
    set(role + "_label_" + sanitised_label_name(name), std::string(value));
    set(role + "_labelpresent_" + sanitised_label_name(name), "true");
  });
  for_each_text(object, "/metadata/annotations", [&](std::string_view name, std::string_view value) {
    set(role + "_annotation_" + sanitised_label_name(name), std::string(value));
    set(role + "_annotationpresent_" + sanitised_label_name(name), "true");
  });
}

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string joined_address(const std::string& ip, const std::string& port) {
  return ip.find(':') == std::string::npos ? ip + ":" + port : "[" + ip + "]:" + port;
}

std::string object_key(element object) {
  return member_text(object, "/metadata/namespace") + "/" + member_text(object, "/metadata/name");
}

KubernetesObject kubernetes_object(const std::string& role, element object) {
  KubernetesObject out;
  out.key = object_key(object);
  if (role == "pod") PodReader(object, out).read();
  if (role == "node") add_node(object, out);
  if (role == "namespace") add_namespace(object, out);
  if (role == "service") add_services(object, out);
  if (role == "endpoints") add_endpoints(object, out);
  if (role == "endpointslice") add_endpoint_slice(object, out);
  if (role == "ingress") add_ingress(object, out);
  return out;
}

std::string kubernetes_path(const std::string& role, const std::string& name_space) {
  static const std::map<std::string, std::pair<const char*, const char*>> kKinds = {
      {"node", {"/api/v1", "nodes"}},
      {"namespace", {"/api/v1", "namespaces"}},
      {"pod", {"/api/v1", "pods"}},
      {"service", {"/api/v1", "services"}},
      {"endpoints", {"/api/v1", "endpoints"}},
      {"endpointslice", {"/apis/discovery.k8s.io/v1", "endpointslices"}},
      {"ingress", {"/apis/networking.k8s.io/v1", "ingresses"}}};
  const auto kind = kKinds.find(role);
  if (kind == kKinds.end()) return {};
  const auto& [api, plural] = kind->second;
  const bool everywhere = name_space.empty() || role == "node" || role == "namespace";
  return everywhere ? fmt::format("{}/{}", api, plural) : fmt::format("{}/namespaces/{}/{}", api, name_space, plural);
}

Result<KubernetesList> parse_kubernetes_list(const std::string& role, std::string_view json) {
  simdjson::dom::parser parser;
  element root;
  const simdjson::padded_string body(json);
  if (parser.parse(body).get(root) != simdjson::SUCCESS) return fail(ErrorCode::kParse, "list: not JSON");
  KubernetesList list;
  list.version = member_text(root, "/metadata/resourceVersion");
  for_each_item(root, "/items", [&](element item) {
    KubernetesObject object = kubernetes_object(role, item);
    list.objects[object.key] = std::move(object);
  });
  return list;
}

Result<KubernetesEvent> parse_kubernetes_event(const std::string& role, std::string_view line) {
  simdjson::dom::parser parser;
  element root, object;
  const simdjson::padded_string text(line);
  if (parser.parse(text).get(root) != simdjson::SUCCESS || root["object"].get(object) != simdjson::SUCCESS) {
    return fail(ErrorCode::kParse, "watch: event is not readable");
  }
  const std::string type = member_text(root, "/type");
  if (type == "ERROR") {
    return fail(ErrorCode::kUnavailable, fmt::format("watch: the server ended it: {} {}", member_text(object, "/code"),
                                                     member_text(object, "/message")));
  }
  KubernetesEvent event;
  event.version = member_text(object, "/metadata/resourceVersion");
  if (type == "BOOKMARK") return event;
  if (type != "ADDED" && type != "MODIFIED" && type != "DELETED") {
    return fail(ErrorCode::kParse, "watch: event is not readable");
  }
  event.kind = type == "DELETED" ? KubernetesEvent::Kind::kDeleted : KubernetesEvent::Kind::kSet;
  event.object = kubernetes_object(role, object);
  return event;
}

}  // namespace kvasir::agent
