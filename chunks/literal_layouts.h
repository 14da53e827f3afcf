// literal_layouts.h -- the ways in which a literal can lie across the variables of a template.
//
// Example:  `"status": 50` over `{"status": <v>}` has one way: <v> begins with `50`.
// Limits:   kLayoutsMax ways per template; more are reported as "too many".
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "chunks/table_reader.h"

namespace kvasir::chunks {

inline constexpr std::size_t kLayoutsMax = 512;

struct VariableTest {
  enum class Kind : std::uint8_t { kEndsWith, kEquals, kBeginsWith };
  Kind kind;
  std::uint16_t variable;  // of the template
  std::string_view text;   // of the literal
};

/// All tests hold: the row contains the literal.
using LiteralLayout = std::vector<VariableTest>;

/// True if some fixed text of the template contains the literal.
bool fixed_text_contains(const RowTemplate& shape, std::string_view literal);

/// Appends the layouts that touch at least one variable and one border. False: too many.
bool find_layouts(const TableReader& table, const RowTemplate& shape, std::string_view literal,
                  std::vector<LiteralLayout>& layouts);

}  // namespace kvasir::chunks
