// pattern_reader.h -- what a pattern of literals and captures cuts out of the lines, without building the lines.
//
// Example:  `<_> "<method> <path> <_>"` over `<v1> - "<v2>" <v3>`: the quote cannot be inside v1, so both captures lie
//           inside the values of v2, which are looked at once each.
// Method:   the pattern is walked over the fixed text of a template. A literal is not looked for in a variable whose
//           character classes exclude its first byte; where a variable may hold it, the walk goes on inside each of its
//           values.
// Law:      exactly what walking the line gives, or "unknown" for the row.
#pragma once

#include <span>
#include <string>

#include "chunks/block.h"
#include "chunks/table_reader.h"

namespace kvasir::chunks {

/// Fills `out` with what part `capture` takes of each line; absent where the pattern ends before it. False: cannot.
bool read_pattern(TableReader& table, std::span<const PatternPart> parts, std::size_t capture, FieldValues& out);

}  // namespace kvasir::chunks
