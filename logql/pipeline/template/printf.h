// printf.h -- Go's fmt.Sprintf, Sprint and Sprintln over template values.
//
// Notes:    what does not fit a verb is shown as Go shows it: %!d(string=x), %!v(MISSING), %!(EXTRA int=1).
// Threads:  free functions without state.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "logql/pipeline/template/value.h"

namespace kvasir::gotemplate {

std::string go_sprintf(std::string_view format, std::span<const Value> values);
/// Spaces between neighbours of which neither is a string.
std::string go_sprint(std::span<const Value> values);
std::string go_sprintln(std::span<const Value> values);

}  // namespace kvasir::gotemplate
