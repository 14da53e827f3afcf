#include "ingest/limits.h"

namespace kvasir::ingest {

std::vector<std::string> TenantLimits::default_service_name_labels() {
  return {"service",   "app",            "application",        "app_name",  "name",     "app_kubernetes_io_name", "container",
          "container_name", "k8s_container_name", "component", "workload", "job",      "k8s_job_name"};
}

std::vector<std::string> TenantLimits::default_level_fields() {
  return {"level",        "LEVEL", "Level", "log.level", "severity",      "SEVERITY",      "Severity",
          "SeverityText", "lvl",   "LVL",   "Lvl",       "severity_text", "Severity_Text", "SEVERITY_TEXT"};
}

const std::vector<std::string>& TenantLimits::default_otlp_index_attributes() {
  static const std::vector<std::string> kNames = {
      "service.name",       "service.namespace",       "service.instance.id", "deployment.environment",
      "deployment.environment.name", "cloud.region",   "cloud.availability_zone", "k8s.cluster.name",
      "k8s.namespace.name", "k8s.pod.name",            "k8s.container.name",  "container.name",
      "k8s.replicaset.name", "k8s.deployment.name",    "k8s.statefulset.name", "k8s.daemonset.name",
      "k8s.cronjob.name",   "k8s.job.name"};
  return kNames;
}

}  // namespace kvasir::ingest
