// field_reader.h -- fields of a block's lines as columns, straight from the columns that hold them.
//
// Lifetime: values are views into the block.
// Law:      exactly what the stage extracts from every line, or "cannot".
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "chunks/block.h"
#include "chunks/template_fields.h"

namespace kvasir::chunks {

class FieldReader {
 public:
  /// The table must outlive the reader.
  FieldReader(TableReader& table, FieldSyntax syntax);

  bool values(std::string_view name, FieldValues& out);
  bool numbers(std::string_view name, FieldNumbers& out);

 private:
  /// Where the field is in the rows of one template.
  struct Source {
    bool present = false;
    std::uint16_t column = 0;
    std::uint32_t nth = 0;
    VariableRole role = VariableRole::kJsonString;
  };

  bool check_templates();
  bool check_variable(const RowTemplate& shape, const TemplateField& field);
  bool find_sources(std::string_view name);
  bool add_column(std::uint16_t column, VariableRole role, FieldValues& out, std::vector<std::uint32_t>& value_index);
  bool add_number_column(std::uint16_t column, std::vector<double>& values, std::vector<bool>& present);

  TableReader& table_;
  FieldSyntax syntax_;
  std::vector<TemplateFields> templates_;  // of rows that occur
  std::vector<Source> sources_;
  std::optional<bool> usable_;
};

}  // namespace kvasir::chunks
