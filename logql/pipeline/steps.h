// steps.h -- makers of steps, one per kind of stage. Internal to this folder.
//
// Errors:   what a maker refuses is a stage error; the message is only the REASON, pipeline.cpp adds the stage's text.
// Threads:  free functions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "logql/pipeline/step.h"
#include "logql/syntax/stages.h"

namespace kvasir::logql {

/// `regex_literals`: regexes are taken for plain texts, or tried behind one, where that is the same.
Result<StepPtr> make_line_filter_step(const LineFilter& filter, bool regex_literals);

StepPtr make_json_step();
Result<StepPtr> make_json_extraction_step(const JsonParser& parser, NameTable& names);
StepPtr make_unpack_step(bool extracts);
StepPtr make_logfmt_step(const LogfmtParser& parser);
Result<StepPtr> make_logfmt_extraction_step(const LogfmtParser& parser, NameTable& names);
Result<StepPtr> make_regexp_step(const RegexpParser& parser);
Result<StepPtr> make_pattern_step(const PatternParser& parser);

Result<StepPtr> make_label_filter_step(const LabelFilter& filter, NameTable& names);
/// Names that a label filter reads.
void collect_filter_names(const LabelFilter& filter, std::vector<std::string>& names);

/// Names of labels that a stage reads; `all` when it may read any.
struct LabelReads {
  std::vector<std::string> names;
  bool all = false;
};
Result<StepPtr> make_line_format_step(const LineFormat& format, NameTable& names, LabelReads& reads);
Result<StepPtr> make_label_format_step(const LabelFormat& format, NameTable& names, LabelReads& reads);

StepPtr make_decolorize_step();
StepPtr make_drop_step(const Drop& drop, NameTable& names);
StepPtr make_keep_step(const Keep& keep, NameTable& names);

/// Converts the label to EntryState::value; no sample if it is missing or empty.
StepPtr make_unwrap_step(const Unwrap& unwrap, NameTable& names);

}  // namespace kvasir::logql
