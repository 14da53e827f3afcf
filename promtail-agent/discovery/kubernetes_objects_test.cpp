// Objects of the Kubernetes API, lists and watches of them: what labels they give.
#include "promtail-agent/discovery/kubernetes_objects.h"

#include <doctest/doctest.h>

namespace kvasir::agent {

namespace {

KubernetesObject object_of(const std::string& role, const std::string& json) {
  const auto list = parse_kubernetes_list(role, R"({"metadata":{"resourceVersion":"7"},"items":[)" + json + "]}");
  REQUIRE(list);
  CHECK(list->version == "7");
  REQUIRE(list->objects.size() == 1);
  return list->objects.begin()->second;
}

/// `address name=value name=value`, the common prefix left out, with one target per line.
std::string shown(const KubernetesObject& object) {
  constexpr std::string_view kPrefix = "__meta_kubernetes_";
  std::string out;
  for (const auto& target : object.targets) {
    out += target.group.targets.at(0);
    for (const auto& [name, value] : target.group.labels) {
      out += " " + (name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : "!" + name) + "=" + value;
    }
    out += "\n";
  }
  return out;
}

constexpr const char* kPod = R"({"metadata":{"name":"api-5f7-x","namespace":"shop","uid":"u1",
  "labels":{"app":"api","pod-template-hash":"5f7"},"annotations":{"a.b/c":"d"},
  "ownerReferences":[{"kind":"ReplicaSet","name":"api-5f7","controller":true}]},
 "spec":{"nodeName":"n1","containers":[{"name":"main","image":"i:1","ports":[{"containerPort":8080,"name":"http","protocol":"TCP"}]},
   {"name":"side","image":"s:1"}],"initContainers":[{"name":"init","image":"b"}]},
 "status":{"podIP":"10.1.2.3","phase":"Running","hostIP":"10.0.0.1",
   "conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[{"name":"main","containerID":"containerd://c1"}]}})";

}  // namespace

TEST_CASE("a pod gives a target for each port, and for containers without one") {
  const KubernetesObject pod = object_of("pod", kPod);
  CHECK(pod.key == "shop/api-5f7-x");
  const std::string common =
      "pod_controller_kind=ReplicaSet pod_controller_name=api-5f7 pod_host_ip=10.0.0.1 pod_ip=10.1.2.3 "
      "pod_label_app=api pod_label_pod_template_hash=5f7 pod_labelpresent_app=true "
      "pod_labelpresent_pod_template_hash=true pod_name=api-5f7-x pod_node_name=n1 pod_phase=Running pod_ready=true "
      "pod_uid=u1\n";
  const std::string first = " namespace=shop pod_annotation_a_b_c=d pod_annotationpresent_a_b_c=true ";
  CHECK(shown(pod) == "10.1.2.3:8080" + first +
                          "pod_container_id=containerd://c1 pod_container_image=i:1 pod_container_init=false "
                          "pod_container_name=main pod_container_port_name=http pod_container_port_number=8080 "
                          "pod_container_port_protocol=TCP " + common +
                      "10.1.2.3" + first +
                          "pod_container_image=s:1 pod_container_init=false pod_container_name=side " + common +
                      "10.1.2.3" + first +
                          "pod_container_image=b pod_container_init=true pod_container_name=init " + common);
  CHECK(pod.lends.at("deployment-of/shop/api-5f7-x") == StringMap{{"__meta_kubernetes_pod_deployment_name", "api"}});
  CHECK(pod.lends.at("pod/shop/api-5f7-x:8080/TCP").at("__meta_kubernetes_pod_container_name") == "main");
  CHECK(pod.targets[0].borrows[0] == "node/n1");
}

TEST_CASE("a pod needs no address yet") {
  const KubernetesObject pod =
      object_of("pod", R"({"metadata":{"name":"p","namespace":"n"},"spec":{"containers":[{"name":"c"}]}})");
  CHECK(shown(pod) == " namespace=n pod_container_init=false pod_container_name=c pod_name=p\n");
}

TEST_CASE("pods of jobs and cron jobs") {
  const auto lent = [](const std::string& job) {
    const KubernetesObject pod = object_of("pod", R"({"metadata":{"name":"p","namespace":"n","ownerReferences":
      [{"kind":"Job","name":")" + job + R"(","controller":true}]},"spec":{}})");
    StringMap all = pod.lends.at("job-of/n/p");
    all.insert(pod.lends.at("cronjob-of/n/p").begin(), pod.lends.at("cronjob-of/n/p").end());
    return all;
  };
  CHECK(lent("backup-28912345") == StringMap{{"__meta_kubernetes_pod_cronjob_name", "backup"},
                                             {"__meta_kubernetes_pod_job_name", "backup-28912345"}});
  CHECK(lent("migrate-2") == StringMap{{"__meta_kubernetes_pod_job_name", "migrate-2"}});
}

