#include "promtail-agent/job_factory.h"

#include <fmt/format.h>

#include "common/log.h"
#include "promtail-agent/discovery/file_sd.h"
#include "promtail-agent/discovery/kubernetes_sd.h"
#include "promtail-agent/config/value_rules.h"
#include "promtail-agent/targets/charset.h"
#include "promtail-agent/targets/decompressor.h"
#include "promtail-agent/targets/docker_target.h"
#include "promtail-agent/targets/gelf_target.h"
#include "promtail-agent/targets/journal_target.h"
#include "promtail-agent/targets/push_target.h"
#include "promtail-agent/targets/stdin_target.h"
#include "promtail-agent/targets/syslog_target.h"

namespace kvasir::agent {

namespace {

inline constexpr std::uint64_t kLineBytesDefault = 2 << 20;  // some four copies of it may exist at once
inline constexpr Duration kPodLinger = std::chrono::seconds(60);

Result<std::unique_ptr<Pipeline>> make_pipeline(const ScrapeConfig& scrape, const JobContext& context) {
  StageContext stage;
  stage.clock = context.services.clock;
  stage.metrics = context.services.metrics;
  stage.wait = context.wait;
  stage.seed = static_cast<std::uint64_t>(context.services.clock->now().value);
  stage.job = scrape.job_name;
  stage.observer = context.observer;
  stage.metrics_schema = metrics_schema_of(*context.config);
  Diagnostics diagnostics;
  auto pipeline = build_pipeline(scrape.pipeline_stages, std::move(stage), diagnostics);
  for (const auto& text : diagnostics.warnings) log::warn("pipeline", text, {{"job", scrape.job_name}});
  for (const auto& text : diagnostics.notes) log::info("pipeline", text, {{"job", scrape.job_name}});
  if (!pipeline) return fail(pipeline.error().with_context(fmt::format("scrape config \"{}\"", scrape.job_name)));
  return pipeline;
}

Result<void> add_discoveries(const ScrapeConfig& scrape, const JobContext& context, Job& job) {
  const Clock& clock = *context.services.clock;
  for (const FileSdConfig& sd : scrape.file_sd) job.discoveries.push_back(std::make_unique<FileSd>(sd));
  for (const HttpSdConfig& sd : scrape.http_sd) {
    KVASIR_TRY(auto http, HttpSender::create(sd.http, {}, clock));
    job.discoveries.push_back(std::make_unique<HttpSd>(sd, std::move(http)));
  }
  for (const KubernetesSdConfig& sd : scrape.kubernetes_sd) {
    KVASIR_TRY(auto discovery, make_kubernetes_sd(sd, context.services.hostname, clock));
    job.discoveries.push_back(std::move(discovery));
  }
  return {};
}

Result<void> add_file_job(const ScrapeConfig& scrape, const JobContext& context, JobParts parts, Job& job) {
  FileJobParts file;
  file.config = scrape;
  file.relabeler = std::move(parts.relabeler);
  file.feeder = std::move(parts.feeder);
  file.sync_period = context.config->sync_period;
  file.poll_min = context.config->poll_min;
  file.poll_max = context.config->poll_max;
  file.hostname = context.services.hostname;
  file.line_limits = line_limits(scrape);
  file.linger = scrape.kubernetes_sd.empty() ? Duration(0) : kPodLinger;
  file.save_before_reading = context.config->spool.mode == SpoolConfig::Mode::kAlways;
  file.positions = context.services.positions;
  file.progress = context.services.progress;
  file.metrics = context.services.metrics;
  file.clock = context.services.clock;
  auto target = std::make_unique<FileJob>(std::move(file));
  job.files = target.get();
  job.static_groups = scrape.static_configs;
  job.targets.push_back(std::move(target));
  return add_discoveries(scrape, context, job);
}

void find_pattern_problems(const TargetGroup& group, std::vector<ConfigProblem>& problems) {
  for (const char* name : {"__path__", "__path_exclude__"}) {
    const auto found = group.labels.find(name);
    const std::string problem = found == group.labels.end() ? "" : find_pattern_problem(found->second);
    if (!problem.empty())
      problems.push_back({group.line, fmt::format("{} \"{}\" cannot be read: {}", name, found->second, problem)});
  }
}

/// A rule may give targets a `__path__`; what rules really do shows with the first target.
bool rules_may_set_path(const YamlNode& rules) {
  return std::any_of(rules.items.begin(), rules.items.end(), [](const YamlNode& rule) {
    const YamlNode* target = rule.find("target_label");
    const YamlNode* action = rule.find("action");
    const std::string name = target == nullptr ? "" : target->as_text().value_or("");
    const bool maps = action != nullptr && action->as_text().value_or("") == "labelmap";
    return maps || name == "__path__" || name.find('$') != std::string::npos;
  });
}

void warn_of_missing_paths(const ScrapeConfig& scrape, std::vector<std::string>& warnings) {
  if (rules_may_set_path(scrape.relabel_configs)) return;
  constexpr const char* kNoPath = "and no relabel rule sets one: no file is read for it";
  for (std::size_t i = 0; i < scrape.static_configs.size(); ++i) {
    if (!scrape.static_configs[i].labels.contains("__path__"))
      warnings.push_back(fmt::format("static_configs[{}] has no label __path__ {}", i, kNoPath));
  }
  if (!scrape.kubernetes_sd.empty())
    warnings.push_back(fmt::format("targets of kubernetes_sd_configs have no label __path__ {}", kNoPath));
}

}  // namespace

std::vector<std::string> find_source_warnings(const ScrapeConfig& scrape) {
  std::vector<std::string> warnings;
  warn_of_missing_paths(scrape, warnings);
  std::vector<std::pair<std::string_view, const StringMap*>> present;  // sources in their order, and their own labels
  static const StringMap kNone;
  if (scrape.has_file_discovery()) present.emplace_back("file discovery", nullptr);
  if (scrape.journal.set) present.emplace_back("journal", &scrape.journal.labels);
  if (scrape.syslog.set) present.emplace_back("syslog", &scrape.syslog.labels);
  if (scrape.push.set) present.emplace_back("loki_push_api", nullptr);
  if (scrape.gelf.set) present.emplace_back("gelf", &scrape.gelf.labels);
  if (!scrape.docker_sd.empty()) present.emplace_back("docker_sd_configs", &kNone);
  for (std::size_t i = 1; i < present.size(); ++i)
    warnings.push_back(fmt::format("a scrape config has one source: {} is used, {} is ignored", present[0].first,
                                   present[i].first));
  if (present.empty() || present[0].second == nullptr) return warnings;
  if (present[0].second->empty() && scrape.relabel_configs.items.empty())
    warnings.push_back(fmt::format("no label of a {} entry is left: give it labels, or keep some of its internal ones "
                                   "by relabel_configs", present[0].first));
  return warnings;
}

std::string rules_place(std::size_t scrape) { return fmt::format("error validating config: ScrapeConfig[{}].", scrape); }

StageContext::MetricsSchema metrics_schema_of(const Config& config) {
  if (config.metrics_schema == "strict") return StageContext::MetricsSchema::kStrict;
  if (config.metrics_schema == "simplified") return StageContext::MetricsSchema::kSimplified;
  return StageContext::MetricsSchema::kAuto;
}

std::vector<ConfigProblem> find_source_problems(const ScrapeConfig& scrape) {
  std::vector<ConfigProblem> problems;
  const auto add = [&](int line, std::string text) { problems.push_back({line, std::move(text)}); };
  if (scrape.has_file_discovery()) {
    if (!scrape.encoding.empty()) {
      if (auto charset = Charset::create(scrape.encoding); !charset) add(scrape.line, charset.error().message());
    }
    for (const TargetGroup& group : scrape.static_configs) find_pattern_problems(group, problems);
    const DecompressionConfig& decompression = scrape.decompression;
    if (decompression.format.empty()) return problems;
    if (auto format = parse_compression_format(decompression.format); !format)
      add(decompression.line, format.error().message());
  } else if (scrape.journal.set) {
    for (std::string& text : JournalTarget::find_problems(scrape.journal)) add(scrape.journal.line, std::move(text));
  } else if (scrape.syslog.set) {
    for (std::string& text : SyslogTarget::find_problems(scrape.syslog)) add(scrape.syslog.line, std::move(text));
  } else if (!scrape.push.set && !scrape.gelf.set && scrape.docker_sd.empty()) {
    for (const auto& [block, instead, line] : scrape.unsupported)
      problems.push_back({line, fmt::format("{} is not supported by this agent: {}", block, instead)});
  }
  return problems;
}

Result<JobParts> make_parts(const ScrapeConfig& scrape, const JobContext& context) {
  JobParts parts;
  parts.config = scrape;
  parts.services = context.services;
  parts.limits = context.config->limits;
  auto relabeler = Relabeler::parse(scrape.relabel_configs);
  if (!relabeler) {
    const auto& all = context.config->scrape_configs;
    const auto same = [&](const ScrapeConfig& one) { return one.job_name == scrape.job_name; };
    const auto index = static_cast<std::size_t>(std::find_if(all.begin(), all.end(), same) - all.begin());
    return fail(ErrorCode::kInvalidArgument, rules_place(index) + relabeler.error().message());
  }
  parts.relabeler = std::move(*relabeler);
  KVASIR_TRY(auto pipeline, make_pipeline(scrape, context));
  parts.feeder = std::make_unique<Feeder>(std::move(pipeline), *context.output, *context.services.progress,
                                          *context.services.clock);
  return parts;
}

LineLimits line_limits(const ScrapeConfig& scrape) {
  LineLimits limits;
  limits.line_bytes_max = scrape.file.max_line_bytes != 0 ? scrape.file.max_line_bytes : kLineBytesDefault;
  switch (scrape.file.on_overlong) {
    case FileOptions::Overlong::kDrop: limits.overlong = OverlongLine::kDrop; break;
    case FileOptions::Overlong::kTruncate: limits.overlong = OverlongLine::kTruncate; break;
    case FileOptions::Overlong::kSplit: limits.overlong = OverlongLine::kSplit; break;
  }
  return limits;
}

Result<void> Job::start() {
  for (const auto& target : targets) KVASIR_CHECK_OK(target->start());
  if (files == nullptr) return {};
  if (!static_groups.empty()) files->set_groups("static", static_groups);
  int number = 0;
  for (const auto& discovery : discoveries) {
    const std::string label = fmt::format("discovery/{}", number++);
    discovery->start([this, label](std::vector<TargetGroup> groups) { files->set_groups(label, std::move(groups)); });
  }
  return {};
}

void Job::stop_discoveries() {
  for (const auto& discovery : discoveries) discovery->stop();
}

Result<std::unique_ptr<Job>> make_job(const ScrapeConfig& scrape, const JobContext& context) {
  auto job = std::make_unique<Job>();
  job->name = scrape.job_name;
  KVASIR_TRY(JobParts parts, make_parts(scrape, context));
  for (const auto& text : find_source_warnings(scrape)) log::warn("config", text, {{"job", scrape.job_name}});
  if (scrape.has_file_discovery()) {
    KVASIR_CHECK_OK(add_file_job(scrape, context, std::move(parts), *job));
    return job;
  }
  if (scrape.journal.set) {
    KVASIR_TRY(auto target, JournalTarget::create(std::move(parts)));
    job->targets.push_back(std::move(target));
  } else if (scrape.syslog.set) {
    KVASIR_TRY(auto target, SyslogTarget::create(std::move(parts)));
    job->targets.push_back(std::move(target));
  } else if (scrape.push.set) {
    KVASIR_TRY(auto target, PushTarget::create(std::move(parts)));
    job->targets.push_back(std::move(target));
  } else if (scrape.gelf.set) {
    job->targets.push_back(std::make_unique<GelfTarget>(std::move(parts)));
  } else if (!scrape.docker_sd.empty()) {
    KVASIR_TRY(auto target, DockerTarget::create(std::move(parts)));
    job->targets.push_back(std::move(target));
  } else {
    const auto problems = find_source_problems(scrape);
    const ConfigProblem problem = problems.empty() ? ConfigProblem{scrape.line, "no source"} : problems.front();
    return fail(ErrorCode::kUnsupported,
                fmt::format("scrape config \"{}\" (line {}): {}", scrape.job_name, problem.line, problem.text));
  }
  return job;
}

Result<std::unique_ptr<Job>> make_stdin_job(const JobContext& context) {
  const auto& scrapes = context.config->scrape_configs;
  ScrapeConfig scrape;
  Labels labels;
  if (scrapes.empty()) {
    scrape.job_name = "stdin";
    labels = Labels{{"hostname", context.services.hostname}, {"job", "stdin"}};
  } else {
    scrape = scrapes.front();
    if (scrapes.size() > 1) {
      log::warn("stdin", fmt::format("too many scrape configs, skipping {} configs.", scrapes.size() - 1));
    }
    for (const TargetGroup& group : scrape.static_configs) {
      for (const auto& [name, value] : group.labels) {
        if (!name.starts_with("__")) labels.set(name, value);
      }
    }
  }
  auto job = std::make_unique<Job>();
  job->name = scrape.job_name;
  KVASIR_TRY(JobParts parts, make_parts(scrape, context));
  job->targets.push_back(std::make_unique<StdinTarget>(std::move(parts), std::move(labels), context.stdin_ended));
  return job;
}

}  // namespace kvasir::agent
