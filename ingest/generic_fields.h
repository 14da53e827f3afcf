// generic_fields.h -- `discover_generic_fields`: fields of an entry that are copied into its structured metadata.
//
// Order:    all hints in the stream's labels, then in the metadata, then in the line: a JSON path (`a.b.c`) or a logfmt
//           key.
// Cost:     the line is parsed once for each field that labels and metadata lack; off unless configured.
// Threads:  immutable; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/labels.h"

namespace kvasir::ingest {

/// The first hint's value, or an empty optional. Strings come unescaped, other JSON values as their text.
std::optional<std::string> find_generic_field(const std::vector<std::string>& hints, const Labels& labels,
                                              std::span<const LabelView> metadata, std::string_view line);

}  // namespace kvasir::ingest
