#include "promtail-agent/stages/sprig.h"

namespace kvasir::agent {

const gotemplate::FunctionSet& agent_functions() {
  static const gotemplate::FunctionSet kFunctions = [] {
    gotemplate::FunctionSet set;
    set.add_all(gotemplate::builtin_functions()).add_all(gotemplate::shared_functions());
    return set;
  }();
  return kFunctions;
}

}  // namespace kvasir::agent
