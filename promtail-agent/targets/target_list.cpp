#include "promtail-agent/targets/target_list.h"

#include <unistd.h>

#include <cstdlib>
#include <set>

#include "common/log.h"
#include "promtail-agent/config/value_rules.h"

namespace kvasir::agent {

TargetCounters::TargetCounters(MetricRegistry& metrics) : metrics_(metrics) {
  active = metrics.gauge("promtail_targets_active_total", "Number of active total.");
}

void TargetCounters::failed(const char* reason) {
  metrics_.counter("promtail_targets_failed_total", "Number of failed targets.", {{"reason", reason}})->add(1);
}

std::string own_hostname() {
  const char* given = std::getenv("HOSTNAME");
  if (given != nullptr && *given != 0) return given;
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? std::string(name) : std::string();
}

LabelSetPtr labels_of(const FileTarget& target, const std::string& path) {
  Labels labels = target.labels;
  labels.set("filename", path);
  return make_label_set(std::move(labels));
}

Labels without_internal(const Labels& labels) {
  std::vector<Label> kept;
  for (const Label& label : labels) {
    if (!label.name.starts_with("__")) kept.push_back(label);
  }
  return Labels::from_sorted(std::move(kept));
}

namespace {

std::vector<Labels> discovered_labels(const TargetGroup& group) {
  std::vector<Labels> all;
  const std::vector<std::string> targets =
      group.targets.empty() ? std::vector<std::string>{"localhost"} : group.targets;
  for (const std::string& target : targets) {
    Labels labels{{"__address__", target}};
    for (const auto& [name, value] : group.labels) labels.set(name, value);
    all.push_back(std::move(labels));
  }
  return all;
}

}  // namespace

std::vector<FileTarget> make_file_targets(const std::vector<TargetGroup>& groups, const Relabeler& relabeler,
                                          const std::string& hostname, TargetCounters& counters,
                                          std::vector<TargetStatus>& report) {
  std::vector<FileTarget> targets;
  std::set<std::string> known;
  for (const TargetGroup& group : groups) {
    for (const Labels& discovered : discovered_labels(group)) {
      TargetStatus& status = report.emplace_back();
      status.type = "File";
      status.discovered = discovered;
      const auto labels = relabeler.apply(discovered);
      if (!labels) {
        counters.failed("dropped");
        status.dropped = "dropped by relabeling";
        continue;
      }
      const std::string_view host = labels->value_or_empty("__host__");
      const std::string path(labels->value_or_empty("__path__"));
      const std::string exclude(labels->value_or_empty("__path_exclude__"));
      if (!host.empty() && host != hostname) {
        counters.failed("wrong_host");
        status.dropped = "ignoring target, wrong host";
        continue;
      }
      if (path.empty()) {
        counters.failed("no_path");
        log::info("filetarget", "no path for target", {{"labels", labels->to_string()}});
        status.dropped = "no path for target";
        continue;
      }
      if (const std::string problem = find_pattern_problem(path); !problem.empty()) {
        counters.failed("error");
        log::error("filetarget", "a path pattern cannot be read, its files are not found",
                   {{"path", path}, {"error", problem}});
        status.dropped = "__path__ cannot be read: " + problem;
        continue;
      }
      FileTarget target;
      target.labels = without_internal(*labels);
      target.key = path + ":" + target.labels.to_string() + ":" + exclude;
      status.labels = target.labels;
      if (!known.insert(target.key).second) {
        counters.failed("exists");
        status.dropped = "target already exists";
        continue;
      }
      target.path = Glob(path);
      if (!exclude.empty()) target.exclude.emplace(exclude);
      status.ready = true;
      targets.push_back(std::move(target));
    }
  }
  return targets;
}

}  // namespace kvasir::agent
