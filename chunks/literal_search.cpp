#include "chunks/literal_search.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "chunks/code_marks.h"
#include "chunks/id_text.h"
#include "chunks/literal_layouts.h"
#include "common/find_bytes.h"

namespace kvasir::chunks {
namespace {

using Words = std::vector<std::uint64_t>;
using Kind = VariableTest::Kind;

Words no_rows(std::size_t rows) { return Words((rows + 63) / 64); }
void set(Words& words, std::size_t row) { words[row >> 6] |= std::uint64_t{1} << (row & 63); }
bool test(const Words& words, std::size_t row) { return words[row >> 6] >> (row & 63) & 1; }
void set_all(Words& words, std::size_t rows) {
  std::fill(words.begin(), words.end(), ~std::uint64_t{0});
  if (rows % 64 != 0) words.back() >>= 64 - rows % 64;
}

bool holds(Kind kind, std::string_view value, std::string_view text) {
  switch (kind) {
    case Kind::kEndsWith: return value.ends_with(text);
    case Kind::kEquals: return value == text;
    case Kind::kBeginsWith: return value.starts_with(text);
  }
  return false;
}

/// A test made ready: its column loaded, dictionaries judged once.
struct ReadyTest {
  VariableTest test;
  ColumnReader* column = nullptr;
  std::span<const std::uint32_t> starts;  // empty: row for row
  std::uint32_t nth = 0;                  // among the variables of the row that use this column
  std::vector<bool> codes;                // of a dictionary: which hold
  bool never = false;                     // no code holds
};

class Search {
 public:
  Search(TableReader& table, std::string_view literal, ConstRowBits wanted)
      : table_(table), literal_(literal), mask_(char_mask(literal)), wanted_(wanted), hits_(no_rows(table.rows())) {}

  Result<Words> run() {
    judge_templates();
    if (all_templates_contain()) {
      set_all(hits_, table_.rows());
      return std::move(hits_);
    }
    KVASIR_CHECK_OK(mark_whole_templates());
    for (std::uint16_t c = 0; c < table_.column_count(); ++c) KVASIR_CHECK_OK(search_column(c));
    for (std::size_t t = 0; t < layouts_.size(); ++t) {
      if (!layouts_[t].empty()) KVASIR_CHECK_OK(ready_layouts(t));
    }
    KVASIR_CHECK_OK(test_layouts());
    KVASIR_CHECK_OK(build_undecided());
    return std::move(hits_);
  }

 private:
  enum class Verdict : std::uint8_t { kOpen, kContains, kUndecided };

  void judge_templates() {
    const auto& templates = table_.templates();
    verdicts_.resize(templates.size());
    layouts_.resize(templates.size());
    ready_.resize(templates.size());
    for (std::size_t t = 0; t < templates.size(); ++t) {
      if (templates[t].rows == 0) continue;
      if (fixed_text_contains(templates[t], literal_)) verdicts_[t] = Verdict::kContains;
      else if (!find_layouts(table_, templates[t], literal_, layouts_[t])) {
        verdicts_[t] = Verdict::kUndecided;
        layouts_[t].clear();
      }
    }
  }

  bool all_templates_contain() const {
    for (std::size_t t = 0; t < verdicts_.size(); ++t) {
      if (verdicts_[t] != Verdict::kContains && table_.templates()[t].rows != 0) return false;
    }
    return true;
  }

  Result<void> mark_whole_templates() {
    if (std::find(verdicts_.begin(), verdicts_.end(), Verdict::kContains) == verdicts_.end()) return {};
    KVASIR_TRY(const auto ids, table_.template_ids());
    for (std::size_t row = 0; row < ids.size(); ++row) {
      if (verdicts_[ids[row]] == Verdict::kContains) set(hits_, row);
    }
    return {};
  }

  // Inside one variable.

  bool is_column_open(std::uint16_t c) const {
    const auto& templates = table_.templates();
    for (std::size_t t = 0; t < templates.size(); ++t) {
      if (templates[t].rows == 0 || verdicts_[t] != Verdict::kOpen) continue;
      if (std::find(templates[t].columns.begin(), templates[t].columns.end(), c) != templates[t].columns.end())
        return true;
    }
    return false;
  }

