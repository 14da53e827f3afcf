#include "promtail-agent/stages/pipeline_builder.h"

#include <algorithm>
#include <array>

#include "common/nearest_word.h"
#include "promtail-agent/stages/factories.h"

namespace kvasir::agent {
namespace {

constexpr int kNestingMax = 50;

struct StageKind {
  std::string_view name;
  StageResult (*make)(const YamlNode&, BuildContext&);
};

constexpr std::array<StageKind, 32> kStageKinds{{
    {"cri", make_cri_stage},
    {"decolorize", make_decolorize_stage},
    {"docker", make_docker_stage},
    {"drop", make_drop_stage},
    {"eventlogmessage", make_eventlogmessage_stage},
    {"geoip", make_geoip_stage},
    {"json", make_json_stage},
    {"label_keep", make_labelallow_stage},
    {"labelallow", make_labelallow_stage},
    {"labeldrop", make_labeldrop_stage},
    {"labels", make_labels_stage},
    {"limit", make_limit_stage},
    {"logfmt", make_logfmt_stage},
    {"luhn", make_luhn_stage},
    {"match", make_match_stage},
    {"metrics", make_metrics_stage},
    {"multiline", make_multiline_stage},
    {"non_indexed_labels", make_structured_metadata_stage},
    {"output", make_output_stage},
    {"pack", make_pack_stage},
    {"regex", make_regex_stage},
    {"replace", make_replace_stage},
    {"sampling", make_sampling_stage},
    {"static_labels", make_static_labels_stage},
    {"structured_metadata", make_structured_metadata_stage},
    {"structured_metadata_drop", make_structured_metadata_drop_stage},
    {"template", make_template_stage},
    {"tenant", make_tenant_stage},
    {"timestamp", make_timestamp_stage},
    {"trace", make_trace_stage},
    {"truncate", make_truncate_stage},
    {"unpack", make_unpack_stage},
}};

const StageKind* find_kind(std::string_view name) {
  const auto* found =
      std::find_if(kStageKinds.begin(), kStageKinds.end(), [name](const StageKind& kind) { return kind.name == name; });
  return found == kStageKinds.end() ? nullptr : found;
}

/// `, did you mean "regex"?`, or nothing.
std::string hint(std::string_view name) {
  std::vector<std::string> names;
  for (const StageKind& kind : kStageKinds) names.emplace_back(kind.name);
  const auto near = nearest_word(name, names);
  return near ? ", did you mean \"" + *near + "\"?" : std::string();
}

std::string at_line(const std::string& path, int line) {
  return line > 0 ? path + " (line " + std::to_string(line) + ")" : path;
}

std::string stage_reason(std::string_view stage, std::string_view reason) {
  return "invalid " + std::string(stage) + " stage config: " + std::string(reason);
}

// Stages of one list; problems of each are collected, so that a check names all of them.
class ChainBuilder {
 public:
  ChainBuilder(const StageContext& stage, Diagnostics& diagnostics, std::string path, std::set<std::string>& produced,
               bool& any)
      : stage_(stage), diagnostics_(diagnostics), path_(std::move(path)), produced_(produced), any_(any) {}

  Result<StageChain> build(const YamlNode& stages) {
    if (stages.is_null()) return StageChain();
    if (!stages.is_sequence()) {
      diagnostics_.errors.push_back({path_, stages.line, "pipeline stages must be a list"});
      return fail(ErrorCode::kInvalidArgument, diagnostics_.errors.back().text());
    }
    std::vector<std::unique_ptr<Stage>> built;
    const std::size_t errors_before = diagnostics_.errors.size();
    for (std::size_t i = 0; i < stages.items.size(); ++i) {
      const std::string path = path_ + "[" + std::to_string(i) + "]";
      const std::size_t errors = diagnostics_.errors.size();
      auto stage = one(path, stages.items[i]);
      if (!stage && !is_noted(stage.error().message(), errors))
        diagnostics_.errors.push_back({path, line_of(stages.items[i]), stage.error().message()});
      if (stage && *stage) built.push_back(std::move(*stage));
    }
    if (diagnostics_.errors.size() > errors_before)
      return fail(ErrorCode::kInvalidArgument, diagnostics_.errors[errors_before].text());
    return StageChain(std::move(built), stage_.observer);
  }

 private:
  /// Whether an error that comes out of a stage is already among those noted since: by the stage, or in a nested list
  /// with its own place.
  bool is_noted(std::string_view message, std::size_t since) const {
    return std::any_of(
        diagnostics_.errors.begin() + static_cast<std::ptrdiff_t>(since), diagnostics_.errors.end(),
        [&](const StageProblem& problem) { return problem.reason == message || message.ends_with(problem.text()); });
  }

  static int line_of(const YamlNode& node) {
    return node.is_map() && !node.entries.empty() ? node.entries.front().line : node.line;
  }

  StageResult one(const std::string& path, const YamlNode& node) {
    if (!node.is_map()) {
      const std::string text = node.is_scalar() ? node.text : std::string();
      return invalid(
          "invalid YAML config, make sure each stage of your pipeline is a YAML object (must end with a `:`), check "
          "stage `- " +
          text + "`");
    }
    if (node.entries.empty()) return nullptr;
    if (node.entries.size() > 1) return invalid("pipeline stage must contain only one key");
    const auto& [name, line, options] = node.entries.front();
    const StageKind* kind = find_kind(name);
    if (kind == nullptr) return invalid("invalid " + name + " stage config: Unknown stage type: " + name + hint(name));
    BuildContext context{stage_, diagnostics_, {path, line, name, ""}, path + "." + name, produced_, any_};
    auto stage = kind->make(options, context);
    if (!stage) return invalid(stage_reason(name, stage.error().message()));
    return stage;
  }

  const StageContext& stage_;
  Diagnostics& diagnostics_;
  std::string path_;
  std::set<std::string>& produced_;
  bool& any_;
};

}  // namespace

std::string StageProblem::text() const { return at_line(path, line) + ": " + reason; }

std::string StagePlace::text() const {
  return at_line(path, line) + ": " + stage + (part.empty() ? "" : ": " + part);
}

void add_fault(const StagePlace& place, int line, std::string_view reason, Diagnostics& diagnostics) {
  diagnostics.errors.push_back({place.path, line > 0 ? line : place.line, stage_reason(place.stage, reason)});
}

Result<StageChain> build_chain(const YamlNode& stages, BuildContext& context) {
  const auto depth = std::count(context.path.begin(), context.path.end(), '[');
  if (depth > kNestingMax) return invalid("stages are nested too deeply");
  return ChainBuilder(context.stage, context.diagnostics, context.path + ".stages", context.produced,
                      context.produces_any)
      .build(stages);
}

Result<std::unique_ptr<Pipeline>> build_pipeline(const YamlNode& stages, StageContext context,
                                                 Diagnostics& diagnostics) {
  auto label_sets = std::make_unique<LabelSetTable>();
  context.label_sets = label_sets.get();
  std::set<std::string> produced;
  bool produces_any = false;
  KVASIR_TRY(StageChain chain,
             ChainBuilder(context, diagnostics, "pipeline_stages", produced, produces_any).build(stages));
  return std::make_unique<Pipeline>(std::move(label_sets), std::move(chain));
}

}  // namespace kvasir::agent
