// The drop stage: an entry goes when all of the given conditions hold.
#include "common/number.h"
#include "promtail-agent/stages/drop_counter.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/line_regex.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

struct DropConditions {
  std::vector<std::string> sources;
  std::string separator = ";";
  std::optional<std::string> value;
  std::optional<LineRegex> expression;
  std::optional<Duration> older_than;
  std::optional<std::uint64_t> longer_than;
};

class DropStage final : public Stage {
 public:
  DropStage(DropConditions conditions, std::string reason, const StageContext& context)
      : conditions_(std::move(conditions)), clock_(*context.clock), dropped_(context.metrics, std::move(reason)) {}
  std::string_view name() const override { return "drop"; }

  Verdict process(Entry& entry, EntrySink&) override {
    if (!should_drop(entry)) return Verdict::kPass;
    dropped_.add();
    return Verdict::kDropped;
  }

 private:
  bool should_drop(const Entry& entry) {
    const DropConditions& c = conditions_;
    if (c.longer_than && entry.line().size() <= *c.longer_than) return false;
    if (c.older_than && entry.timestamp() >= clock_.now() - *c.older_than) return false;
    if (c.sources.empty()) return !c.expression || c.expression->search(entry.line());
    if (!c.expression && !c.value) return all_present(entry);
    if (!join(entry)) return false;
    return c.value ? joined_ == *c.value : c.expression->search(joined_);
  }

  bool all_present(const Entry& entry) const {
    for (const std::string& source : conditions_.sources)
      if (entry.extracted().get(source).missing()) return false;
    return true;
  }

  // The values that exist; false if one of them is null.
  bool join(const Entry& entry) {
    NumberText scratch;
    joined_.clear();
    bool first = true;
    for (const std::string& source : conditions_.sources) {
      const Value value = entry.extracted().get(source);
      if (value.missing()) continue;
      if (!value.has_text()) return false;
      if (!first) joined_ += conditions_.separator;
      first = false;
      joined_ += value_text(value, scratch);
    }
    return true;
  }

  DropConditions conditions_;
  const Clock& clock_;
  DropCounter dropped_;
  std::string joined_;
};

}  // namespace

StageResult make_drop_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  DropConditions conditions;
  if (const YamlNode* source = options.find("source"); source != nullptr) {
    auto names = read_texts(*source);
    if (names) conditions.sources = std::move(*names);
    else options.fault("source", "drop stage source invalid type should be string or list of strings");
  }
  conditions.separator = options.text("separator", ";");
  conditions.value = options.text("value");
  const auto expression = options.text("expression");
  const auto older_than = options.text("older_than");
  const auto longer_than = options.text("longer_than");
  auto reason = options.text("drop_counter_reason", "drop_stage");
  if (reason.empty()) reason = "drop_stage";
  const bool any = !conditions.sources.empty() || expression || older_than || longer_than || conditions.value;
  if (!any && !options.faulty())
    return invalid(
        "drop stage config must contain at least one of `source`, `expression`, `older_than` or `longer_than`");
  if (older_than) {
    conditions.older_than = parse_go_duration(*older_than);
    if (!conditions.older_than)
      options.fault("older_than", "drop stage invalid duration, " + *older_than +
                                      " cannot be converted to a duration: time: invalid duration \"" + *older_than +
                                      "\"");
  }
  if (conditions.value && expression)
    options.fault("value", "drop stage config error, `value` and `expression` cannot both be defined at the same time.");
  if (conditions.value && !options.has("source"))
    options.fault("value", "drop stage config must contain `source` if `value` is specified");
  if (expression) {
    auto regex = LineRegex::compile(*expression);
    if (regex) conditions.expression = std::move(*regex);
    else options.fault("expression", "drop stage regex compilation error: " + regex.error().message());
  }
  if (longer_than) {
    conditions.longer_than = parse_base2_size(*longer_than);
    if (!conditions.longer_than)
      options.fault("longer_than", "drop stage failed to parse longer_than to bytes: " + *longer_than);
  }
  KVASIR_CHECK_OK(options.finish());
  return std::make_unique<DropStage>(std::move(conditions), std::move(reason), context.stage);
}

}  // namespace kvasir::agent
