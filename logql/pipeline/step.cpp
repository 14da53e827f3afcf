#include "logql/pipeline/step.h"

namespace kvasir::logql {

EntryState::EntryState(const NameTable& compiled, const NeededNames& needed, bool preserve_errors)
    : names(compiled), labels(names), keys(names, needed), preserve_errors(preserve_errors) {}

bool EntryState::extract(const KeyNames::Key& key, std::string_view value) {
  const NameId target = labels.extraction_target(key.name);
  if (labels.was_parsed(target)) return true;
  labels.set(target, value);
  return !labels.all_wanted_found();
}

void EntryState::parser_failed(std::string_view error, std::string_view details) {
  labels.set_error(error, details);
  if (preserve_errors) labels.set(kPreserveErrorName, "true");
}

}  // namespace kvasir::logql
