// template_values.h -- walks the values that the rows of a table have for one field, wherever each template keeps it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chunks/table_reader.h"

namespace kvasir::chunks {

/// Calls take(row, template, number of the value in its column) for every row whose template has the field. A Source
/// has `present`, `column` and `nth` (among the variables of the template that use the column). False: damaged.
template <class Source, class Take>
bool for_each_value(TableReader& table, std::span<const Source> sources, Take take) {
  const auto ids = table.template_ids();
  if (!ids) return false;
  std::vector<std::span<const std::uint32_t>> starts(sources.size());
  for (std::size_t t = 0; t < sources.size(); ++t) {
    if (!sources[t].present) continue;
    const auto found = table.value_starts(sources[t].column);
    if (!found) return false;
    starts[t] = *found;
  }
  for (std::size_t row = 0; row < ids->size(); ++row) {
    const std::size_t t = (*ids)[row];
    if (sources[t].present) take(row, t, starts[t].empty() ? row : starts[t][row] + sources[t].nth);
  }
  return true;
}

}  // namespace kvasir::chunks
