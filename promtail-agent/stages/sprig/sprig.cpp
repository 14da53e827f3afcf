#include "promtail-agent/stages/sprig/sprig.h"

#include "common/assert.h"
#include "promtail-agent/stages/sprig/conversions.h"

namespace kvasir::agent {
namespace {

// Functions that mean the same in LogQL's templates.
constexpr std::string_view kSharedWithLogql[] = {
    "trim",     "trimAll",   "trimPrefix", "trimSuffix", "upper",  "lower",     "title",   "repeat", "replace",
    "contains", "hasPrefix", "hasSuffix",  "substr",     "trunc",  "indent",    "nindent", "b64enc", "b64dec",
    "int",      "float64",   "add",        "sub",        "mul",    "div",       "mod",     "max",    "min",
    "addf",     "subf",      "mulf",       "divf",       "maxf",   "minf",      "ceil",    "floor",  "round",
    "default",  "fromJson",  "now",        "date",       "toDate", "unixEpoch",
};

gotemplate::FunctionSet make_functions() {
  gotemplate::FunctionSet set;
  set.add_all(gotemplate::builtin_functions()).add_all(gotemplate::shared_functions());
  for (const std::string_view name : kSharedWithLogql) {
    const gotemplate::Function* function = gotemplate::logql_functions().find(name);
    KVASIR_ASSERT(function != nullptr, name);
    set.add(name, function->signature, function->body);
  }
  sprig::add_string_functions(set);
  sprig::add_number_functions(set);
  sprig::add_list_functions(set);
  sprig::add_codec_functions(set);
  sprig::add_time_functions(set);
  return set;
}

}  // namespace

const gotemplate::FunctionSet& agent_functions() {
  static const gotemplate::FunctionSet kFunctions = make_functions();
  return kFunctions;
}

}  // namespace kvasir::agent
