// literal_hints.h -- what the first stages of a pipeline say about the stored line, before anything changed it.
//
// Law:      hints only; leaving one out costs time, never an answer.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "logql/syntax/stages.h"

namespace kvasir::logql {

/// Stages up to the first that may replace the line: what stands there tests the stored line.
std::size_t stages_on_stored_line(std::span<const Stage> stages);

/// Byte strings that every kept line holds: `|= "x"` with one argument, and, if `of_regexes`, what a regex cannot match
/// without.
std::vector<std::string> required_line_literals(std::span<const Stage> stages, bool of_regexes = true);

}  // namespace kvasir::logql
