#include "chunks/field_reader.h"

#include <algorithm>
#include <bit>
#include <map>

#include "chunks/template_values.h"
#include "common/utf8.h"

namespace kvasir::chunks {
namespace {

constexpr std::uint32_t kAbsent = FieldValues::kAbsent;
constexpr std::uint32_t kUnsure = kAbsent - 1;
constexpr std::size_t kUnknownNumbersShare = 8;  // with more than one in so many rows unknown, texts serve better

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// What the json stage takes for a bare value without complaint.
bool is_bare_json(std::string_view text) {
  if (text.empty()) return false;
  return is_digit(text[0]) || text[0] == '-' || text == "true" || text == "false" || text == "null";
}

/// True if the escapes of a quoted logfmt value are all known ones.
bool has_known_escapes(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') continue;
    if (++i >= text.size() || std::string_view("\"\\/'bfnrt").find(text[i]) == std::string_view::npos)
      return false;  // \u: unsure
  }
  return true;
}

/// [-]digits[.digits]
bool parse_plain_decimal(std::string_view text, double& value) {
  std::string_view rest = text;
  if (!rest.empty() && rest[0] == '-') rest.remove_prefix(1);
  std::int64_t mantissa = 0;
  std::size_t digits = 0, places = 0;
  bool point = false;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == '.' && !point && i > 0 && i + 1 < rest.size()) {
      point = true;
      continue;
    }
    if (!is_digit(rest[i]) || ++digits > 15) return false;
    mantissa = mantissa * 10 + (rest[i] - '0');
    places += point;
  }
  if (digits == 0) return false;
  double scale = 1;
  for (; places > 0; --places) scale *= 10;
  value = static_cast<double>(mantissa) / scale;  // both exact: rounds as reading the text would
  if (text[0] == '-') value = -value;
  return true;
}

enum class Extract { kValue, kAbsent, kUnsure };

/// What the stage makes of a variable's text.
Extract extracted(VariableRole role, std::string_view text) {
  if (role == VariableRole::kMetadata) return Extract::kValue;
  const CharMask mask = char_mask(text);
  if ((mask & char_class::kControl) != 0) return Extract::kUnsure;
  if ((mask & char_class::kHigh) != 0 && (!is_valid_utf8(text) || text.find("\xef\xbf\xbd") != text.npos))
    return Extract::kUnsure;
  switch (role) {
    case VariableRole::kJsonString: return (mask & char_class::kBackslash) != 0 ? Extract::kUnsure : Extract::kValue;
    case VariableRole::kJsonBare: return text == "null" ? Extract::kAbsent : Extract::kValue;
    case VariableRole::kLogfmtPlain:
      if (text.find_first_of("=\"") != text.npos) return Extract::kAbsent;
      return text.empty() ? Extract::kAbsent : Extract::kValue;
    case VariableRole::kLogfmtQuoted:
      if ((mask & char_class::kBackslash) != 0) return Extract::kUnsure;
      return text.empty() ? Extract::kAbsent : Extract::kValue;
    case VariableRole::kMetadata: return Extract::kValue;
    case VariableRole::kLogfmtWord: return Extract::kUnsure;
  }
  return Extract::kUnsure;
}

/// Whether the text can do nothing but what its role says.
bool fits(VariableRole role, std::string_view text) {
  if (role == VariableRole::kMetadata) return true;
  if ((char_mask(text) & char_class::kControl) != 0) return false;
  if (role == VariableRole::kJsonBare) return is_bare_json(text);
  if (role == VariableRole::kLogfmtPlain) return text.find(' ') == text.npos;
  if (role == VariableRole::kLogfmtWord) return text.find_first_of("=\"") == text.npos;
  return role != VariableRole::kLogfmtQuoted || has_known_escapes(text);
}

/// A text without any of these fits.
CharMask suspects_of(VariableRole role) {
  switch (role) {
    case VariableRole::kJsonBare: return static_cast<CharMask>(~CharMask{0});  // even an empty one does not
    case VariableRole::kLogfmtQuoted: return char_class::kControl | char_class::kBackslash;
    case VariableRole::kLogfmtPlain: return char_class::kControl | char_class::kSpace;
    case VariableRole::kLogfmtWord: return char_class::kControl | char_class::kOtherAscii | char_class::kQuote;
    case VariableRole::kMetadata: return 0;
    case VariableRole::kJsonString: return char_class::kControl;
  }
  return 0;
}

