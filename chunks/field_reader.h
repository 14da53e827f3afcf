// field_reader.h -- fields of a block's lines as columns, straight from the columns that hold them.
//
// Lifetime: values are views into the block.
// Law:      exactly what the stage extracts from a line, or "unknown" for that row.
#pragma once

#include <map>
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
  std::uint64_t memory_bytes() const;

 private:
  /// Where the field is in the rows of one template.
  struct Source {
    bool present = false;
    std::uint16_t column = 0;
    std::uint32_t nth = 0;
    VariableRole role = VariableRole::kJsonString;
    bool operator==(const Source&) const = default;
  };
  using Words = std::vector<std::uint64_t>;
  using Misfits = std::map<std::pair<std::uint16_t, VariableRole>, std::vector<bool>>;

  bool judge_templates();
  std::optional<TemplateFields> fields_of(std::size_t t) const;
  const std::vector<bool>* misfits_of(const RowTemplate& shape, const TemplateField& field, Misfits& known);
  bool mark_misfits(std::size_t t, const TemplateField& field, const std::vector<bool>& misfits);
  bool mark_templates(const std::vector<bool>& templates, Words& words);
  bool find_sources(std::string_view name, Words& unknown);
  /// The one source that holds value i in row i, if there is one.
  const Source* only_source() const;
  bool add_column(std::uint16_t column, VariableRole role, FieldValues& out, std::vector<std::uint32_t>& value_index);

  TableReader& table_;
  FieldSyntax syntax_;
  std::vector<TemplateFields> templates_;  // of rows that occur
  std::vector<Source> sources_;            // per template, of the field asked for
  Words unknown_;                          // rows that only their line can tell about
  bool some_unknown_ = false;
  std::optional<bool> usable_;
};

}  // namespace kvasir::chunks