TEST_CASE("nodes, namespaces and services") {
  const KubernetesObject node = object_of("node", R"({"metadata":{"name":"n1","labels":{"zone":"a"}},
    "spec":{"providerID":"x://1"},"status":{"addresses":[{"type":"Hostname","address":"h"},
    {"type":"InternalIP","address":"fd00::1"}],"conditions":[{"type":"Ready","status":"True"}]}})");
  CHECK(shown(node) ==
        "[fd00::1]:10250 node_address_Hostname=h node_address_InternalIP=fd00::1 node_condition_Ready=true "
        "node_label_zone=a node_labelpresent_zone=true node_name=n1 node_provider_id=x://1 !instance=n1\n");
  CHECK(node.lends.at("node/n1").at("__meta_kubernetes_node_label_zone") == "a");
  const KubernetesObject space = object_of("namespace", R"({"metadata":{"name":"shop","labels":{"team":"t"}}})");
  CHECK(space.targets.empty());
  CHECK(space.lends.at("namespace/shop") == StringMap{{"__meta_kubernetes_namespace_label_team", "t"},
                                                      {"__meta_kubernetes_namespace_labelpresent_team", "true"}});
  CHECK(shown(object_of("service", R"({"metadata":{"name":"api","namespace":"shop"},"spec":{"clusterIP":"10.9.9.9",
    "type":"ClusterIP","ports":[{"name":"http","port":80,"protocol":"TCP"}]}})")) ==
        "api.shop.svc:80 namespace=shop service_cluster_ip=10.9.9.9 service_name=api service_port_name=http "
        "service_port_number=80 service_port_protocol=TCP service_type=ClusterIP\n");
}

TEST_CASE("endpoints and endpoint slices name their pods, and borrow from them and their service") {
  const KubernetesObject endpoints = object_of("endpoints", R"({"metadata":{"name":"api","namespace":"shop"},
    "subsets":[{"ports":[{"name":"http","port":8080,"protocol":"TCP"}],
      "addresses":[{"ip":"10.1.2.3","nodeName":"n1","targetRef":{"kind":"Pod","name":"p1"}}],
      "notReadyAddresses":[{"ip":"10.1.2.4"}]}]})");
  CHECK(shown(endpoints) ==
        "10.1.2.3:8080 endpoint_address_target_kind=Pod endpoint_address_target_name=p1 endpoint_node_name=n1 "
        "endpoint_port_name=http endpoint_port_protocol=TCP endpoint_ready=true endpoints_name=api namespace=shop\n"
        "10.1.2.4:8080 endpoint_port_name=http endpoint_port_protocol=TCP endpoint_ready=false endpoints_name=api "
        "namespace=shop\n");
  CHECK(endpoints.targets[0].borrows == std::vector<std::string>{"namespace/shop", "service/shop/api", "pod/shop/p1",
                                                                 "pod/shop/p1:8080/TCP"});
  const KubernetesObject slice = object_of("endpointslice", R"({"metadata":{"name":"api-abc","namespace":"shop",
    "labels":{"kubernetes.io/service-name":"api"}},"addressType":"IPv6","ports":[{"name":"http","port":8080,
    "protocol":"TCP","appProtocol":"http"}],"endpoints":[{"addresses":["fd00::9"],"zone":"z","nodeName":"n1",
    "conditions":{"ready":true,"serving":true,"terminating":false},"targetRef":{"kind":"Pod","name":"p1"}}]})");
  CHECK(shown(slice) ==
        "[fd00::9]:8080 endpointslice_address_target_kind=Pod endpointslice_address_target_name=p1 "
        "endpointslice_address_type=IPv6 endpointslice_endpoint_conditions_ready=true "
        "endpointslice_endpoint_conditions_serving=true endpointslice_endpoint_conditions_terminating=false "
        "endpointslice_endpoint_node_name=n1 endpointslice_endpoint_zone=z "
        "endpointslice_label_kubernetes_io_service_name=api "
        "endpointslice_labelpresent_kubernetes_io_service_name=true endpointslice_name=api-abc endpointslice_port=8080 "
        "endpointslice_port_app_protocol=http endpointslice_port_name=http endpointslice_port_protocol=TCP "
        "namespace=shop\n");
  CHECK(slice.targets[0].borrows == endpoints.targets[0].borrows);
}

