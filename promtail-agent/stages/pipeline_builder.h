// pipeline_builder.h -- turns `pipeline_stages` of a configuration into a Pipeline.
//
// Shape:    YAML sequence of one-key maps -> Pipeline. Everything is compiled here: regexes, templates, JMESPath,
//           layouts, selectors.
// Errors:   invalid_argument: `pipeline_stages[2] (line 14): invalid json stage config: JMES expression is required`;
//           nested stages read `pipeline_stages[2].match.stages[0] (line 20): ...`. The words after the place are the
//           ones that users of Promtail search for. All problems of all stages are listed in Diagnostics, the first one
//           is the Error.
// Types:    a plain scalar is read as the option wants it: `y` is text where text is wanted and true where a bool is.
// Lifetime: the pipeline keeps nothing of the node; the context's pointees must outlive it.
// Source:   docs/agent/stages.md
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/yaml.h"
#include "promtail-agent/stages/stage.h"

namespace kvasir::agent {

/// Something wrong in a pipeline, and where.
struct StageProblem {
  std::string path;  // `pipeline_stages[2]`
  int line = 0;      // of the file; 0: unknown
  std::string reason;

  /// `pipeline_stages[2] (line 14): invalid json stage config: ...`
  std::string text() const;
};

struct Diagnostics {
  std::vector<StageProblem> errors;   // each keeps the pipeline from being built
  std::vector<std::string> warnings;  // ignored options, values that can never match
  std::vector<std::string> notes;     // for the start-up log: how a simplified metric was understood
};

/// A null node gives an empty pipeline.
Result<std::unique_ptr<Pipeline>> build_pipeline(const YamlNode& stages, StageContext context,
                                                 Diagnostics& diagnostics);

}  // namespace kvasir::agent