void set(std::vector<std::uint64_t>& words, std::size_t row) { words[row >> 6] |= std::uint64_t{1} << (row & 63); }

std::size_t count_bits(const std::vector<std::uint64_t>& words) {
  std::size_t count = 0;
  for (const std::uint64_t word : words) count += static_cast<std::size_t>(std::popcount(word));
  return count;
}

/// Values of one column as numbers.
struct NumberValues {
  enum class State : std::uint8_t { kAbsent, kPresent, kUnknown };
  std::vector<double> values;
  std::vector<State> states;  // empty: all present
};

bool is_plain_number(ColumnReader& column) {
  double ignored;
  return column.type() == ColumnType::kNumbers && number_as_double(column.form(), 0, ignored);
}

}  // namespace

FieldReader::FieldReader(TableReader& table, FieldSyntax syntax) : table_(table), syntax_(syntax) {}

std::uint64_t FieldReader::memory_bytes() const {
  std::uint64_t bytes = sizeof *this + sources_.capacity() * sizeof(Source) +
                        unknown_.capacity() * sizeof(std::uint64_t);
  for (const TemplateFields& shape : templates_)
    bytes += sizeof shape + shape.fields.capacity() * sizeof(TemplateField);
  return bytes;
}

std::optional<TemplateFields> FieldReader::fields_of(std::size_t t) const {
  const RowTemplate& shape = table_.templates()[t];
  if (t == 0) return std::nullopt;  // whole texts, not taken apart
  switch (syntax_) {
    case FieldSyntax::kJson: return json_fields(shape);
    case FieldSyntax::kLogfmt: return logfmt_fields(shape);
    case FieldSyntax::kMetadata: return metadata_fields(shape);
  }
  return std::nullopt;
}

/// Finds the rows about which nothing can be said. False: nothing can be said about any row.
bool FieldReader::judge_templates() {
  const auto& shapes = table_.templates();
  templates_.resize(shapes.size());
  unknown_.assign((table_.rows() + 63) / 64, 0);
  std::vector<bool> unsure(shapes.size());
  Misfits misfits;
  bool any_sure = false;
  for (std::size_t t = 0; t < shapes.size(); ++t) {
    if (shapes[t].rows == 0) continue;
    auto fields = fields_of(t);
    unsure[t] = !fields;
    if (!fields) continue;
    any_sure = true;
    for (const TemplateField& field : fields->fields) {
      const auto* found = misfits_of(shapes[t], field, misfits);
      if (found == nullptr || (!found->empty() && !mark_misfits(t, field, *found))) return false;
    }
    templates_[t] = std::move(*fields);
  }
  if (!any_sure || !mark_templates(unsure, unknown_)) return false;
  some_unknown_ = std::any_of(unknown_.begin(), unknown_.end(), [](std::uint64_t word) { return word != 0; });
  return true;
}

/// The values of the field's variable that do not do what its role says; empty: all do. Null: the column is damaged.
const std::vector<bool>* FieldReader::misfits_of(const RowTemplate& shape, const TemplateField& field, Misfits& known) {
  static const std::vector<bool> kNone;
  if (field.variable >= shape.columns.size()) return &kNone;  // a fixed value
  const std::uint16_t c = shape.columns[field.variable];
  const CharMask mask = table_.column_head(c).mask();
  if (field.role != VariableRole::kJsonBare && (mask & suspects_of(field.role)) == 0) return &kNone;
  const auto [it, is_new] = known.try_emplace({c, field.role});
  std::vector<bool>& found = it->second;
  if (!is_new) return &found;
  const auto loaded = table_.column(c);
  if (!loaded) return nullptr;
  ColumnReader& column = **loaded;
  if (field.role == VariableRole::kJsonBare && is_plain_number(column)) return &found;
  const bool coded = column.type() == ColumnType::kDictionary;
  std::span<const std::string_view> texts = column.dictionary();
  if (!coded) {
    const auto all = column.all_texts();
    if (!all) return nullptr;
    texts = *all;
  }
  std::vector<bool> bad(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) bad[i] = !fits(field.role, texts[i]);
  if (std::find(bad.begin(), bad.end(), true) == bad.end()) return &found;
  found.resize(column.count());
  for (std::size_t i = 0; i < found.size(); ++i) found[i] = bad[coded ? column.codes()[i] : i];
  return &found;
}

