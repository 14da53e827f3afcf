// The docker stage: records of Docker's json-file driver, `{"log": ..., "stream": ..., "time": ...}`.
#include "common/yaml.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/partial_lines.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

constexpr std::string_view kInnerStages = R"(
- json: {expressions: {output: log, stream: stream, timestamp: time}}
- labels: {stream: stream}
- timestamp: {source: timestamp, format: RFC3339Nano}
- output: {source: output}
)";

class DockerStage final : public Stage {
 public:
  DockerStage(StageChain inner, bool trim_newline, bool merge_partial, const Clock& clock)
      : inner_(std::move(inner)), trim_newline_(trim_newline), merge_partial_(merge_partial), partial_({}, clock) {}
  std::string_view name() const override { return "docker"; }

  Verdict process(Entry& entry, EntrySink& next) override {
    entry.extracted().refill(entry.labels());
    inner_.pass(entry, next);  // these stages neither drop nor hold
    const bool record = entry.extracted().get("output").has_text();
    const bool partial = merge_partial_ && record && !entry.line().ends_with('\n');
    const Verdict verdict = merge_partial_ ? partial_.process(entry, partial, next) : Verdict::kPass;
    if (trim_newline_ && verdict == Verdict::kPass && entry.line().ends_with('\n'))
      entry.set_line(entry.line().substr(0, entry.line().size() - 1));
    return verdict;
  }

  void tick(EntrySink& next) override { partial_.tick(next); }
  Duration deadline() const override { return partial_.deadline(); }

 private:
  StageChain inner_;
  bool trim_newline_;
  bool merge_partial_;
  PartialLines partial_;
};

}  // namespace

StageResult make_docker_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  const bool trim_newline = options.flag("trim_newline");
  const bool merge_partial = options.flag("merge_partial");
  KVASIR_CHECK_OK(options.finish());
  KVASIR_TRY(const YamlNode stages, parse_yaml(kInnerStages));
  KVASIR_TRY(StageChain inner, build_chain(stages, context));
  return std::make_unique<DockerStage>(std::move(inner), trim_newline, merge_partial, *context.stage.clock);
}

}  // namespace kvasir::agent
