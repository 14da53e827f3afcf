// job_factory.h -- builds the running parts of a scrape config: pipeline, relabelling, input, discoveries.
//
// Errors:   invalid_argument, worded for the start-up log; unsupported, naming a block that is accepted but not built.
// Lifetime: a Job keeps its own parts; Services and the output outlive it.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "promtail-agent/config/load.h"
#include "promtail-agent/discovery/discovery.h"
#include "promtail-agent/services.h"
#include "promtail-agent/stages/pipeline_builder.h"
#include "promtail-agent/targets/file_job.h"

namespace kvasir::agent {

struct JobContext {
  const Config* config = nullptr;
  Services services;
  EntryOutput* output = nullptr;
  StageObserver* observer = nullptr;          // -inspect
  std::function<void(Duration)> wait;         // of stages that slow the pipeline down
  std::function<void()> stdin_ended;
};

/// One scrape config at work.
struct Job {
  std::string name;
  std::vector<std::unique_ptr<Target>> targets;
  FileJob* files = nullptr;  // the one of targets that reads files, if any
  std::vector<TargetGroup> static_groups;
  std::vector<std::unique_ptr<Discovery>> discoveries;

  Result<void> start();
  void stop_discoveries();
};

/// Relabelling and pipeline of a scrape config, ready to be fed.
Result<JobParts> make_parts(const ScrapeConfig& scrape, const JobContext& context);
LineLimits line_limits(const ScrapeConfig& scrape);

Result<std::unique_ptr<Job>> make_job(const ScrapeConfig& scrape, const JobContext& context);
/// The input of -stdin: the pipeline and the static labels of the first scrape config.
Result<std::unique_ptr<Job>> make_stdin_job(const JobContext& context);

/// What the start of its source would refuse, as far as the configuration itself tells.
std::vector<ConfigProblem> find_source_problems(const ScrapeConfig& scrape);
/// What will not be as its author expects: sources that are ignored, entries without a label.
std::vector<std::string> find_source_warnings(const ScrapeConfig& scrape);
/// `error validating config: ScrapeConfig[1].`, as Promtail names the place of a relabel rule.
std::string rules_place(std::size_t scrape);
StageContext::MetricsSchema metrics_schema_of(const Config& config);

}  // namespace kvasir::agent
