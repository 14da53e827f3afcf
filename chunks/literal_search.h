// literal_search.h -- which rows of a table contain a literal, found in templates and columns without building the
// rows.
//
// Method:   a row contains the literal inside its fixed text (decided once per template), inside one variable (searched
//           in the column: once per distinct value of a dictionary), or across a border. For the last, every way to lay
//           the literal over fixed text and variables is enumerated; each becomes a conjunction "this variable ends
//           with / equals / begins with that piece of the literal", evaluated on the columns.
// Law:      exact. Prefilters (character classes, lengths) only skip what cannot be.
// Errors:   corruption; nothing may then be concluded.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "chunks/block.h"
#include "chunks/table_reader.h"

namespace kvasir::chunks {

/// Words as in RowBits, a set bit for each row that contains the literal. Rows outside `wanted` may be left unset.
/// REQUIRES: the literal is not empty.
Result<std::vector<std::uint64_t>> rows_with_literal(TableReader& table, std::string_view literal, ConstRowBits wanted);

/// The same for texts one after the other. `joined` is their concatenation in order.
std::vector<std::uint64_t> texts_with_literal(std::string_view joined, std::span<const std::string_view> texts,
                                              std::string_view literal);

}  // namespace kvasir::chunks
