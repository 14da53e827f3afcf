// time_methods.h -- the methods of time values that templates may call: `__timestamp__.Unix`, `.Year`, `.Format
// "2006"`.
//
// Notes:    written as functions; the time is the first argument and is not part of the signature.
// Threads:  immutable.
#pragma once

#include <string_view>

#include "logql/pipeline/template/functions.h"

namespace kvasir::gotemplate {

/// nullptr if times have no such method.
const Function* find_time_method(std::string_view name);

}  // namespace kvasir::gotemplate