TEST_CASE("an ingress gives a target for each path") {
  CHECK(shown(object_of("ingress", R"({"metadata":{"name":"web","namespace":"shop"},"spec":{"ingressClassName":"nginx",
    "tls":[{"hosts":["*.example.org"]}],"rules":[{"host":"a.example.org","http":{"paths":[{"path":"/x"},{}]}},
    {"host":"example.org"}]}})")) ==
        "a.example.org ingress_class_name=nginx ingress_host=a.example.org ingress_name=web ingress_path=/x "
        "ingress_scheme=https namespace=shop\n"
        "a.example.org ingress_class_name=nginx ingress_host=a.example.org ingress_name=web ingress_path=/ "
        "ingress_scheme=https namespace=shop\n"
        "example.org ingress_class_name=nginx ingress_host=example.org ingress_name=web ingress_path=/ "
        "ingress_scheme=http namespace=shop\n");
}

TEST_CASE("events of a watch") {
  using Kind = KubernetesEvent::Kind;
  const std::string object = R"({"metadata":{"name":"p","namespace":"n","resourceVersion":"9"},"spec":{}})";
  const auto event = [&](const std::string& type) {
    return parse_kubernetes_event("pod", R"({"type":")" + type + R"(","object":)" + object + "}");
  };
  CHECK(event("ADDED")->kind == Kind::kSet);
  CHECK(event("MODIFIED")->object.key == "n/p");
  CHECK(event("DELETED")->kind == Kind::kDeleted);
  CHECK(event("BOOKMARK")->kind == Kind::kBookmark);
  CHECK(event("BOOKMARK")->version == "9");
  CHECK(parse_kubernetes_event("pod", R"({"type":"ERROR","object":{"code":410,"message":"too old"}})").error().message() ==
        "watch: the server ended it: 410 too old");
  for (const char* bad : {"", "{", "[]", R"({"type":"ADDED"})", R"({"type":"WHAT","object":{}})", R"({"object":{}})"}) {
    CHECK(!parse_kubernetes_event("pod", bad));
  }
}

TEST_CASE("where objects are listed") {
  CHECK(kubernetes_path("pod", "") == "/api/v1/pods");
  CHECK(kubernetes_path("endpoints", "a") == "/api/v1/namespaces/a/endpoints");
  CHECK(kubernetes_path("endpointslice", "a") == "/apis/discovery.k8s.io/v1/namespaces/a/endpointslices");
  CHECK(kubernetes_path("ingress", "") == "/apis/networking.k8s.io/v1/ingresses");
  CHECK(kubernetes_path("node", "a") == "/api/v1/nodes");
  CHECK(kubernetes_path("secret", "").empty());
}

}  // namespace kvasir::agent
