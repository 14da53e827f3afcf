// table_builder.h -- sorts texts into templates and columns. A column collects every variable with the same left
// context, whatever its template, so `trace_id` of all kinds of line is one column in row order.
//
// Lifetime: values are views into the texts that were added.
// Limits:   kTemplatesMax templates and kColumnsMax columns; texts beyond, or longer than kTokenisedLineMax, are kept
//           whole in template 0 ("whole"), whose only variable is the text.
// Notes:    templates are compared byte for byte; the hash only finds them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "chunks/tokenizer.h"

namespace kvasir::chunks {

struct TemplateDraft {
  std::string skeleton;                // fixed text with one NUL for each variable
  std::vector<std::uint16_t> columns;  // of each variable
  std::uint32_t rows = 0;

  /// How the tokeniser comes upon a variable: what lets it be found in the next line without a look at the fixed text.
  struct Approach {
    std::uint32_t fixed_bytes = 0;  // before it
    std::int32_t lead = 0;          // from where the scan stood to its first byte
    std::uint32_t rest = 0;         // from its end to where the scan went on
  };
  std::vector<Approach> approaches;  // of each variable; empty: lines are always cut anew
};

struct ColumnDraft {
  std::string key;
  std::vector<std::string_view> values;
};

class TableBuilder {
 public:
  TableBuilder();
  /// Forgets everything but the memory, as far as it is not much; a builder is used for many tables.
  void start();
  /// Cuts the text with the tokeniser.
  void add(std::string_view text);
  /// Fixed names and their values: how structured metadata is kept. The template is the list of names. False: these
  /// names do not fit a template, nothing was added.
  bool add_named(std::span<const std::string_view> names, std::span<const std::string_view> values);
  /// The text in the template of whole texts.
  void add_whole(std::string_view text);

  std::size_t rows() const { return template_ids_.size(); }
  const std::vector<std::int64_t>& template_ids() const { return template_ids_; }
  const std::vector<TemplateDraft>& templates() const { return templates_; }
  const std::vector<ColumnDraft>& columns() const { return columns_; }
  /// The row of each value of a column; empty if value i belongs to row i.
  std::vector<std::uint32_t> rows_of(std::uint16_t column) const;

 private:
  bool is_like_last(std::string_view text);
  void keep_row(std::string_view text, std::uint32_t id);
  void learn_approaches(std::string_view text, TemplateDraft& draft);
  std::uint32_t find_template(std::size_t variables);
  std::uint32_t make_template(std::size_t variables, std::uint64_t hash);
  std::uint16_t column_for(const std::string& key);
  void keep_spare_values();
  void open_column(const std::string& key);
  void grow_index();

  std::vector<std::int64_t> template_ids_;
  std::vector<TemplateDraft> templates_;
  std::vector<ColumnDraft> columns_;
  std::vector<std::vector<std::string_view>> spare_values_;  // the last is the next column's
  std::unordered_map<std::string, std::uint16_t> column_of_key_;
  std::vector<std::uint32_t> index_;  // open addressing: template + 1, 0 = free
  std::vector<std::uint64_t> template_hashes_;
  std::vector<Token> tokens_, step_tokens_;
  std::string skeleton_;
  std::uint32_t last_ = 0;    // template of the last line that was cut; 0 = none
  std::uint32_t misses_ = 0;  // lines in a row that were not like the last
  std::uint64_t seed_;
};

/// The key of the column for the variable after `fixed`, the text between it and the variable before, whose key was
/// `previous`.
std::string column_key(std::string_view fixed, std::string_view previous);

}  // namespace kvasir::chunks
