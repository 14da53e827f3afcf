#include "promtail-agent/check_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "common/relabel.h"
#include "promtail-agent/builtin_metrics.h"
#include "promtail-agent/job_factory.h"

namespace kvasir::agent {

namespace {

/// Every rule that is wrong; Relabeler::parse ends at the first.
void check_rules(const ScrapeConfig& scrape, const std::string& place, std::vector<ConfigProblem>& problems) {
  const YamlNode& rules = scrape.relabel_configs;
  if (!rules.is_sequence()) {
    const auto whole = Relabeler::parse(rules);
    if (!whole) problems.push_back({rules.line, place + whole.error().message()});
    return;
  }
  constexpr std::string_view kFirst = "RelabelConfigs[0]: ";
  for (std::size_t i = 0; i < rules.items.size(); ++i) {
    YamlNode one = rules;
    one.items = {rules.items[i]};
    const auto parsed = Relabeler::parse(one);
    if (parsed) continue;
    std::string_view reason = parsed.error().message();
    if (reason.starts_with(kFirst)) reason.remove_prefix(kFirst.size());
    problems.push_back({rules.items[i].line, fmt::format("{}RelabelConfigs[{}]: {}", place, i, reason)});
  }
}

void check_stages(const ScrapeConfig& scrape, const Config& config, MetricRegistry& metrics, SyntaxReport& report) {
  const std::string where = fmt::format("scrape config \"{}\": ", scrape.job_name);
  StageContext stage;
  stage.clock = &system_clock();
  stage.metrics = &metrics;
  stage.job = scrape.job_name;
  stage.metrics_schema = metrics_schema_of(config);
  Diagnostics diagnostics;
  (void)build_pipeline(scrape.pipeline_stages, std::move(stage), diagnostics);
  for (const StageProblem& problem : diagnostics.errors)
    report.problems.push_back({problem.line, fmt::format("{}{}: {}", where, problem.path, problem.reason)});
  for (const auto& text : diagnostics.warnings) report.warnings.push_back(where + text);
  for (const auto& text : diagnostics.notes) report.warnings.push_back(where + text);
}

std::string at(const std::string& path, int line) {
  return line > 0 ? fmt::format("{}:{}", path, line) : path;
}

/// Where the entries come from; with -stdin from nowhere else.
void check_sources(const ScrapeConfig& scrape, SyntaxReport& report) {
  for (ConfigProblem& problem : find_source_problems(scrape)) {
    problem.text = fmt::format("scrape config \"{}\": {}", scrape.job_name, problem.text);
    report.problems.push_back(std::move(problem));
  }
  for (const std::string& text : find_source_warnings(scrape))
    report.warnings.push_back(fmt::format("scrape config \"{}\" (line {}): {}", scrape.job_name, scrape.line, text));
}

}  // namespace

SyntaxReport check_loaded(const LoadedConfig& loaded) {
  SyntaxReport report;
  report.problems = loaded.problems;
  const Config& config = loaded.config;
  report.warnings = config.warnings;
  for (ConfigProblem& problem : find_config_problems(config)) report.problems.push_back(std::move(problem));
  MetricRegistry metrics(system_clock());
  register_builtin_names(metrics);
  for (std::size_t i = 0; i < config.scrape_configs.size(); ++i) {
    const ScrapeConfig& scrape = config.scrape_configs[i];
    check_rules(scrape, rules_place(i), report.problems);
    if (!config.stdin_target) check_sources(scrape, report);
    check_stages(scrape, config, metrics, report);
  }
  std::stable_sort(report.problems.begin(), report.problems.end(),
                   [](const ConfigProblem& a, const ConfigProblem& b) { return a.line < b.line; });
  return report;
}

int run_check_syntax(const Flags& flags) {
  if (flags.config_files.empty()) {
    fmt::print(stderr, "Invalid config file\n");
    return 1;
  }
  auto loaded = load_with_problems(flags);
  if (!loaded) {
    fmt::print(stderr, "Unable to parse config: {}\n", loaded.error().message());
    return 1;
  }
  // The words that users of Promtail know, with its hint; the list follows.
  if (!loaded->problems.empty())
    fmt::print(stderr, "Unable to parse config: {}\n", unmarshal_words(loaded->path, flags));
  SyntaxReport report{loaded->problems, {}};
  if (flags.check_syntax == SyntaxCheck::kFull) report = check_loaded(*loaded);
  for (const auto& text : report.warnings) fmt::print(stderr, "warning: {}\n", text);
  for (const auto& [line, text] : report.problems) fmt::print(stderr, "{}: {}\n", at(loaded->path, line), text);
  if (!report.problems.empty()) return 1;
  fmt::print("Valid config file! No syntax issues found\n");
  return 0;
}

}  // namespace kvasir::agent