  Result<void> search_column(std::uint16_t c) {
    const ColumnReader& head = table_.column_head(c);
    if (head.count() == 0 || literal_.size() > head.longest() || (mask_ & ~head.mask()) != 0 || !is_column_open(c))
      return {};
    if (head.type() == ColumnType::kIds && literal_.size() == head.longest()) {
      const auto shape = id_shape_of(literal_);
      std::string bytes;
      if (!shape || !append_id_bytes(head.id_shape(), literal_, bytes)) return {};
      KVASIR_TRY(const auto found, head.find_id(bytes));
      for (const std::uint32_t value : found) KVASIR_CHECK_OK(hit_value(c, value));
      return {};
    }
    KVASIR_TRY(ColumnReader* const column, table_.column(c));
    switch (column->type()) {
      case ColumnType::kDictionary: return search_dictionary(c, *column);
      case ColumnType::kTexts: return search_texts(c, *column);
      default: return search_formatted(c, *column);
    }
  }

  Result<void> search_dictionary(std::uint16_t c, const ColumnReader& column) {
    const auto values = column.dictionary();
    std::vector<std::uint8_t> found(values.size());
    bool any = false;
    for (std::size_t code = 0; code < values.size(); ++code) {
      found[code] = contains_bytes(values[code], literal_);
      any = any || found[code] != 0;
    }
    if (!any) return {};
    const auto codes = column.codes();
    if (table_.is_row_for_row(c)) {
      mark_codes(codes, found, hits_);
      return {};
    }
    Words values_found = no_rows(codes.size());
    mark_codes(codes, found, values_found);
    return hit_values(c, values_found);
  }

  Result<void> search_texts(std::uint16_t c, ColumnReader& column) {
    TextsReader& texts = column.texts();
    Words found;
    if (texts.is_table()) {
      Words all = no_rows(column.count());
      set_all(all, column.count());
      KVASIR_TRY(found, rows_with_literal(*texts.table(), literal_, {all, column.count()}));
    } else {
      KVASIR_TRY(const auto views, texts.texts());
      found = texts_with_literal(texts.joined(), views, literal_);
    }
    return hit_values(c, found);
  }

  Result<void> search_formatted(std::uint16_t c, const ColumnReader& column) {
    std::vector<char> text(column.text_bytes_max());
    for (std::uint32_t i = 0; i < column.count(); ++i) {
      const std::string_view value(text.data(), column.write_text(i, text.data()));
      if (contains_bytes(value, literal_)) KVASIR_CHECK_OK(hit_value(c, i));
    }
    return {};
  }

