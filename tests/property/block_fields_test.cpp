// The fields that a block gives from its columns against what the stages of the pipeline extract from its lines.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "chunks/id_store.h"
#include "chunks/stored_block.h"
#include "chunks/test_lines.h"
#include "common/number.h"
#include "logql/pipeline/pattern.h"
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

bool is_set(const std::vector<std::uint64_t>& words, std::size_t row) {
  return !words.empty() && (words[row >> 6] >> (row & 63) & 1) != 0;
}

/// Returns how many rows were answered.
int check_values(const FieldValues& values, const std::string& name, const Judged& judged,
                 std::span<const EntryView> rows) {
  int answered = 0;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    CAPTURE(name);
    CAPTURE(std::string(rows[row].line));
    if (is_set(values.unknown, row)) continue;
    ++answered;
    REQUIRE_FALSE(judged.failed[row]);
    const auto expected = judged.fields[row].find(name);
    const std::uint32_t index = values.row_value[row];
    REQUIRE((index != FieldValues::kAbsent) == (expected != judged.fields[row].end()));
    if (index != FieldValues::kAbsent) REQUIRE(values.values[index] == expected->second);
  }
  return answered;
}

void check_numbers(const chunks::FieldNumbers& numbers, const std::string& name, const Judged& judged,
                   std::span<const EntryView> rows) {
  for (std::size_t row = 0; row < rows.size(); ++row) {
    CAPTURE(name);
    CAPTURE(std::string(rows[row].line));
    if (is_set(numbers.unknown, row)) continue;
    REQUIRE_FALSE(judged.failed[row]);
    const auto expected = judged.fields[row].find(name);
    const bool present = is_set(numbers.present, row);
    REQUIRE(present == (expected != judged.fields[row].end()));
    if (present) REQUIRE(numbers.values[row] == parse_go_float(expected->second));
  }
}

constexpr const char* kPatterns[] = {
    "<a> <b> <c>",    "<a>\"<b>\"<c>",   "<_> - - [<a>] \"<b> <c> <_>\" <_>",
    "{<a>:<b>,<c>",   "<a>=<b> <c>=<_>", "ts=<a> level=<b> <c>",
    "<a>/<b>-<c>",    "<a>ms<b>",        "<a>\":<b>,\"<c>\"<_>",
    "[<a>] <b>: <c>",
};

/// What `| pattern` captures; counts the rows that were answered.
int check_pattern(chunks::Block& block, const char* text, std::span<const EntryView> rows) {
  const auto pattern = logql::Pattern::for_parser(text);
  REQUIRE(pattern);
  std::vector<chunks::PatternPart> parts;
  for (const auto& part : pattern->parts()) parts.push_back({part.is_capture, part.is_capture ? "" : part.text});
  int answered = 0;
  std::size_t named = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!pattern->parts()[i].is_named()) continue;
    const std::size_t capture = named++;
    FieldValues values;
    if (!block.pattern_field(parts, i, values)) continue;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (is_set(values.unknown, row)) continue;
      ++answered;
      std::optional<std::string_view> expected;
      pattern->extract(rows[row].line, [&](std::size_t index, std::string_view found) {
        if (index == capture) expected = found;
        return true;
      });
      CAPTURE(text);
      CAPTURE(i);
      CAPTURE(std::string(rows[row].line));
      const std::uint32_t index = values.row_value[row];
      REQUIRE((index != FieldValues::kAbsent) == expected.has_value());
      if (expected) REQUIRE(values.values[index] == *expected);
    }
  }
  return answered;
}

void check_metadata(chunks::Block& block, std::span<const EntryView> rows) {
  std::set<std::string> names{"absent"};
  for (const EntryView& row : rows) {
    for (const LabelView& label : row.metadata) names.insert(std::string(label.name));
  }
  for (const std::string& name : names) {
    FieldValues values;
    if (!block.field(FieldSyntax::kMetadata, name, values)) continue;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (is_set(values.unknown, row)) continue;
      const auto found = std::find_if(rows[row].metadata.begin(), rows[row].metadata.end(),
                                      [&](const LabelView& label) { return label.name == name; });
      const std::uint32_t index = values.row_value[row];
      REQUIRE((index != FieldValues::kAbsent) == (found != rows[row].metadata.end()));
      if (index != FieldValues::kAbsent) REQUIRE(values.values[index] == found->value);
    }
  }
}

struct Answered {
  int fields = 0;    // times that a block could answer
  int captures = 0;  // rows
};

Answered check_block(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const chunks::TestRows rows = chunks::random_rows(random);
  chunks::PendingIdStore ids;
  std::string bytes;
  chunks::encode_block(rows.views, chunks::Encoding::kColumns, ids, bytes);
  auto block = chunks::StoredBlock::open(bytes, ids, nullptr);
  REQUIRE(block);
  Answered answered;
  for (const FieldSyntax syntax : {FieldSyntax::kJson, FieldSyntax::kLogfmt}) {
    Judged judged = judge(syntax, rows.views);
    judged.names.insert({"absent", "status", "a_b", "level", ""});
    for (const std::string& name : judged.names) {
      FieldValues values;
      if ((*block)->field(syntax, name, values)) {
        if (check_values(values, name, judged, rows.views) > 0) ++answered.fields;
      }
      chunks::FieldNumbers numbers;
      if ((*block)->number_field(syntax, name, numbers)) check_numbers(numbers, name, judged, rows.views);
    }
  }
  for (const char* pattern : kPatterns) answered.captures += check_pattern(**block, pattern, rows.views);
  check_metadata(**block, rows.views);
  return answered;
}

TEST_CASE("columns give the fields that the stages extract") {
  const char* const soak = std::getenv("KVASIR_SOAK");
  const std::uint64_t blocks = soak == nullptr ? 150 : std::strtoull(soak, nullptr, 10);
  Answered answered;
  for (std::uint64_t seed = 1; seed <= blocks; ++seed) {
    CAPTURE(seed);
    const Answered of_block = check_block(seed);
    answered.fields += of_block.fields;
    answered.captures += of_block.captures;
  }
  // The fast paths are taken, not only refused, although most blocks hold damaged lines.
  CHECK(answered.fields > static_cast<int>(blocks * 4));
  CHECK(answered.captures > static_cast<int>(blocks * 100));
}

}  // namespace
}  // namespace kvasir
