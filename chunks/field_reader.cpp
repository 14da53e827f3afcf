#include "chunks/field_reader.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "common/utf8.h"

namespace kvasir::chunks {
namespace {

constexpr std::uint32_t kAbsent = FieldValues::kAbsent;

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
  }
  return Extract::kUnsure;
}

bool is_plain_number(ColumnReader& column) {
  double ignored;
  return column.type() == ColumnType::kNumbers && number_as_double(column.form(), 0, ignored);
}

}  // namespace

FieldReader::FieldReader(TableReader& table, FieldSyntax syntax) : table_(table), syntax_(syntax) {}

bool FieldReader::check_templates() {
  const auto& shapes = table_.templates();
  if (shapes[0].rows != 0) return false;  // whole lines, not taken apart
  templates_.resize(shapes.size());
  for (std::size_t t = 0; t < shapes.size(); ++t) {
    if (shapes[t].rows == 0) continue;
    auto fields = syntax_ == FieldSyntax::kJson ? json_fields(shapes[t]) : logfmt_fields(shapes[t]);
    if (!fields) return false;
    for (const TemplateField& field : fields->fields) {
      if (!check_variable(shapes[t], field)) return false;
    }
    templates_[t] = std::move(*fields);
  }
  return true;
}

/// Whether the variable can do nothing but what its role says, in any row.
bool FieldReader::check_variable(const RowTemplate& shape, const TemplateField& field) {
  if (field.variable >= shape.columns.size()) return true;  // a fixed value
  const std::uint16_t c = shape.columns[field.variable];
  const ColumnReader& head = table_.column_head(c);
  if ((head.mask() & char_class::kControl) != 0) return false;
  const bool bare = field.role == VariableRole::kJsonBare;
  if (!bare && (field.role != VariableRole::kLogfmtQuoted || (head.mask() & char_class::kBackslash) == 0)) return true;
  const auto loaded = table_.column(c);
  if (!loaded) return false;
  ColumnReader& column = **loaded;
  if (bare && is_plain_number(column)) return true;
  const auto fits = [bare](std::string_view text) { return bare ? is_bare_json(text) : has_known_escapes(text); };
  if (column.type() == ColumnType::kDictionary)
    return std::all_of(column.dictionary().begin(), column.dictionary().end(), fits);
  const auto texts = column.all_texts();
  return texts && std::all_of(texts->begin(), texts->end(), fits);
}

bool FieldReader::find_sources(std::string_view name) {
  if (!usable_) usable_ = check_templates();
  if (!*usable_) return false;
  sources_.assign(templates_.size(), {});
  for (std::size_t t = 0; t < templates_.size(); ++t) {
    const RowTemplate& shape = table_.templates()[t];
    for (const TemplateField& field : templates_[t].fields) {
      if (field.name != name) continue;
      // Of two fields with one name the first that gives a label wins; which that is, may differ from row to row.
      if (sources_[t].present || !field.whole) return false;
      const std::uint16_t c = shape.columns[field.variable];
      const auto nth = std::count(shape.columns.begin(), shape.columns.begin() + field.variable, c);
      sources_[t] = {true, c, static_cast<std::uint32_t>(nth), field.role};
    }
  }
  return true;
}

