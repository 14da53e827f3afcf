// The fields that a block gives from its columns against what the stages of the pipeline extract from its lines.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "chunks/id_store.h"
#include "chunks/stored_block.h"
#include "chunks/test_lines.h"
#include "common/number.h"
#include "logql/pipeline/pipeline.h"

namespace kvasir {
namespace {

using chunks::FieldSyntax;
using chunks::FieldValues;

std::shared_ptr<const logql::Pipeline> stage_of(FieldSyntax syntax) {
  std::vector<logql::Stage> stages;
  if (syntax == FieldSyntax::kJson) stages.push_back(logql::JsonParser{});
  else stages.push_back(logql::LogfmtParser{});
  auto pipeline = logql::Pipeline::compile(stages, nullptr, {});
  REQUIRE(pipeline);
  return *pipeline;
}

/// What the stage makes of each line.
struct Judged {
  std::vector<std::map<std::string, std::string>> fields;
  std::vector<bool> failed;
  std::set<std::string> names;
};

Judged judge(FieldSyntax syntax, std::span<const EntryView> rows) {
  logql::PipelineRunner runner(stage_of(syntax));
  const Labels none;
  runner.bind(none);
  Judged judged;
  for (const EntryView& row : rows) {
    auto& fields = judged.fields.emplace_back();
    REQUIRE(runner.process(row.timestamp, row.line, {}));
    judged.failed.push_back(!runner.error().empty());
    for (const Label& label : runner.labels_of(logql::LabelCategory::kParsed)) {
      fields[label.name] = label.value;
      judged.names.insert(label.name);
    }
  }
  return judged;
}

void check_values(const FieldValues& values, const std::string& name, const Judged& judged,
                  std::span<const EntryView> rows) {
  for (std::size_t row = 0; row < rows.size(); ++row) {
    CAPTURE(name);
    CAPTURE(std::string(rows[row].line));
    REQUIRE_FALSE(judged.failed[row]);
    const auto expected = judged.fields[row].find(name);
    const std::uint32_t index = values.row_value[row];
    REQUIRE((index != FieldValues::kAbsent) == (expected != judged.fields[row].end()));
    if (index != FieldValues::kAbsent) REQUIRE(values.values[index] == expected->second);
  }
}

void check_numbers(const chunks::FieldNumbers& numbers, const std::string& name, const Judged& judged,
                   std::span<const EntryView> rows) {
  for (std::size_t row = 0; row < rows.size(); ++row) {
    CAPTURE(name);
    CAPTURE(std::string(rows[row].line));
    const auto expected = judged.fields[row].find(name);
    const bool present = numbers.present[row >> 6] >> (row & 63) & 1;
    REQUIRE(present == (expected != judged.fields[row].end()));
    if (present) REQUIRE(numbers.values[row] == parse_go_float(expected->second));
  }
}

/// Returns how often a block could answer.
int check_block(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const chunks::TestRows rows = chunks::random_rows(random);
  chunks::PendingIdStore ids;
  std::string bytes;
  chunks::encode_block(rows.views, chunks::Encoding::kColumns, ids, bytes);
  auto block = chunks::StoredBlock::open(bytes, ids, nullptr);
  REQUIRE(block);
  int answers = 0;
  for (const FieldSyntax syntax : {FieldSyntax::kJson, FieldSyntax::kLogfmt}) {
    Judged judged = judge(syntax, rows.views);
    judged.names.insert({"absent", "status", "a_b", "level", ""});
    for (const std::string& name : judged.names) {
      FieldValues values;
      if ((*block)->field(syntax, name, values)) {
        ++answers;
        check_values(values, name, judged, rows.views);
      }
      chunks::FieldNumbers numbers;
      if ((*block)->number_field(syntax, name, numbers)) check_numbers(numbers, name, judged, rows.views);
    }
  }
  return answers;
}

TEST_CASE("columns give the fields that the stages extract") {
  const char* const soak = std::getenv("KVASIR_SOAK");
  const std::uint64_t blocks = soak == nullptr ? 150 : std::strtoull(soak, nullptr, 10);
  int answers = 0;
  for (std::uint64_t seed = 1; seed <= blocks; ++seed) {
    CAPTURE(seed);
    answers += check_block(seed);
  }
  CHECK(answers >
        static_cast<int>(blocks / 4));  // the fast path is taken, not only refused: most blocks hold damaged lines
}

}  // namespace
}  // namespace kvasir
