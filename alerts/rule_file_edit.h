// rule_file_edit.h -- changes one group of a rule file and leaves the rest of its text as it was.
//
// Shape:    the lines of the group are exchanged, taken out, or put behind the last group; comments, other keys, the
//           order and the other groups stay, byte by byte. What comes out is read again; if it is not the file that was
//           meant (groups in flow style, say), the whole file is printed anew, without its comments.
// Errors:   parse: the text is no rule file.
// Threads:  any.
#pragma once

#include <string>
#include <string_view>

#include "alerts/rule.h"

namespace kvasir::alerts {

/// `group` stands in the place of the group with its name, or behind the others.
Result<std::string> with_group(std::string_view text, const RuleGroup& group);

/// Without the group of that name; an empty optional if there is none.
Result<std::optional<std::string>> without_group(std::string_view text, const std::string& name);

}  // namespace kvasir::alerts
