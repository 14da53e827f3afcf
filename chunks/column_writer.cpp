// How a column is typed: candidates are tried from the most specific; each has to hold for every value. Between numbers
// and a dictionary the smaller wins, since both were encoded.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "chunks/column_type.h"
#include "chunks/dictionary_builder.h"
#include "chunks/id_text.h"
#include "chunks/int_codec.h"
#include "chunks/limits.h"
#include "chunks/number_form.h"
#include "chunks/table_writer.h"
#include "chunks/time_layout.h"

namespace kvasir::chunks {
namespace {

using Texts = std::span<const std::string_view>;
using Times = std::span<const std::int64_t>;

struct Extent {
  CharMask mask = 0;
  std::size_t shortest = ~std::size_t{0};
  std::size_t longest = 0;
  std::size_t total = 0;
};

Extent extent_of(Texts texts) {
  Extent extent;
  for (const auto text : texts) {
    extent.mask |= char_mask(text);
    extent.shortest = std::min(extent.shortest, text.size());
    extent.longest = std::max(extent.longest, text.size());
    extent.total += text.size();
  }
  return extent;
}

/// The lengths, with a mask that is known otherwise.
Extent extent_with(CharMask mask, Texts texts) {
  Extent extent;
  extent.mask = mask;
  for (const auto text : texts) {
    extent.shortest = std::min(extent.shortest, text.size());
    extent.longest = std::max(extent.longest, text.size());
    extent.total += text.size();
  }
  return extent;
}

ColumnFacts write_head(ColumnType type, const Extent& extent, Texts texts, ByteWriter& meta) {
  meta.fixed(static_cast<std::uint8_t>(type));
  meta.fixed(extent.mask);
  meta.varint(extent.shortest);
  meta.varint(extent.longest - extent.shortest);
  return {type, extent.mask, extent.shortest, extent.longest, false, false, texts};
}

void write_plain_texts(Texts texts, TableTarget& target) {
  target.meta.fixed(static_cast<std::uint8_t>(TextsType::kPlain));
  std::vector<std::int64_t> lengths(texts.size());
  std::string bytes, packed;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    lengths[i] = static_cast<std::int64_t>(texts[i].size());
    bytes.append(texts[i]);
  }
  encode_ints(lengths, packed);
  target.parts.dense(packed, target.meta);
  target.parts.text(bytes, target.meta);
}

/// Texts that share few templates, of which some have variables.
bool worth_a_table(const TableBuilder& table) {
  if (table.templates().size() * 6 > table.rows()) return false;
  std::size_t whole = 0, with_variables = 0;
  whole = table.templates()[0].rows;
  for (std::size_t t = 1; t < table.templates().size(); ++t) {
    if (!table.templates()[t].columns.empty()) with_variables += table.templates()[t].rows;
  }
  return whole * 4 < table.rows() && with_variables * 4 > table.rows();
}

void write_texts(Texts texts, Times times, std::size_t total, unsigned depth, TableTarget& target) {
  constexpr std::size_t kTableBytesMin = 1024;
  if (depth + 1 < kTableDepthMax && total >= kTableBytesMin) {
    static thread_local TableBuilder table;  // one level deep: never in use twice
    table.start();
    std::size_t added = 0;
    for (const auto text : texts) {
      table.add(text);
      // Free text shows itself early.
      if (++added % 256 == 0 && table.templates().size() * 2 > added) break;
    }
    if (added == texts.size() && worth_a_table(table)) {
      target.meta.fixed(static_cast<std::uint8_t>(TextsType::kTable));
      return write_table(table, times, depth + 1, target);
    }
  }
  write_plain_texts(texts, target);
}

Extent extent_of_instants(const TimeLayout& layout, Texts texts) {
  if (layout.spec().find('b') != std::string::npos) return extent_of(texts);
  // All have the digits and literals of the layout; only a fraction may be missing.
  const auto longest = std::max_element(texts.begin(), texts.end(), [](auto a, auto b) { return a.size() < b.size(); });
  return extent_with(char_mask(*longest), texts);
}

bool try_instants(Texts texts, Times times, TableTarget& target, ColumnFacts& facts) {
  const auto layout = TimeLayout::detect(texts);
  if (!layout) return false;
  std::vector<std::int64_t> differences(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!layout->parse(texts[i], times[i], differences[i])) return false;
  }
  facts = write_head(ColumnType::kInstants, extent_of_instants(*layout, texts), texts, target.meta);
  facts.alike = layout->spec().find('b') == std::string::npos;
  target.meta.sized(layout->spec());
  std::string packed;
  encode_ints(differences, packed);
  target.parts.dense(packed, target.meta);
  return true;
}

CharMask id_mask(IdStyle style) {
  using namespace char_class;
  if (style == IdStyle::kUuid) return kDigit | kHexLower | kHyphen;
  return static_cast<CharMask>(kDigit | (style == IdStyle::kHexUpper ? kHexUpper : kHexLower));
}

bool try_ids(Texts texts, Times times, TableTarget& target, ColumnFacts& facts) {
  const auto shape = id_shape_of(texts[0]);
  if (!shape) return false;
  PendingIds ids;
  ids.width = shape->bytes;
  ids.bytes.reserve(texts.size() * shape->bytes);
  for (const auto text : texts) {
    if (!append_id_bytes(*shape, text, ids.bytes)) return false;
  }
  ids.times.assign(times.begin(), times.end());
  Extent extent;
  extent.mask = id_mask(shape->style);
  extent.shortest = extent.longest = id_text_bytes(shape->style, shape->bytes);
  facts = write_head(ColumnType::kIds, extent, texts, target.meta);
  target.meta.fixed(static_cast<std::uint8_t>(shape->style));
  target.meta.varint(shape->bytes);
  target.meta.varint(target.ids.add(std::move(ids)));
  return true;
}

