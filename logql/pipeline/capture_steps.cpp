#include <re2/re2.h>

#include "common/regex.h"
#include "logql/pipeline/pattern.h"
#include "logql/pipeline/steps.h"

namespace kvasir::logql {

namespace {

// `| regexp "(?P<name>...)"`: named groups of the first match become labels.
class RegexpStep : public Step {
 public:
  RegexpStep(std::shared_ptr<const re2::RE2> regex, std::vector<std::string> group_names)
      : regex_(std::move(regex)), group_names_(std::move(group_names)) {}

  bool apply(EntryState& entry) const override {
    if (entry.labels.all_wanted_found()) return true;
    std::vector<re2::StringPiece>& groups = entry.groups;
    groups.assign(group_names_.size(), re2::StringPiece());
    const RegexSubject subject(entry.line);
    const auto line = subject.text();
    if (!regex_->Match(line, 0, line.size(), re2::RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size())))
      return true;
    for (auto& group : groups) group = subject.original(group);
    entry.keys.start_line();
    for (std::size_t i = 1; i < groups.size(); ++i) {
      if (group_names_[i].empty()) continue;
      const KeyNames::Key& key = entry.keys.find(kNoName, group_names_[i]);
      if (key.name != kNoName && key.needed) entry.extract(key, {groups[i].data(), groups[i].size()});
    }
    return true;
  }

 private:
  std::shared_ptr<const re2::RE2> regex_;
  std::vector<std::string> group_names_;  // by group number; "" has no name
};

// `| pattern "<a> <_> <b>"`.
class PatternStep : public Step {
 public:
  explicit PatternStep(Pattern pattern) : pattern_(std::move(pattern)) {
    for (const Pattern::Part& part : pattern_.parts()) {
      if (part.is_named()) names_.push_back(part.text);
    }
  }

  bool apply(EntryState& entry) const override {
    if (entry.labels.all_wanted_found()) return true;
    entry.keys.start_line();
    pattern_.extract(entry.line, [&](std::size_t index, std::string_view text) {
      const KeyNames::Key& key = entry.keys.find(kNoName, names_[index]);
      return !key.needed || entry.extract(key, text);
    });
    return true;
  }

 private:
  Pattern pattern_;
  std::vector<std::string> names_;
};

}  // namespace

Result<StepPtr> make_regexp_step(const RegexpParser& parser) {
  KVASIR_TRY(auto regex, compile_regex(parser.expression, {}));
  std::vector<std::string> names(static_cast<std::size_t>(regex->NumberOfCapturingGroups()) + 1);
  for (const auto& [number, name] : regex->CapturingGroupNames()) names[static_cast<std::size_t>(number)] = name;
  if (regex->CapturingGroupNames().empty())
    return fail(ErrorCode::kParse, "at least one named capture must be supplied");
  return std::make_unique<RegexpStep>(std::move(regex), std::move(names));
}

Result<StepPtr> make_pattern_step(const PatternParser& parser) {
  KVASIR_TRY(Pattern pattern, Pattern::for_parser(parser.expression));
  return std::make_unique<PatternStep>(std::move(pattern));
}

}  // namespace kvasir::logql