bool FieldReader::mark_misfits(std::size_t t, const TemplateField& field, const std::vector<bool>& misfits) {
  const RowTemplate& shape = table_.templates()[t];
  const std::uint16_t c = shape.columns[field.variable];
  const auto nth = std::count(shape.columns.begin(), shape.columns.begin() + field.variable, c);
  const auto ids = table_.template_ids();
  const auto starts = table_.value_starts(c);
  if (!ids || !starts) return false;
  for (std::size_t row = 0; row < ids->size(); ++row) {
    if ((*ids)[row] != t) continue;
    if (misfits[starts->empty() ? row : (*starts)[row] + static_cast<std::size_t>(nth)]) set(unknown_, row);
  }
  return true;
}

/// Sets the rows of these templates.
bool FieldReader::mark_templates(const std::vector<bool>& templates, Words& words) {
  if (std::find(templates.begin(), templates.end(), true) == templates.end()) return true;
  const auto ids = table_.template_ids();
  if (!ids) return false;
  for (std::size_t row = 0; row < ids->size(); ++row) {
    if (templates[(*ids)[row]]) set(words, row);
  }
  return true;
}

bool FieldReader::find_sources(std::string_view name, Words& unknown) {
  if (!usable_) usable_ = judge_templates();
  if (!*usable_) return false;
  sources_.assign(templates_.size(), {});
  std::vector<bool> unsure(templates_.size());
  for (std::size_t t = 0; t < templates_.size(); ++t) {
    const RowTemplate& shape = table_.templates()[t];
    for (const TemplateField& field : templates_[t].fields) {
      if (field.name != name) continue;
      // Of two fields with one name the first that gives a label wins; which that is, may differ from row to row.
      if (sources_[t].present || !field.whole) {
        unsure[t] = true;
        continue;
      }
      const std::uint16_t c = shape.columns[field.variable];
      const auto nth = std::count(shape.columns.begin(), shape.columns.begin() + field.variable, c);
      sources_[t] = {true, c, static_cast<std::uint32_t>(nth), field.role};
    }
    if (unsure[t]) sources_[t] = {};
  }
  unknown.clear();
  const bool any_unsure = std::find(unsure.begin(), unsure.end(), true) != unsure.end();
  if (some_unknown_ || any_unsure) unknown = unknown_;
  return mark_templates(unsure, unknown);
}

const FieldReader::Source* FieldReader::only_source() const {
  const Source* only = nullptr;
  for (std::size_t t = 0; t < sources_.size(); ++t) {
    if (table_.templates()[t].rows == 0) continue;
    if (!sources_[t].present || (only != nullptr && *only != sources_[t])) return nullptr;
    only = &sources_[t];
  }
  return only != nullptr && table_.is_row_for_row(only->column) ? only : nullptr;
}

/// Appends the values of a column; value_index[i] is where value i went, or kAbsent, or kUnsure.
bool FieldReader::add_column(std::uint16_t c, VariableRole role, FieldValues& out,
                             std::vector<std::uint32_t>& value_index) {
  const auto loaded = table_.column(c);
  if (!loaded) return false;
  ColumnReader& column = **loaded;
  std::span<const std::string_view> texts = column.dictionary();
  if (column.type() != ColumnType::kDictionary) {
    const auto all = column.all_texts();
    if (!all) return false;
    texts = *all;
  }
  std::vector<std::uint32_t> place(texts.size());
  const bool simple =
      (column.mask() & (char_class::kHigh | char_class::kBackslash | char_class::kOtherAscii | char_class::kQuote |
                        char_class::kControl)) == 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const bool certain = simple && !texts[i].empty() && texts[i] != "null";
    const Extract what = certain ? Extract::kValue : extracted(role, texts[i]);
    place[i] = what == Extract::kValue    ? static_cast<std::uint32_t>(out.values.size())
               : what == Extract::kAbsent ? kAbsent
                                          : kUnsure;
    if (what == Extract::kValue) out.values.push_back(texts[i]);
  }
  if (column.type() != ColumnType::kDictionary) {
    value_index = std::move(place);
    return true;
  }
  value_index.resize(column.count());
  for (std::size_t i = 0; i < value_index.size(); ++i) value_index[i] = place[column.codes()[i]];
  return true;
}

