// fields.cpp -- detected-fields: the fields that the lines of a query hold, or the values of one.
#include <iostream>

#include <fmt/format.h>

#include "cli/answer.h"
#include "cli/commands.h"

namespace kvasir::cli {
namespace {

Result<net::HttpParams> field_params(const FieldFlags& flags) {
  KVASIR_TRY(auto params, time_params(flags.times));
  params.add("limit", std::to_string(flags.limit));
  params.add("line_limit", std::to_string(flags.line_limit));
  params.add("query", flags.query);
  return params;
}

}  // namespace

Result<void> run_detected_fields(Connection& connection, const FieldFlags& flags, const PrintOptions& print) {
  KVASIR_TRY(const auto params, field_params(flags));
  const std::string path = flags.field.empty()
                               ? "/loki/api/v1/detected_fields"
                               : "/loki/api/v1/detected_field/" + net::percent_encode(flags.field) + "/values";
  KVASIR_TRY(const auto body, connection.get(path, params));
  if (print.mode == OutputMode::kRaw || print.mode == OutputMode::kJsonl) {
    std::cout << body << (body.ends_with('\n') ? "" : "\n");
    return {};
  }
  if (!flags.field.empty()) {
    KVASIR_TRY(const auto values, read_field_values(body));
    for (const auto& value : values) std::cout << value << "\n";
    return {};
  }
  KVASIR_TRY(const auto fields, read_detected_fields(body));
  Rows rows;
  for (const DetectedField& field : fields) {
    rows.push_back({field.name, field.type, std::to_string(field.cardinality), field.parsers});
  }
  print_columns({"field", "type", "values", "parsers"}, rows, std::cout);
  return {};
}

}  // namespace kvasir::cli
