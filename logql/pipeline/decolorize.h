// decolorize.h -- removes ANSI escape sequences from a line; also a stage of the agent.
//
// Shape:    ESC or U+009B, then any of []()#;?, then either letters, digits and semicolons up to BEL, or up to four
//           digits (and groups of them behind semicolons) and one final byte.
// Threads:  free functions without state.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::logql {

/// Length of the sequence at the front; 0 if there is none.
std::size_t ansi_sequence_length(std::string_view text);

/// Appends `text` without its sequences.
void append_decolorized(std::string& out, std::string_view text);

/// False: decolorizing would change nothing.
bool may_have_colors(std::string_view text);

}  // namespace kvasir::logql
