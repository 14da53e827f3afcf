// step.h -- one compiled stage, and the state it works on. Internal to this folder.
//
// Law:      a step never writes into the line it is given; a new line lives in the arena. A failing line is kept and
//           marked, only filters drop.
// Threads:  steps are immutable and shared by the runners; EntryState belongs to one runner.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <re2/stringpiece.h>

#include "common/time.h"
#include "logql/pipeline/arena.h"
#include "logql/pipeline/key_names.h"
#include "logql/pipeline/label_state.h"
#include "logql/pipeline/template/functions.h"

namespace kvasir::logql {

inline constexpr std::string_view kJsonParserError = "JSONParserErr";
inline constexpr std::string_view kLogfmtParserError = "LogfmtParserErr";
inline constexpr std::string_view kLabelFilterError = "LabelFilterErr";
inline constexpr std::string_view kTemplateFormatError = "TemplateFormatErr";
inline constexpr std::string_view kSampleExtractionError = "SampleExtractionErr";

/// What the query needs of the names a parser may extract. A runner asks for every name it meets, once.
struct NeededNames {
  bool restricted = false;              // false: every name is needed
  std::vector<std::string> names;       // sorted

  bool needs(std::string_view name) const;
  /// A needed name starts with `path` and an underscore: an object of this name must be looked into.
  bool needs_below(std::string_view path) const;
};

struct EntryState {
  EntryState(const NameTable& compiled, const NeededNames& needed, bool preserve_errors);

  NameTable names;
  LabelState labels;
  KeyNames keys;
  Arena arena;
  gotemplate::Environment environment;
  std::string scratch;             // formatted text on its way into the arena
  std::vector<NameId> name_list;   // of stages that walk over labels while changing them
  std::vector<re2::StringPiece> groups;  // of the regexp stage

  std::string_view line;
  TimestampNs timestamp;
  double value = 0;
  bool preserve_errors = false;

  /// Stores a parsed field unless its name was extracted before. False: every needed label is there, the parser may
  /// stop.
  bool extract(const KeyNames::Key& key, std::string_view value);
  /// What a parser does with a line it cannot read.
  void parser_failed(std::string_view error, std::string_view details);
  void replace_line(std::string_view text) { line = arena.copy(text); }
};

class Step {
 public:
  virtual ~Step() = default;
  /// False: the entry is dropped.
  virtual bool apply(EntryState& entry) const = 0;
};

using StepPtr = std::unique_ptr<Step>;

}  // namespace kvasir::logql
