// line_facts.h -- what a segment says of a block's lines without opening them (flags, id tokens, trigrams), told from
// the templates and typed columns of the block: fixed text is looked at once for a template, a repeated value once for
// a column.
//
// Law:      nothing that occurs in a line is left out. Where parts do not tell (a run of letters and digits over the
//           border of a variable), the lines themselves are looked at. Trigrams and lengths of tokens may be more than
//           occur.
// Not here: ids that a column keeps in the id region; their slots are hashed when it is known which are pooled.
// Lifetime: the table and the lines outlive the builder.
// Source:   docs/formats/segment-v1.md section 6.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "chunks/column_type.h"
#include "chunks/id_tokens.h"
#include "chunks/table_builder.h"
#include "chunks/trigrams.h"
#include "common/entry.h"

namespace kvasir::chunks {

/// A column as it was written.
struct ColumnFacts {
  ColumnType type = ColumnType::kTexts;
  CharMask mask = 0;
  std::size_t shortest = 0, longest = 0;
  bool only_digits = false;                  // digits and punctuation: no letter in any value
  bool alike = false;                        // all values have the trigrams of the first and the longest one
  std::span<const std::string_view>
      texts;  // every value that occurs, at least once; valid until the next column is written
};

/// Of single lines: how blocks of rows do it.
std::uint16_t line_flags(std::string_view line);

class LineFactsBuilder {
 public:
  explicit LineFactsBuilder(TrigramCollector& trigrams) : trigrams_(trigrams) {}

  /// The templates. REQUIRES: once, before take().
  void begin(const TableBuilder& table);
  void take(std::uint16_t column, const ColumnFacts& facts);
  /// Looks at the lines that parts do not tell of.
  void finish(const TableBuilder& table, std::span<const EntryView> rows);

  std::uint16_t flags() const { return flags_; }
  IdTokens& tokens() { return tokens_; }

 private:
  /// A variable of a template, and what stands beside it.
  struct Place {
    std::uint32_t shape = 0;
    std::uint32_t context = 0;    // symbols of two bytes before and two behind, kNoSymbol where the line ends
    std::size_t run_before = 0;   // letters and digits that touch the variable
    std::size_t run_behind = 0;
    bool after_hyphen = false;
  };
  static constexpr std::uint8_t kTrigrams = 1, kTokens = 2;  // of a template: whole lines are to be looked at

  void add_template(std::uint32_t shape, const TemplateDraft& draft);
  void take_tokens(const ColumnFacts& facts, std::span<const Place> places);
  void take_trigrams(const ColumnFacts& facts, std::span<const Place> places);

  TrigramCollector& trigrams_;
  std::uint16_t flags_ = 0;
  IdTokens tokens_;
  std::vector<std::uint8_t> whole_;             // by template
  std::vector<std::vector<Place>> places_;      // by column
};

}  // namespace kvasir::chunks
