// The match stage: stages for some entries only, or an end for them.
#include "promtail-agent/stages/drop_counter.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/line_selector.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

class MatchStage final : public Stage {
 public:
  MatchStage(LineSelector selector, std::vector<TextPair> extracted, StageChain chain)
      : selector_(std::move(selector)), extracted_(std::move(extracted)), chain_(std::move(chain)) {}
  std::string_view name() const override { return "match"; }

  Verdict process(Entry& entry, EntrySink& next) override {
    if (!selector_.matches(*entry.labels(), entry.line()) || !extracted_matches(entry)) return Verdict::kPass;
    entry.extracted().refill(entry.labels());
    return chain_.pass(entry, next);
  }

  void tick(EntrySink& next) override { chain_.tick(next); }
  Duration deadline() const override { return chain_.deadline(); }
  void close(EntrySink& next) override { chain_.close(next); }

 private:
  bool extracted_matches(const Entry& entry) const {
    NumberText scratch;
    for (const TextPair& pair : extracted_) {
      const Value value = entry.extracted().get(pair.name);
      if (!value.has_text() || value_text(value, scratch) != pair.value) return false;
    }
    return true;
  }

  LineSelector selector_;
  std::vector<TextPair> extracted_;
  StageChain chain_;
};

class MatchDropStage final : public Stage {
 public:
  MatchDropStage(LineSelector selector, std::string reason, MetricRegistry* metrics)
      : selector_(std::move(selector)), dropped_(metrics, std::move(reason)) {}
  std::string_view name() const override { return "match"; }

  Verdict process(Entry& entry, EntrySink&) override {
    if (!selector_.matches(*entry.labels(), entry.line())) return Verdict::kPass;
    dropped_.add();
    return Verdict::kDropped;
  }

 private:
  LineSelector selector_;
  DropCounter dropped_;
};

}  // namespace

StageResult make_match_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  const auto pipeline_name = options.text("pipeline_name");
  const auto selector_text = options.text("selector", "");
  const auto action = options.text("action", "keep");
  const YamlNode* stages = options.find("stages");
  auto extracted = options.pairs("extracted");
  auto reason = options.text("drop_counter_reason", "match_stage");
  if (pipeline_name && pipeline_name->empty())
    options.fault("pipeline_name", "match stage pipeline name can be omitted but cannot be an empty string");
  if (!action.empty() && action != "keep" && action != "drop")
    options.fault("action", "match stage action should be 'keep' or 'drop'");
  const bool has_stages = stages != nullptr && !stages->items.empty();
  if (action == "drop" && has_stages)
    options.fault("stages", "match stage configured to drop entries cannot contains stages");
  if (action != "drop" && !has_stages)
    options.fault("stages", "match stage requires at least one additional stage to be defined in '- stages'");
  auto selector = LineSelector::parse(selector_text);
  if (selector_text.empty())
    options.fault("selector", "selector statement required for match stage");
  else if (!selector)
    options.fault("selector", "invalid selector syntax for match stage: " + selector.error().message());
  if (reason.empty()) reason = "match_stage";
  // Also for a stage that fails: what is wrong inside it is told with the rest.
  auto chain = has_stages ? build_chain(*stages, context) : Result<StageChain>();
  KVASIR_CHECK_OK(options.finish());
  if (action == "drop")
    return std::make_unique<MatchDropStage>(std::move(*selector), std::move(reason), context.stage.metrics);
  if (!chain) return fail(chain.error());
  return std::make_unique<MatchStage>(std::move(*selector), std::move(extracted), std::move(*chain));
}

}  // namespace kvasir::agent
