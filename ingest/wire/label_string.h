// label_string.h -- reads the label string of a pushed stream: `{app="shop", env='prod'}`.
//
// Syntax:   PromQL's label set: names [a-zA-Z_][a-zA-Z0-9_]*, strings in "", '' (Go escapes) or ``, a comma may end the list.
//           Pairs with an empty value are dropped.
// Errors:   parse, with Prometheus' words and position: `1:3: parse error: unexpected character inside braces: '-'`.
#pragma once

#include <string>
#include <string_view>

#include "common/labels.h"
#include "common/result.h"

namespace kvasir::ingest {

struct ParsedLabels {
  Labels labels;
  std::string duplicate_name;  // a name that occurs twice, or ""
};

Result<ParsedLabels> parse_label_string(std::string_view text);

}  // namespace kvasir::ingest