  Result<void> hit_value(std::uint16_t c, std::uint32_t value) {
    if (table_.is_row_for_row(c)) {
      set(hits_, value);
      return {};
    }
    KVASIR_TRY(const auto starts, table_.value_starts(c));
    set(hits_, static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), value) - starts.begin()) - 1);
    return {};
  }

  Result<void> hit_values(std::uint16_t c, const Words& values) {
    for (std::size_t w = 0; w < values.size(); ++w) {
      for (std::uint64_t bits = values[w]; bits != 0; bits &= bits - 1) {
        KVASIR_CHECK_OK(
            hit_value(c, static_cast<std::uint32_t>(w * 64 + static_cast<unsigned>(__builtin_ctzll(bits)))));
      }
    }
    return {};
  }

  // Across borders.

  Result<void> ready_layouts(std::size_t t) {
    const RowTemplate& shape = table_.templates()[t];
    for (const LiteralLayout& layout : layouts_[t]) {
      std::vector<ReadyTest> tests;
      bool never = false;
      for (const VariableTest& test : layout) {
        KVASIR_TRY(ReadyTest ready, make_ready(shape, test));
        never = never || ready.never;
        tests.push_back(std::move(ready));
        if (never) break;
      }
      if (!never) ready_[t].push_back(std::move(tests));
    }
    return {};
  }

  Result<ReadyTest> make_ready(const RowTemplate& shape, const VariableTest& test) {
    ReadyTest ready;
    ready.test = test;
    const std::uint16_t c = shape.columns[test.variable];
    KVASIR_TRY(ready.column, table_.column(c));
    KVASIR_TRY(ready.starts, table_.value_starts(c));
    ready.nth = static_cast<std::uint32_t>(std::count(shape.columns.begin(), shape.columns.begin() + test.variable, c));
    if (ready.column->type() != ColumnType::kDictionary) {
      KVASIR_CHECK_OK(ready.column->prepare_texts());
      return ready;
    }
    ready.never = true;
    for (const std::string_view value : ready.column->dictionary()) {
      ready.codes.push_back(holds(test.kind, value, test.text));
      if (ready.codes.back()) ready.never = false;
    }
    return ready;
  }

  static bool passes(const ReadyTest& ready, std::size_t row) {
    const std::size_t value = ready.starts.empty() ? row : ready.starts[row] + ready.nth;
    if (!ready.codes.empty()) return ready.codes[ready.column->codes()[value]];
    if (ready.column->type() == ColumnType::kTexts)
      return holds(ready.test.kind, ready.column->text_at(value), ready.test.text);
    char text[64];
    return holds(ready.test.kind, std::string_view(text, ready.column->write_text(value, text)), ready.test.text);
  }

  Result<void> test_layouts() {
    if (std::all_of(ready_.begin(), ready_.end(), [](const auto& layouts) { return layouts.empty(); })) return {};
    KVASIR_TRY(const auto ids, table_.template_ids());
    for (std::size_t row = 0; row < ids.size(); ++row) {
      const auto& layouts = ready_[ids[row]];
      if (layouts.empty() || !wanted_.test(row) || test(hits_, row)) continue;
      const bool hit = std::any_of(layouts.begin(), layouts.end(), [row](const std::vector<ReadyTest>& tests) {
        return std::all_of(tests.begin(), tests.end(), [row](const ReadyTest& ready) { return passes(ready, row); });
      });
      if (hit) set(hits_, row);
    }
    return {};
  }

  /// Rows of templates with too many layouts are built and searched.
  Result<void> build_undecided() {
    if (std::find(verdicts_.begin(), verdicts_.end(), Verdict::kUndecided) == verdicts_.end()) return {};
    KVASIR_TRY(const auto ids, table_.template_ids());
    Words rows = no_rows(table_.rows());
    for (std::size_t row = 0; row < ids.size(); ++row) {
      if (verdicts_[ids[row]] == Verdict::kUndecided && wanted_.test(row)) set(rows, row);
    }
    std::vector<std::string_view> lines(table_.rows());
    Arena arena;
    KVASIR_CHECK_OK(table_.build({rows, table_.rows()}, lines, arena));
    for (std::size_t row = 0; row < lines.size(); ++row) {
      if (test(rows, row) && contains_bytes(lines[row], literal_)) set(hits_, row);
    }
    return {};
  }

  TableReader& table_;
  std::string_view literal_;
  CharMask mask_;
  ConstRowBits wanted_;
  Words hits_;
  std::vector<Verdict> verdicts_;
  std::vector<std::vector<LiteralLayout>> layouts_;
  std::vector<std::vector<std::vector<ReadyTest>>> ready_;
};

}  // namespace

Result<std::vector<std::uint64_t>> rows_with_literal(TableReader& table, std::string_view literal,
                                                     ConstRowBits wanted) {
  return Search(table, literal, wanted).run();
}

std::vector<std::uint64_t> texts_with_literal(std::string_view joined, std::span<const std::string_view> texts,
                                              std::string_view literal) {
  Words found = no_rows(texts.size());
  const char* const end = joined.data() + joined.size();
  std::size_t i = 0;
  const char* at = joined.data();
  while (i < texts.size()) {
    const std::size_t place = find_bytes({at, static_cast<std::size_t>(end - at)}, literal);
    if (place == std::string_view::npos) break;
    const char* const hit = at + place;
    while (i < texts.size() && texts[i].data() + texts[i].size() <= hit) ++i;
    if (i == texts.size()) break;
    const char* const text_end = texts[i].data() + texts[i].size();
    if (hit + literal.size() <= text_end) {
      set(found, i);
      at = text_end;
    } else {
      at = hit + 1;  // lies over a border
    }
  }
  return found;
}

}  // namespace kvasir::chunks
