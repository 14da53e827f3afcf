#include "logql/pipeline/steps.h"
#include "logql/pipeline/value_text.h"

namespace kvasir::logql {

namespace {

std::optional<double> convert(UnwrapConversion conversion, std::string_view text, std::string& details) {
  switch (conversion) {
    case UnwrapConversion::kNone: return parse_number_text(text, details);
    case UnwrapConversion::kBytes:
      if (const auto bytes = parse_bytes_text(text, details)) return static_cast<double>(*bytes);
      return std::nullopt;
    case UnwrapConversion::kDuration:
    case UnwrapConversion::kDurationSeconds:
      if (const auto duration = parse_duration_text(text, details))
        return std::chrono::duration<double>(*duration).count();
      return std::nullopt;
  }
  return std::nullopt;
}

class UnwrapStep : public Step {
 public:
  UnwrapStep(NameId name, UnwrapConversion conversion) : name_(name), conversion_(conversion) {}

  bool apply(EntryState& entry) const override {
    const auto text = entry.labels.get(name_);
    if (!text || text->empty()) return false;
    std::string& details = entry.scratch;
    details.clear();
    const auto value = convert(conversion_, *text, details);
    entry.value = value.value_or(0);
    if (!value) entry.labels.set_error(kSampleExtractionError, entry.arena.copy(details));
    return true;
  }

 private:
  NameId name_;
  UnwrapConversion conversion_;
};

}  // namespace

StepPtr make_unwrap_step(const Unwrap& unwrap, NameTable& names) {
  return std::make_unique<UnwrapStep>(names.intern(unwrap.label), unwrap.conversion);
}

}  // namespace kvasir::logql
