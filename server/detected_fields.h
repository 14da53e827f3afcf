// detected_fields.h -- which fields the lines of a query have, of what type, with how many values: /detected_fields.
//
// Rules:    each line is tried as JSON, then as logfmt, under its stream's labels; fields of structured metadata have
//           no parser. What a parser inside the query extracted counts for the parser that fits the line.
// Order:    fields ascend by name; at most field_limit of them. Values are counted exactly.
// Threads:  one collector per thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/result.h"
#include "logql/pipeline/pipeline.h"
#include "logql/query_result.h"

namespace kvasir::server {

enum class FieldType { kInt, kFloat, kBoolean, kDuration, kBytes, kString };
std::string_view field_type_name(FieldType type);
/// The first type in that order that the text has.
FieldType field_type_of(std::string_view value);

/// `1.5MB`: powers of 1000, one decimal below ten.
std::string humanise_bytes(std::uint64_t bytes);

struct DetectedField {
  FieldType type = FieldType::kString;
  std::set<std::string, std::less<>> values;
  std::vector<std::string> parsers;      // json, logfmt; empty: structured metadata
  std::vector<std::string> json_path;
};

class FieldCollector {
 public:
  static Result<std::unique_ptr<FieldCollector>> create(std::size_t field_limit);

  /// Streams of a query with categorised labels.
  void add(const logql::Streams& streams);
  const std::map<std::string, DetectedField>& fields() const { return fields_; }
  /// About what the values take.
  std::uint64_t bytes() const { return bytes_; }

 private:
  void add_entry(const Labels& stream, const logql::ResultEntry& entry);
  DetectedField* field(const std::string& name);
  /// True if it is not known yet where in a JSON line the field stands.
  bool note(const std::string& name, std::string_view value, const char* parser);
  void note_json_paths(const Labels& stream, std::string_view line);

  std::size_t field_limit_ = 0;
  std::uint64_t bytes_ = 0;
  std::map<std::string, DetectedField> fields_;
  std::unique_ptr<logql::PipelineRunner> json_;
  std::unique_ptr<logql::PipelineRunner> logfmt_;
};

}  // namespace kvasir::server
