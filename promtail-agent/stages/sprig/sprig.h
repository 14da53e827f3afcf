// sprig.h -- the functions that templates of the agent may call, besides those that LogQL has too.
//
// Source:   the names and argument orders of Sprig's text functions; docs/agent/stages.md lists what is there.
// Threads:  immutable.
#pragma once

#include "logql/pipeline/template/functions.h"

namespace kvasir::agent {

/// Go's builtins, Promtail's capitalised functions, and Sprig's.
const gotemplate::FunctionSet& agent_functions();

}  // namespace kvasir::agent
