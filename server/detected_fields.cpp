#include "server/detected_fields.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "common/number.h"
#include "logql/pipeline/key_names.h"

namespace kvasir::server {
namespace {

constexpr int kJsonDepthMax = 64;

bool is_boolean(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kWords = {"1", "t", "T", "TRUE",  "true",  "True",
                                                              "0", "f", "F", "FALSE", "false", "False"};
  return std::find(kWords.begin(), kWords.end(), text) != kWords.end();
}

Result<std::unique_ptr<logql::PipelineRunner>> runner_of(logql::Stage stage) {
  const std::array<logql::Stage, 1> stages = {std::move(stage)};
  KVASIR_TRY(auto pipeline, logql::Pipeline::compile(stages, nullptr, {}));
  return std::make_unique<logql::PipelineRunner>(std::move(pipeline));
}

/// Calls `visit(name, path)` for every scalar below the object, under the name that the json stage gives it.
template <class Visit>
void walk_json(simdjson::dom::object object, const std::string& prefix, std::vector<std::string>& path,
               const Visit& visit) {
  if (path.size() >= kJsonDepthMax) return;
  for (const auto field : object) {
    const std::string part = logql::sanitise_label_name(field.key, prefix.empty());
    if (part.empty()) continue;
    const std::string name = prefix.empty() ? part : prefix + "_" + part;
    path.emplace_back(field.key);
    simdjson::dom::object inner;
    if (field.value.get(inner) == simdjson::SUCCESS) {
      walk_json(inner, name, path, visit);
    } else {
      visit(name, path);
    }
    path.pop_back();
  }
}

}  // namespace

std::string_view field_type_name(FieldType type) {
  switch (type) {
    case FieldType::kInt: return "int";
    case FieldType::kFloat: return "float";
    case FieldType::kBoolean: return "boolean";
    case FieldType::kDuration: return "duration";
    case FieldType::kBytes: return "bytes";
    case FieldType::kString: return "string";
  }
  return "string";
}

FieldType field_type_of(std::string_view value) {
  if (parse_int64(value)) return FieldType::kInt;
  if (parse_go_float(value)) return FieldType::kFloat;
  if (is_boolean(value)) return FieldType::kBoolean;
  if (parse_go_duration(value)) return FieldType::kDuration;
  return parse_byte_size(value) ? FieldType::kBytes : FieldType::kString;
}

std::string humanise_bytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 7> kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 10) return std::to_string(bytes) + "B";
  const auto unit = std::min<std::size_t>(
      static_cast<std::size_t>(std::log(static_cast<double>(bytes)) / std::log(1000.0)), kUnits.size() - 1);
  const double value =
      std::floor(static_cast<double>(bytes) / std::pow(1000.0, static_cast<double>(unit)) * 10 + 0.5) / 10;
  return value < 10 ? fmt::format("{:.1f}{}", value, kUnits[unit]) : fmt::format("{:.0f}{}", value, kUnits[unit]);
}

Result<std::unique_ptr<FieldCollector>> FieldCollector::create(std::size_t field_limit) {
  auto collector = std::make_unique<FieldCollector>();
  collector->field_limit_ = field_limit;
  KVASIR_TRY(collector->json_, runner_of(logql::JsonParser{}));
  KVASIR_TRY(collector->logfmt_, runner_of(logql::LogfmtParser{}));
  return collector;
}

void FieldCollector::add(const logql::Streams& streams) {
  for (const auto& stream : streams.streams) {
    for (const auto& entry : stream.entries) add_entry(stream.labels, entry);
  }
}

DetectedField* FieldCollector::field(const std::string& name) {
  const auto found = fields_.find(name);
  if (found != fields_.end()) return &found->second;
  return fields_.size() < field_limit_ ? &fields_[name] : nullptr;
}

bool FieldCollector::note(const std::string& name, std::string_view value, const char* parser) {
  constexpr std::uint64_t kValueCost = 96;  // a node of the set and its text
  if (name == "__error__" || name == "__error_details__") return false;
  DetectedField* known = field(name);
  if (known == nullptr) return false;
  if (known->values.empty()) known->type = field_type_of(value);
  if (!known->values.contains(value)) {
    known->values.emplace(value);
    bytes_ += kValueCost + value.size();
  }
  const auto& parsers = known->parsers;
  if (parser != nullptr && std::find(parsers.begin(), parsers.end(), parser) == parsers.end())
    known->parsers.emplace_back(parser);
  return known->json_path.empty();
}

void FieldCollector::add_entry(const Labels& stream, const logql::ResultEntry& entry) {
  for (const auto& label : entry.structured_metadata) note(label.name, label.value, nullptr);
  const char* parser = nullptr;
  bool without_path = false;
  for (auto* runner : {json_.get(), logfmt_.get()}) {
    runner->bind(stream);
    if (!runner->process(entry.timestamp, entry.line, {}) || !runner->error().empty()) continue;
    parser = runner == json_.get() ? "json" : "logfmt";
    for (const auto& label : runner->labels_of(logql::LabelCategory::kParsed))
      without_path |= note(label.name, label.value, parser);
    break;
  }
  for (const auto& label : entry.parsed) note(label.name, label.value, parser);
  if (without_path && parser == std::string_view("json")) note_json_paths(stream, entry.line);
}

void FieldCollector::note_json_paths(const Labels& stream, std::string_view line) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(simdjson::padded_string(line)).get(object) != simdjson::SUCCESS) return;
  std::vector<std::string> path;
  walk_json(object, "", path, [&](const std::string& name, const std::vector<std::string>& at) {
    const auto found = fields_.find(stream.has(name) ? name + "_extracted" : name);
    if (found != fields_.end() && found->second.json_path.empty()) found->second.json_path = at;
  });
}

}  // namespace kvasir::server
