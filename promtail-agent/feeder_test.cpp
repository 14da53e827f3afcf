// What a pipeline holds back keeps the position where it is, and what it gives back lets it move.
#include "promtail-agent/feeder.h"

#include <doctest/doctest.h>

#include "common/yaml.h"
#include "promtail-agent/stages/metric_registry.h"
#include "promtail-agent/stages/pipeline_builder.h"

namespace kvasir::agent {

namespace {

class Taking final : public EntryOutput {
 public:
  bool push(const Entry& entry) override {
    lines.emplace_back(entry.line());
    return willing;
  }
  std::vector<std::string> lines;
  bool willing = true;
};

/// Feeds lines as a file would, one byte more each for the newline.
class Fed {
 public:
  explicit Fed(const char* stages) : metrics_(system_clock()), source(table_.create("file/1", 0)) {
    const auto yaml = parse_yaml(stages);
    REQUIRE(yaml);
    StageContext context;
    context.clock = &system_clock();
    context.metrics = &metrics_;
    Diagnostics diagnostics;
    auto pipeline = build_pipeline(*yaml, context, diagnostics);
    REQUIRE(pipeline);
    feeder_ = std::make_unique<Feeder>(std::move(*pipeline), output, table_, system_clock());
  }
  void line(const std::string& text) {
    const std::uint64_t end = at_ + text.size() + 1;
    feeder_->feed(*source, labels_, TimestampNs{1}, text, at_, end);
    at_ = end;
  }
  std::uint64_t end() const { return at_; }

 private:
  MetricRegistry metrics_;
  ProgressTable table_;
  LabelSetPtr labels_ = make_label_set(Labels{{"job", "x"}});
  std::unique_ptr<Feeder> feeder_;
  std::uint64_t at_ = 0;

 public:
  ProgressPtr source;
  Taking output;
};

}  // namespace

TEST_CASE("lines that become one entry hold the position until it is out, and not longer") {
  Fed fed("- multiline: {firstline: '^start'}");
  fed.line("start one");
  fed.line(" a");
  fed.line(" b");
  CHECK(fed.source->committable() == 0);
  const std::uint64_t second = fed.end();
  fed.line("start two");
  CHECK(fed.output.lines == std::vector<std::string>{"start one\n a\n b"});
  CHECK(fed.source->committable() == second);
  fed.line(" c");
  CHECK(fed.source->committable() == second);
  CHECK(!fed.source->all_settled());
}

TEST_CASE("the line that completes an entry is not held either") {
  Fed lines("- multiline: {firstline: '^start', max_lines: 3}");
  for (const char* text : {"start", "a", "b"}) lines.line(text);
  CHECK(lines.output.lines.size() == 1);
  CHECK(lines.source->committable() == lines.end());
  Fed cri("- cri: {}");
  cri.line("2026-11-21T10:00:00.000000001Z stdout P part one ");
  CHECK(cri.source->committable() == 0);
  cri.line("2026-11-21T10:00:00.000000002Z stdout P part two ");
  cri.line("2026-11-21T10:00:00.000000003Z stdout F end");
  CHECK(cri.output.lines == std::vector<std::string>{"part one part two end"});
  CHECK(cri.source->committable() == cri.end());
  CHECK(cri.source->all_settled());
}

TEST_CASE("lines between the parts of another stream wait for these") {
  Fed fed("- cri: {}");
  fed.line("2026-11-21T10:00:00.000000001Z stdout P part ");
  fed.line("2026-11-21T10:00:00.000000002Z stderr F whole");
  CHECK(fed.source->committable() == 0);
  fed.line("2026-11-21T10:00:00.000000003Z stdout F end");
  CHECK(fed.source->committable() == fed.end());
}

TEST_CASE("what is dropped lets the position move; what the clients refuse does not") {
  Fed fed("- drop: {expression: 'no'}");
  fed.line("no");
  CHECK(fed.source->committable() == fed.end());
  const std::uint64_t refused = fed.end();
  fed.output.willing = false;
  fed.line("yes");
  CHECK(fed.source->committable() == refused);
}

}  // namespace kvasir::agent
