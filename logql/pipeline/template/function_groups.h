// function_groups.h -- the groups that make up logql_functions(). Internal to this folder.
//
// Threads:  free functions.
#pragma once

#include "logql/pipeline/template/functions.h"

namespace kvasir::gotemplate {

void add_text_functions(FunctionSet& set);
void add_number_functions(FunctionSet& set);
void add_time_functions(FunctionSet& set);

/// The decoded document, or nil if it is not valid JSON.
Value value_from_json(std::string_view text, Heap& heap);

}  // namespace kvasir::gotemplate
