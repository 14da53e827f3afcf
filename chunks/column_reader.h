// column_reader.h -- one typed column of an opened block; decodes what is asked for, once.
//
// Lifetime: texts live as long as the arena of the block.
// Threads:  one at a time.
// Errors:   corruption. After load() and prepare_texts() nothing can fail any more.
// Notes:    values are numbered in row order; the table knows which row has which.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "chunks/column_type.h"
#include "chunks/id_store.h"
#include "chunks/id_text.h"
#include "chunks/number_form.h"
#include "chunks/parts.h"
#include "chunks/time_layout.h"
#include "common/bytes.h"
#include "common/result.h"

namespace kvasir::chunks {

class TableReader;

/// What every column of a block shares.
struct BlockContext {
  Arena arena;
  std::optional<PartReader> parts;
  const IdSource* ids = nullptr;
  std::uint32_t slot_shift = 0;  // see IdSlots
};

/// A list of texts: plain, or a table again.
class TextsReader {
 public:
  TextsReader();
  ~TextsReader();
  TextsReader(TextsReader&&) noexcept;
  TextsReader& operator=(TextsReader&&) noexcept;

  bool parse(ByteReader& meta, std::size_t count, unsigned depth, BlockContext& context);
  /// `times` of the values, for a nested table; must live as long as this. Loads everything.
  Result<void> load(std::span<const std::int64_t> times);
  /// Byte length of every text. REQUIRES: load().
  Result<void> lengths(std::span<std::uint32_t> out);
  /// All texts. REQUIRES: load().
  Result<std::span<const std::string_view>> texts();
  /// The bytes of all texts one after the other, where texts()[i] are views into it. Empty unless plain.
  std::string_view joined() const { return joined_; }
  bool is_table() const { return table_ != nullptr; }
  std::size_t stored_bytes() const;
  /// What was decoded by now, without what lies in the arena.
  std::uint64_t memory_bytes() const;
  TableReader* table() { return table_.get(); }

 private:
  Result<void> load_plain();

  BlockContext* context_ = nullptr;
  std::size_t count_ = 0;
  Part lengths_;
  Part bytes_;
  std::string_view joined_;
  std::vector<std::string_view> texts_;
  std::unique_ptr<TableReader> table_;
  bool loaded_ = false;
};

class ColumnReader {
 public:
  /// Reads the description. False: META is damaged.
  bool parse(ByteReader& meta, std::string_view key, std::size_t count, unsigned depth, BlockContext& context);

  std::string_view key() const { return key_; }
  ColumnType type() const { return type_; }
  std::size_t count() const { return count_; }
  CharMask mask() const { return mask_; }
  /// False only if no value holds the byte.
  bool may_hold(char c) const;
  std::size_t shortest() const { return shortest_; }
  std::size_t longest() const { return longest_; }
  /// True if decoding needs the entry timestamp of each value.
  bool wants_times() const;
  const NumberForm& form() const { return form_; }
  /// Bytes in the block, without ids and short texts; for inspection.
  std::size_t stored_bytes() const;
  /// What was decoded by now, without what lies in the arena.
  std::uint64_t memory_bytes() const;
  IdShape id_shape() const { return id_shape_; }

  /// Decodes. `times` of the values if wants_times(), else ignored; must live as long as this.
  Result<void> load(std::span<const std::int64_t> times);
  bool is_loaded() const { return loaded_; }

  // REQUIRES for all below: load() succeeded.

  /// Of kDictionary.
  std::span<const std::string_view> dictionary() const { return dictionary_; }
  std::span<const std::uint32_t> codes() const { return codes_; }
  /// Of kNumbers: the numbers themselves, not differences.
  std::span<const std::int64_t> numbers() const { return numbers_; }
  /// Of kTexts.
  TextsReader& texts() { return texts_; }

  /// The texts of all values; made once.
  Result<std::span<const std::string_view>> all_texts();
  /// Makes the texts of a nested table, which a search can do without. For text_at, text_bytes_max and write_text.
  Result<void> prepare_texts();
  /// Of kTexts. REQUIRES: prepare_texts().
  std::string_view text_at(std::size_t i) const { return plain_texts_[i]; }
  /// At least as long as any value. REQUIRES: prepare_texts().
  std::size_t text_bytes_max() const { return text_bytes_max_; }
  /// Writes value i to out, which has room for text_bytes_max(). REQUIRES: prepare_texts().
  std::size_t write_text(std::size_t i, char* out) const;
  /// Byte length of the text of each value; out has count() items. Texts of a nested table are not made.
  Result<void> text_lengths(std::span<std::uint32_t> out);
  /// Finds an id without decoding the column. REQUIRES: type kIds; not load().
  Result<std::vector<std::uint32_t>> find_id(std::string_view bytes) const;

 private:
  bool parse_body(ByteReader& meta, unsigned depth);
  Result<void> load_dictionary();
  Result<void> load_ints(std::vector<std::int64_t>& out);
  Result<void> load_ids();

  BlockContext* context_ = nullptr;
  std::string_view key_;
  ColumnType type_ = ColumnType::kTexts;
  std::size_t count_ = 0;
  CharMask mask_ = 0;
  std::size_t shortest_ = 0, longest_ = 0;
  std::size_t text_bytes_max_ = 0;
  bool loaded_ = false;

  Part ints_;             // codes, numbers or differences
  TextsReader texts_;     // of kTexts, or the distinct texts of kDictionary
  std::uint64_t distinct_ = 0;
  std::vector<std::int64_t> no_times_;
  NumberForm form_;
  std::int64_t relative_unit_ = 0;  // ns; 0 = numbers are stored as they are
  std::optional<TimeLayout> layout_;
  std::span<const std::int64_t> times_;
  IdShape id_shape_{IdStyle::kHexLower, 0};
  std::uint32_t slot_ = 0;

  std::span<const std::string_view> dictionary_;
  std::vector<std::uint32_t> codes_;
  std::vector<std::int64_t> numbers_;
  const char* id_bytes_ = nullptr;
  std::span<const std::string_view> plain_texts_;
  std::vector<std::string_view> made_texts_;
  bool has_made_texts_ = false;
  bool has_prepared_texts_ = false;
};

}  // namespace kvasir::chunks
