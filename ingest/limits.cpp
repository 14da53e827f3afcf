#include "ingest/limits.h"

namespace kvasir::ingest {

std::vector<std::string> TenantLimits::default_service_name_labels() {
  return {"service",
          "app",
          "application",
          "app_name",
          "name",
          "app_kubernetes_io_name",
          "container",
          "container_name",
          "k8s_container_name",
          "component",
          "workload",
          "job",
          "k8s_job_name"};
}

std::vector<std::string> TenantLimits::default_level_fields() {
  return {"level",        "LEVEL", "Level", "log.level", "severity",      "SEVERITY",      "Severity",
          "SeverityText", "lvl",   "LVL",   "Lvl",       "severity_text", "Severity_Text", "SEVERITY_TEXT"};
}

}  // namespace kvasir::ingest
