// factories.h -- one function for each stage: from its options to the compiled stage.
//
// Errors:   invalid_argument, only the reason; the builder adds the place and the stage's name.
// Use:      by pipeline_builder.cpp and tests; each stage's own file defines its factory.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "common/result.h"
#include "common/yaml.h"
#include "promtail-agent/stages/pipeline_builder.h"
#include "promtail-agent/stages/stage.h"

namespace kvasir::agent {

/// Which stage is being built.
struct StagePlace {
  std::string path;   // `pipeline_stages[2]`
  int line = 0;
  std::string stage;  // its name
  std::string part;   // of the stage: the metric

  /// `pipeline_stages[2] (line 14): json`, in front of warnings.
  std::string text() const;
  StagePlace inside(std::string name) const { return {path, line, stage, std::move(name)}; }
};

/// What a factory needs besides the options.
struct BuildContext {
  const StageContext& stage;
  Diagnostics& diagnostics;
  StagePlace place;
  std::string path;                  // `pipeline_stages[2].match`, in front of nested places
  std::set<std::string>& produced;   // extracted names that stages so far may set
  bool& produces_any;                // some stage sets names that only the lines know
};

using StageResult = Result<std::unique_ptr<Stage>>;

StageResult make_cri_stage(const YamlNode& node, BuildContext& context);
StageResult make_decolorize_stage(const YamlNode& node, BuildContext& context);
StageResult make_docker_stage(const YamlNode& node, BuildContext& context);
StageResult make_drop_stage(const YamlNode& node, BuildContext& context);
StageResult make_eventlogmessage_stage(const YamlNode& node, BuildContext& context);
StageResult make_geoip_stage(const YamlNode& node, BuildContext& context);
StageResult make_json_stage(const YamlNode& node, BuildContext& context);
StageResult make_labelallow_stage(const YamlNode& node, BuildContext& context);
StageResult make_labeldrop_stage(const YamlNode& node, BuildContext& context);
StageResult make_labels_stage(const YamlNode& node, BuildContext& context);
StageResult make_limit_stage(const YamlNode& node, BuildContext& context);
StageResult make_logfmt_stage(const YamlNode& node, BuildContext& context);
StageResult make_luhn_stage(const YamlNode& node, BuildContext& context);
StageResult make_match_stage(const YamlNode& node, BuildContext& context);
StageResult make_metrics_stage(const YamlNode& node, BuildContext& context);
StageResult make_multiline_stage(const YamlNode& node, BuildContext& context);
StageResult make_output_stage(const YamlNode& node, BuildContext& context);
StageResult make_pack_stage(const YamlNode& node, BuildContext& context);
StageResult make_regex_stage(const YamlNode& node, BuildContext& context);
StageResult make_replace_stage(const YamlNode& node, BuildContext& context);
StageResult make_sampling_stage(const YamlNode& node, BuildContext& context);
StageResult make_static_labels_stage(const YamlNode& node, BuildContext& context);
StageResult make_structured_metadata_drop_stage(const YamlNode& node, BuildContext& context);
StageResult make_structured_metadata_stage(const YamlNode& node, BuildContext& context);
StageResult make_template_stage(const YamlNode& node, BuildContext& context);
StageResult make_tenant_stage(const YamlNode& node, BuildContext& context);
StageResult make_timestamp_stage(const YamlNode& node, BuildContext& context);
StageResult make_trace_stage(const YamlNode& node, BuildContext& context);
StageResult make_truncate_stage(const YamlNode& node, BuildContext& context);
StageResult make_unpack_stage(const YamlNode& node, BuildContext& context);

/// Stages of a nested list (`match: {stages: [...]}`).
Result<StageChain> build_chain(const YamlNode& stages, BuildContext& context);

/// Notes one problem of several; the factory goes on and must fail in the end. `line` 0: that of the stage.
void add_fault(const StagePlace& place, int line, std::string_view reason, Diagnostics& diagnostics);

inline Unexpected invalid(std::string reason) { return fail(ErrorCode::kInvalidArgument, std::move(reason)); }

}  // namespace kvasir::agent
