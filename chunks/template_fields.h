// template_fields.h -- which variable of a template is which field, as `| json` and `| logfmt` would name it.
//
// Method:   the fixed text of a template is parsed once for all of its rows, a variable standing for whatever the
//           tokeniser can have put there. What the stage would do must not depend on the variables beyond the checks
//           listed with them.
// Law:      an empty answer ("cannot") whenever the outcome is not certain.
// Source:   the stages' rules: docs/logql.md, "json" and "logfmt".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chunks/block.h"
#include "chunks/table_reader.h"

namespace kvasir::chunks {

enum class VariableRole : std::uint8_t {
  kJsonString,    // between quotes; may hold escapes
  kJsonBare,      // must be a number, true, false or null
  kLogfmtPlain,   // unquoted value: `=` or a quote inside makes the pair no pair; holds no blank
  kLogfmtWord,    // no value: holds neither `=` nor a quote
  kLogfmtQuoted,  // between quotes; every escape must be a known one
  kMetadata,      // as it is
};

struct TemplateField {
  std::string name;
  std::uint16_t variable;
  VariableRole role;
  bool whole;  // the value is the variable and nothing else
};

struct TemplateFields {
  std::vector<TemplateField> fields;
};

std::optional<TemplateFields> json_fields(const RowTemplate& shape);
std::optional<TemplateFields> logfmt_fields(const RowTemplate& shape);
/// Of a row of the metadata table: the fixed text before a variable is its name.
TemplateFields metadata_fields(const RowTemplate& shape);

/// An ASCII key as the stages write it: blanks trimmed, other bytes than [A-Za-z0-9_] become `_`. Empty optional: not
/// ASCII or blank.
std::optional<std::string> sanitised_key(std::string_view key);

}  // namespace kvasir::chunks