bool FieldReader::values(std::string_view name, FieldValues& out) {
  if (!find_sources(name, out.unknown)) return false;
  out.values.clear();
  std::map<std::pair<std::uint16_t, VariableRole>, std::vector<std::uint32_t>> columns;
  bool unsure_values = false;
  for (const Source& source : sources_) {
    if (!source.present) continue;
    const auto [found, is_new] = columns.try_emplace({source.column, source.role});
    if (!is_new) continue;
    if (!add_column(source.column, source.role, out, found->second)) return false;
    unsure_values =
        unsure_values || std::find(found->second.begin(), found->second.end(), kUnsure) != found->second.end();
  }
  if (only_source() != nullptr && !unsure_values) {
    out.row_value = std::move(columns.begin()->second);
    return true;
  }
  out.row_value.assign(table_.rows(), kAbsent);
  if (columns.empty()) return true;
  if (unsure_values && out.unknown.empty()) out.unknown = unknown_;
  std::vector<const std::vector<std::uint32_t>*> indexes(sources_.size());
  for (std::size_t t = 0; t < sources_.size(); ++t) {
    if (sources_[t].present) indexes[t] = &columns.at({sources_[t].column, sources_[t].role});
  }
  return for_each_value<Source>(table_, sources_, [&](std::size_t row, std::size_t t, std::size_t value) {
    const std::uint32_t index = (*indexes[t])[value];
    if (index == kUnsure) set(out.unknown, row);
    else out.row_value[row] = index;
  });
}

namespace {

/// Reads one text; "null" is no value only where JSON says so.
NumberValues::State judge_number(std::string_view text, VariableRole role, double& value) {
  if (role == VariableRole::kJsonBare && text == "null") return NumberValues::State::kAbsent;
  return parse_plain_decimal(text, value) ? NumberValues::State::kPresent : NumberValues::State::kUnknown;
}

bool read_numbers(ColumnReader& column, VariableRole role, NumberValues& out) {
  out.values.resize(column.count());
  if (is_plain_number(column)) {
    for (std::size_t i = 0; i < out.values.size(); ++i) {
      if (!number_as_double(column.form(), column.numbers()[i], out.values[i])) return false;
    }
    return true;
  }
  out.states.resize(column.count());
  if (column.type() == ColumnType::kDictionary) {
    NumberValues distinct{std::vector<double>(column.dictionary().size()), {}};
    for (std::size_t code = 0; code < distinct.values.size(); ++code) {
      distinct.states.push_back(judge_number(column.dictionary()[code], role, distinct.values[code]));
    }
    for (std::size_t i = 0; i < out.values.size(); ++i) {
      out.values[i] = distinct.values[column.codes()[i]];
      out.states[i] = distinct.states[column.codes()[i]];
    }
    return true;
  }
  const auto texts = column.all_texts();
  if (!texts) return false;
  for (std::size_t i = 0; i < out.values.size(); ++i) out.states[i] = judge_number((*texts)[i], role, out.values[i]);
  return true;
}

}  // namespace

bool FieldReader::numbers(std::string_view name, FieldNumbers& out) {
  if (!find_sources(name, out.unknown)) return false;
  std::map<std::pair<std::uint16_t, VariableRole>, NumberValues> columns;
  for (const Source& source : sources_) {
    if (!source.present) continue;
    const auto [found, is_new] = columns.try_emplace({source.column, source.role});
    if (!is_new) continue;
    const auto loaded = table_.column(source.column);
    if (!loaded || !read_numbers(**loaded, source.role, found->second)) return false;
  }
  const std::size_t rows = table_.rows();
  if (only_source() != nullptr && columns.begin()->second.states.empty()) {
    out.values = std::move(columns.begin()->second.values);
    out.present.assign((rows + 63) / 64, ~std::uint64_t{0});
    if (rows % 64 != 0) out.present.back() >>= 64 - rows % 64;
    return true;
  }
  out.values.assign(rows, 0);
  out.present.assign((rows + 63) / 64, 0);
  if (columns.empty()) return true;
  if (out.unknown.empty()) out.unknown = unknown_;
  std::vector<const NumberValues*> by_template(sources_.size());
  for (std::size_t t = 0; t < sources_.size(); ++t) {
    if (sources_[t].present) by_template[t] = &columns.at({sources_[t].column, sources_[t].role});
  }
  const bool done = for_each_value<Source>(table_, sources_, [&](std::size_t row, std::size_t t, std::size_t value) {
    const NumberValues& column = *by_template[t];
    const auto state = column.states.empty() ? NumberValues::State::kPresent : column.states[value];
    if (state == NumberValues::State::kUnknown) set(out.unknown, row);
    if (state != NumberValues::State::kPresent) return;
    out.values[row] = column.values[value];
    set(out.present, row);
  });
  return done && count_bits(out.unknown) <= rows / kUnknownNumbersShare;
}

}  // namespace kvasir::chunks