/// Appends the values of a column; value_index[i] is where value i went, or kAbsent.
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
      (column.mask() & (char_class::kHigh | char_class::kBackslash | char_class::kOtherAscii | char_class::kQuote)) ==
      0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const bool certain = simple && !texts[i].empty() && texts[i] != "null";
    const Extract what = certain ? Extract::kValue : extracted(role, texts[i]);
    if (what == Extract::kUnsure) return false;
    place[i] = what == Extract::kAbsent ? kAbsent : static_cast<std::uint32_t>(out.values.size());
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
  if (!find_sources(name)) return false;
  out.values.clear();
  out.row_value.assign(table_.rows(), kAbsent);
  std::map<std::pair<std::uint16_t, VariableRole>, std::vector<std::uint32_t>> columns;
  for (const Source& source : sources_) {
    if (!source.present) continue;
    const auto [found, is_new] = columns.try_emplace({source.column, source.role});
    if (is_new && !add_column(source.column, source.role, out, found->second)) return false;
  }
  if (columns.empty()) return true;
  const auto ids = table_.template_ids();
  if (!ids) return false;
  // Per template: its values and where the rows find them.
  struct Ready {
    const std::vector<std::uint32_t>* index = nullptr;
    std::span<const std::uint32_t> starts;
    std::uint32_t nth = 0;
  };
  std::vector<Ready> ready(sources_.size());
  for (std::size_t t = 0; t < sources_.size(); ++t) {
    if (!sources_[t].present) continue;
    const auto starts = table_.value_starts(sources_[t].column);
    if (!starts) return false;
    ready[t] = {&columns.at({sources_[t].column, sources_[t].role}), *starts, sources_[t].nth};
  }
  for (std::size_t row = 0; row < ids->size(); ++row) {
    const Ready& source = ready[(*ids)[row]];
    if (source.index == nullptr) continue;
    out.row_value[row] = (*source.index)[source.starts.empty() ? row : source.starts[row] + source.nth];
  }
  return true;
}

bool FieldReader::add_number_column(std::uint16_t c, std::vector<double>& values, std::vector<bool>& present) {
  const auto loaded = table_.column(c);
  if (!loaded) return false;
  ColumnReader& column = **loaded;
  values.resize(column.count());
  present.assign(column.count(), true);
  if (is_plain_number(column)) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!number_as_double(column.form(), column.numbers()[i], values[i])) return false;
    }
    return true;
  }
  const auto judge = [](std::string_view text, double& value, bool& is_present) {
    is_present = text != "null";
    return !is_present || parse_plain_decimal(text, value);
  };
  if (column.type() == ColumnType::kDictionary) {
    std::vector<double> distinct(column.dictionary().size());
    std::vector<bool> there(distinct.size());
    for (std::size_t code = 0; code < distinct.size(); ++code) {
      bool is_present = true;
      if (!judge(column.dictionary()[code], distinct[code], is_present)) return false;
      there[code] = is_present;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = distinct[column.codes()[i]];
      present[i] = there[column.codes()[i]];
    }
    return true;
  }
  const auto texts = column.all_texts();
  if (!texts) return false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    bool is_present = true;
    if (!judge((*texts)[i], values[i], is_present)) return false;
    present[i] = is_present;
  }
  return true;
}

bool FieldReader::numbers(std::string_view name, FieldNumbers& out) {
  if (!find_sources(name)) return false;
  struct Column {
    std::vector<double> values;
    std::vector<bool> present;
  };
  std::map<std::uint16_t, Column> columns;
  for (const Source& source : sources_) {
    // "null" is no value only where JSON says so.
    if (!source.present) continue;
    const auto [found, is_new] = columns.try_emplace(source.column);
    if (is_new && !add_number_column(source.column, found->second.values, found->second.present)) return false;
    const auto& present = found->second.present;
    if (source.role != VariableRole::kJsonBare && std::find(present.begin(), present.end(), false) != present.end())
      return false;
  }
  out.values.assign(table_.rows(), 0);
  out.present.assign((table_.rows() + 63) / 64, 0);
  if (columns.empty()) return true;
  const auto ids = table_.template_ids();
  if (!ids) return false;
  for (std::size_t row = 0; row < ids->size(); ++row) {
    const Source& source = sources_[(*ids)[row]];
    if (!source.present) continue;
    const auto starts = table_.value_starts(source.column);
    if (!starts) return false;
    const Column& column = columns.at(source.column);
    const std::size_t value = starts->empty() ? row : (*starts)[row] + source.nth;
    if (!column.present[value]) continue;
    out.values[row] = column.values[value];
    out.present[row >> 6] |= std::uint64_t{1} << (row & 63);
  }
  return true;
}

}  // namespace kvasir::chunks
