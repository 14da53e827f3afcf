// tokenizer.h -- cuts a line into fixed text and variables; lines written by one statement share their fixed text.
//
// JSON:     (first byte `{`) every string or bare value is a variable; keys and punctuation are fixed. A flat scan, no
//           tree: any bytes give some cut.
// Else:     the value of key=value, the inside of a quoted string, instants, and words with a digit are variables;
//           digits at the end of a word and digits before a unit stand alone.
// Law:      joining fixed text and variables gives the line back. A line may also be cut as the line before it was,
//           where that fits; both cuts give the same bytes.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace kvasir::chunks {

/// A variable: bytes [begin, end) of the line; ascending, never overlapping.
struct Token {
  std::uint32_t begin;
  std::uint32_t end;
};

/// Replaces the content of `tokens`.
void tokenize(std::string_view line, std::vector<Token>& tokens);

/// The scan in steps, for lines of which the fixed text is known: looks at `at` < line.size() and gives the next place
/// to look at. Adds at most one token. `tokens` holds those before.
std::size_t tokenize_step(std::string_view line, std::size_t at, std::vector<Token>& tokens);

}  // namespace kvasir::chunks
