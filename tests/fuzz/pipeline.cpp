// A pipeline in the first line of the input, run over the rest of it. Two laws: a warm runner gives what a fresh one
// gives, and reading only the needed labels gives the same grouped result.
#include <cstdlib>

#include "logql/pipeline/pipeline.h"
#include "logql/syntax/parser.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

const Labels kStream{{"app", "web"}, {"b", "stream"}};

struct Outcome {
  bool kept = false;
  std::string labels;
  std::string line;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome run(PipelineRunner& runner, std::string_view line) {
  const std::vector<LabelView> metadata{{"a", "meta"}, {"trace", "t"}};
  Outcome outcome;
  outcome.kept = runner.process(TimestampNs{1768032060000000000}, line, metadata);
  if (!outcome.kept) return outcome;
  const Labels labels = runner.result_labels();
  if (!runner.result_equals(labels)) std::abort();
  outcome.labels = labels.to_string();
  outcome.line = runner.line();
  return outcome;
}

std::shared_ptr<const Pipeline> compile(const LogQuery& query, bool only_needed, bool grouped) {
  PipelineOptions options;
  options.now = TimestampNs{1768032060000000000};
  options.only_needed_labels = only_needed;
  if (grouped) options.grouping = {ResultGrouping::Kind::kBy, {"a", "c_d", "app"}};
  auto compiled = Pipeline::compile(query.stages, nullptr, options);
  return compiled ? *compiled : nullptr;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 8192));
  const std::size_t end = std::min(input.find('\n'), input.size());
  const auto query = parse_log_query("{app=\"web\"} " + std::string(input.substr(0, end)));
  if (!query || !query->pipes.empty()) return 0;
  const std::string_view line = input.substr(std::min(end + 1, input.size()));

  if (const auto pipeline = compile(*query, false, false)) {
    PipelineRunner runner(pipeline);
    runner.bind(kStream);
    const Outcome fresh = run(runner, line);
    run(runner, R"({"zz":1,"a":{"b":2}})");
    if (run(runner, line) != fresh) std::abort();
  }
  const auto full = compile(*query, false, true);
  const auto narrow = compile(*query, true, true);
  if (!full || !narrow) return 0;
  PipelineRunner full_runner(full), narrow_runner(narrow);
  full_runner.bind(kStream);
  narrow_runner.bind(kStream);
  if (run(full_runner, line) != run(narrow_runner, line)) {
    // Only an error that the narrow one did not look for may make a difference.
    if (full_runner.error().empty()) std::abort();
  }
  return 0;
}