struct Numbers {
  NumberForm form;
  std::vector<std::int64_t> values;
  std::uint8_t relative = 0;  // 0, or 1 + k: the entry's timestamp in units of 10^k ns was subtracted
  std::string packed;
};

std::int64_t time_in_units(std::int64_t ns, std::int64_t unit) { return ns / unit - (ns % unit < 0); }

/// Epoch seconds, milliseconds ... near the entries' own timestamps are kept as differences, if that is smaller.
void try_relative(Times times, Numbers& numbers) {
  static constexpr std::int64_t kUnits[] = {1, 1'000, 1'000'000, 1'000'000'000};
  for (unsigned u = 0; u < 4; ++u) {
    const std::int64_t now = time_in_units(times[0], kUnits[u]);
    const std::int64_t near = 86'400'000'000'000 / kUnits[u];
    const auto gap =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(numbers.values[0]) - static_cast<std::uint64_t>(now));
    if (now < 1'000'000 || gap > near || gap < -near) continue;
    std::vector<std::int64_t> differences(numbers.values.size());
    for (std::size_t i = 0; i < differences.size(); ++i) {
      differences[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(numbers.values[i]) -
                                                 static_cast<std::uint64_t>(time_in_units(times[i], kUnits[u])));
    }
    std::string packed;
    encode_ints(differences, packed);
    if (packed.size() >= numbers.packed.size()) return;
    numbers.packed = std::move(packed);
    numbers.relative = static_cast<std::uint8_t>(1 + 3 * u);
    return;
  }
}

/// `distinct` are all texts that occur; codes, if any, tell which value is which.
std::optional<Numbers> numbers_of(Texts distinct, Times codes, Times times) {
  const auto form = guess_number_form(distinct);
  if (!form) return std::nullopt;
  Numbers numbers{*form, std::vector<std::int64_t>(distinct.size()), 0, {}};
  for (std::size_t i = 0; i < distinct.size(); ++i) {
    if (!parse_number(*form, distinct[i], numbers.values[i])) return std::nullopt;
  }
  if (!codes.empty()) {
    std::vector<std::int64_t> all(codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i) all[i] = numbers.values[static_cast<std::size_t>(codes[i])];
    numbers.values = std::move(all);
  }
  encode_ints(numbers.values, numbers.packed);
  try_relative(times, numbers);
  return numbers;
}

ColumnFacts write_numbers(const Numbers& numbers, Texts texts, TableTarget& target) {
  const Extent extent = extent_of(texts);
  ColumnFacts facts = write_head(ColumnType::kNumbers, extent, texts, target.meta);
  using namespace char_class;
  facts.only_digits = (extent.mask & ~(kDigit | kHyphen | kPoint)) == 0;
  target.meta.fixed(static_cast<std::uint8_t>(numbers.form.kind));
  target.meta.fixed(numbers.form.width);
  target.meta.fixed(numbers.relative);
  target.parts.dense(numbers.packed, target.meta);
  return facts;
}

ColumnFacts write_dictionary(const DictionaryBuilder& dictionary, std::string_view packed_codes, unsigned depth,
                      TableTarget& target) {
  const Extent extent = extent_of(dictionary.values());
  const ColumnFacts facts = write_head(ColumnType::kDictionary, extent, dictionary.values(), target.meta);
  target.meta.varint(dictionary.values().size());
  // A nested table needs times only for instants relative to entries; inside a dictionary they would not repeat.
  const std::vector<std::int64_t> no_times(dictionary.values().size());
  write_texts(dictionary.values(), no_times, extent.total, depth, target);
  target.parts.dense(packed_codes, target.meta);
  return facts;
}

}  // namespace

ColumnFacts write_column(Texts values, Times times, unsigned depth, TableTarget& target) {
  ColumnFacts facts;
  if (try_instants(values, times, target, facts)) return facts;
  static thread_local DictionaryBuilder builders[kTableDepthMax];
  DictionaryBuilder& dictionary = builders[depth];
  if (!dictionary.build(values)) {
    if (try_ids(values, times, target, facts)) return facts;
    if (const auto numbers = numbers_of(values, {}, times)) return write_numbers(*numbers, values, target);
    const Extent extent = extent_of(values);
    facts = write_head(ColumnType::kTexts, extent, values, target.meta);
    write_texts(values, times, extent.total, depth, target);
    return facts;
  }
  const std::size_t distinct = dictionary.values().size();
  if (distinct * 8 > values.size() && try_ids(values, times, target, facts)) return facts;
  std::string codes;
  encode_ints(dictionary.codes(), codes);
  if (distinct > 1) {
    const auto numbers = numbers_of(dictionary.values(), dictionary.codes(), times);
    const std::size_t dictionary_bytes = codes.size() + extent_of(dictionary.values()).total / 2;
    if (numbers && numbers->packed.size() < dictionary_bytes)
      return write_numbers(*numbers, dictionary.values(), target);
  }
  return write_dictionary(dictionary, codes, depth, target);
}

}  // namespace kvasir::chunks
