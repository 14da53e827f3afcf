// journal_fields.h -- what a journal entry becomes: labels for relabelling, a line, matches of the configuration.
//
// Errors:   invalid_argument for `matches`.
// Threads:  any.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/labels.h"
#include "common/result.h"

namespace kvasir::agent {

/// Field name -> value, as the journal has them.
using JournalFields = std::map<std::string, std::string>;

/// `NAME=value` of the journal's data into `fields`; text without `=` is ignored.
void add_journal_field(std::string_view data, JournalFields& fields);
/// __journal_<name in lower case>, and __journal_priority_keyword.
Labels journal_labels(const JournalFields& fields);
/// A JSON object of all fields.
std::string journal_json(const JournalFields& fields);

/// The terms of `matches`; `+` is a term of its own.
Result<std::vector<std::string>> parse_journal_matches(std::string_view text);

}  // namespace kvasir::agent
