// label_string.h -- reads the label string of a pushed stream: `{app="shop", env='prod'}`.
//
// Syntax:   PromQL's metric: an optional name (kept as __name__), then a label set: names [a-zA-Z_][a-zA-Z0-9_]*,
//           strings in "", '' (Go escapes) or ``, a comma may end the list. Pairs with an empty value are dropped.
// Errors:   parse, with Prometheus' words and position: `1:3: parse error: unexpected character inside braces: '-'`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/labels.h"
#include "common/result.h"

namespace kvasir::ingest {

struct ParsedLabels {
  Labels labels;               // of equal names the first
  std::string duplicate_name;  // a name that occurs twice, or ""
  std::vector<Label> pairs;    // all of them sorted by name, if a name occurs twice
};

Result<ParsedLabels> parse_label_string(std::string_view text);

}  // namespace kvasir::ingest
