#include "chunks/column_reader.h"

#include <algorithm>
#include <cstring>

#include "chunks/int_codec.h"
#include "chunks/limits.h"
#include "chunks/table_reader.h"

namespace kvasir::chunks {
namespace {

Error damaged(std::string_view what) { return Error(ErrorCode::kCorruption, "column damaged: " + std::string(what)); }

std::int64_t power_of_ten(unsigned k) {
  std::int64_t power = 1;
  while (k-- > 0) power *= 10;
  return power;
}

std::int64_t time_in_units(std::int64_t ns, std::int64_t unit) { return ns / unit - (ns % unit < 0); }

std::vector<std::uint64_t> all_rows(std::size_t rows) {
  std::vector<std::uint64_t> words((rows + 63) / 64, ~std::uint64_t{0});
  if (rows % 64 != 0) words.back() >>= 64 - rows % 64;
  return words;
}

}  // namespace

TextsReader::TextsReader() = default;
TextsReader::~TextsReader() = default;
TextsReader::TextsReader(TextsReader&&) noexcept = default;
TextsReader& TextsReader::operator=(TextsReader&&) noexcept = default;

bool TextsReader::parse(ByteReader& meta, std::size_t count, unsigned depth, BlockContext& context) {
  context_ = &context;
  count_ = count;
  const auto type = meta.fixed<std::uint8_t>();
  if (type == static_cast<std::uint8_t>(TextsType::kTable)) {
    if (depth + 1 >= kTableDepthMax) return false;
    table_ = std::make_unique<TableReader>();
    return table_->parse(meta, count, depth + 1, context);
  }
  if (type != static_cast<std::uint8_t>(TextsType::kPlain)) return false;
  lengths_ = context.parts->describe(meta);
  bytes_ = context.parts->describe(meta);
  return meta.ok();
}

Result<void> TextsReader::load(std::span<const std::int64_t> times) {
  if (loaded_) return {};
  if (table_ == nullptr) KVASIR_CHECK_OK(load_plain());
  else table_->set_times(times);
  loaded_ = true;
  return {};
}

Result<void> TextsReader::load_plain() {
  KVASIR_TRY(std::string_view packed, context_->parts->load(lengths_));
  std::vector<std::int64_t> lengths(count_);
  if (!decode_ints(packed, lengths) || !packed.empty()) return fail(damaged("text lengths"));
  KVASIR_TRY(joined_, context_->parts->load(bytes_));
  texts_.resize(count_);
  std::size_t at = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    const auto length = static_cast<std::uint64_t>(lengths[i]);
    if (length > joined_.size() - at) return fail(damaged("texts end early"));
    texts_[i] = joined_.substr(at, length);
    at += length;
  }
  if (at != joined_.size()) return fail(damaged("texts end late"));
  return {};
}

Result<void> TextsReader::lengths(std::span<std::uint32_t> out) {
  if (table_ != nullptr && texts_.empty()) return table_->lengths(out);
  for (std::size_t i = 0; i < count_; ++i) out[i] = static_cast<std::uint32_t>(texts_[i].size());
  return {};
}

Result<std::span<const std::string_view>> TextsReader::texts() {
  if (table_ != nullptr && texts_.empty() && count_ != 0) {
    std::vector<std::string_view> made(count_);
    const auto words = all_rows(count_);
    KVASIR_CHECK_OK(table_->build({words, count_}, made, context_->arena));
    texts_ = std::move(made);
  }
  return std::span<const std::string_view>(texts_);
}

bool ColumnReader::parse(ByteReader& meta, std::string_view key, std::size_t count, unsigned depth,
                         BlockContext& context) {
  context_ = &context;
  key_ = key;
  count_ = count;
  if (count == 0) return loaded_ = true;
  type_ = static_cast<ColumnType>(meta.fixed<std::uint8_t>());
  mask_ = meta.fixed<CharMask>();
  shortest_ = meta.varint();
  const std::uint64_t more = meta.varint();
  if (shortest_ > kBlockBytesMax || more > kBlockBytesMax) return false;
  longest_ = shortest_ + more;
  return parse_body(meta, depth) && meta.ok();
}

bool ColumnReader::parse_body(ByteReader& meta, unsigned depth) {
  switch (type_) {
    case ColumnType::kTexts: return texts_.parse(meta, count_, depth, *context_);
    case ColumnType::kDictionary:
      distinct_ = meta.varint();
      if (distinct_ == 0 || distinct_ > count_ || !texts_.parse(meta, distinct_, depth, *context_)) return false;
      break;
    case ColumnType::kNumbers: {
      form_.kind = static_cast<NumberKind>(meta.fixed<std::uint8_t>());
      form_.width = meta.fixed<std::uint8_t>();
      const auto relative = meta.fixed<std::uint8_t>();
      if (!is_valid_form(form_) || relative > 10) return false;
      relative_unit_ = relative == 0 ? 0 : power_of_ten(relative - 1u);
      break;
    }
    case ColumnType::kInstants:
      layout_ = TimeLayout::from_spec(meta.sized());
      if (!layout_) return false;
      break;
    case ColumnType::kIds: {
      const auto style = meta.fixed<std::uint8_t>();
      const std::uint64_t bytes = meta.varint();
      slot_ = static_cast<std::uint32_t>(meta.varint()) + context_->slot_shift;
      if (style > 2 || bytes == 0 || bytes > 32 || (style == 2 && bytes != 16)) return false;
      id_shape_ = {static_cast<IdStyle>(style), static_cast<std::uint32_t>(bytes)};
      return true;
    }
    default: return false;
  }
  ints_ = context_->parts->describe(meta);
  return true;
}

std::size_t TextsReader::stored_bytes() const {
  return table_ != nullptr ? table_->stored_bytes() : lengths_.stored.size() + bytes_.stored.size();
}

std::size_t ColumnReader::stored_bytes() const { return count_ == 0 ? 0 : ints_.stored.size() + texts_.stored_bytes(); }

bool ColumnReader::may_hold(char c) const {
  if ((mask_ & char_mask(std::string_view(&c, 1))) == 0) return false;
  if (type_ != ColumnType::kInstants || count_ == 0) return true;
  // Punctuation of an instant stands in its layout.
  return (char_mask(std::string_view(&c, 1)) & (char_class::kOtherAscii | char_class::kQuote)) == 0 || c == '+' ||
         c == ',' || layout_->spec().find(c) != std::string::npos;
}

std::uint64_t TextsReader::memory_bytes() const {
  return texts_.capacity() * sizeof(std::string_view) +
         (table_ == nullptr ? 0 : sizeof *table_ + table_->memory_bytes());
}

std::uint64_t ColumnReader::memory_bytes() const {
  return sizeof *this + texts_.memory_bytes() + made_texts_.capacity() * sizeof(std::string_view) +
         codes_.capacity() * sizeof(std::uint32_t) +
         (numbers_.capacity() + no_times_.capacity()) * sizeof(std::int64_t);
}

bool ColumnReader::wants_times() const {
  if (type_ == ColumnType::kTexts) return texts_.is_table();
  return type_ == ColumnType::kInstants || (type_ == ColumnType::kNumbers && relative_unit_ != 0);
}

Result<void> ColumnReader::load(std::span<const std::int64_t> times) {
  if (loaded_) return {};
  if (wants_times() && times.size() != count_) return fail(damaged("no timestamps"));
  times_ = times;
  switch (type_) {
    case ColumnType::kTexts: KVASIR_CHECK_OK(texts_.load(times)); break;
    case ColumnType::kDictionary: KVASIR_CHECK_OK(load_dictionary()); break;
    case ColumnType::kNumbers:
      KVASIR_CHECK_OK(load_ints(numbers_));
      for (std::size_t i = 0; relative_unit_ != 0 && i < count_; ++i) {
        numbers_[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(numbers_[i]) +
                                                static_cast<std::uint64_t>(time_in_units(times[i], relative_unit_)));
      }
      text_bytes_max_ = kNumberTextMax;
      break;
    case ColumnType::kInstants:
      KVASIR_CHECK_OK(load_ints(numbers_));
      text_bytes_max_ = layout_->text_bytes_max();
      break;
    case ColumnType::kIds: KVASIR_CHECK_OK(load_ids()); break;
  }
  loaded_ = true;
  return {};
}

Result<void> ColumnReader::load_ints(std::vector<std::int64_t>& out) {
  KVASIR_TRY(std::string_view packed, context_->parts->load(ints_));
  out.resize(count_);
  if (!decode_ints(packed, out) || !packed.empty()) return fail(damaged("integers"));
  return {};
}

Result<void> ColumnReader::prepare_texts() {
  if (type_ != ColumnType::kTexts || has_prepared_texts_ || count_ == 0) return {};
  KVASIR_TRY(plain_texts_, texts_.texts());
  has_prepared_texts_ = true;
  for (const auto text : plain_texts_) text_bytes_max_ = std::max(text_bytes_max_, text.size());
  return {};
}

Result<void> ColumnReader::load_dictionary() {
  no_times_.resize(texts_.is_table() ? distinct_ : 0);
  KVASIR_CHECK_OK(texts_.load(no_times_));
  KVASIR_TRY(dictionary_, texts_.texts());
  for (const auto text : dictionary_) text_bytes_max_ = std::max(text_bytes_max_, text.size());
  std::vector<std::int64_t> codes;
  KVASIR_CHECK_OK(load_ints(codes));
  codes_.resize(count_);
  for (std::size_t i = 0; i < count_; ++i) {
    if (static_cast<std::uint64_t>(codes[i]) >= distinct_) return fail(damaged("dictionary code"));
    codes_[i] = static_cast<std::uint32_t>(codes[i]);
  }
  return {};
}

Result<void> ColumnReader::load_ids() {
  char* const bytes = context_->arena.allocate(count_ * id_shape_.bytes);
  KVASIR_CHECK_OK(context_->ids->read_slot(slot_, id_shape_.bytes, count_, bytes));
  id_bytes_ = bytes;
  text_bytes_max_ = id_text_bytes(id_shape_.style, id_shape_.bytes);
  return {};
}

Result<std::vector<std::uint32_t>> ColumnReader::find_id(std::string_view bytes) const {
  return context_->ids->find_in_slot(slot_, count_, bytes);
}

std::size_t ColumnReader::write_text(std::size_t i, char* out) const {
  switch (type_) {
    case ColumnType::kTexts: {
      const std::string_view text = plain_texts_[i];
      std::memcpy(out, text.data(), text.size());
      return text.size();
    }
    case ColumnType::kDictionary: {
      const std::string_view text = dictionary_[codes_[i]];
      std::memcpy(out, text.data(), text.size());
      return text.size();
    }
    case ColumnType::kNumbers: return format_number(form_, numbers_[i], out);
    case ColumnType::kInstants: return layout_->format(numbers_[i], times_[i], out);
    case ColumnType::kIds: format_id(id_shape_, id_bytes_ + i * id_shape_.bytes, out); return text_bytes_max_;
  }
  return 0;
}

Result<void> ColumnReader::text_lengths(std::span<std::uint32_t> out) {
  if (shortest_ == longest_ && type_ != ColumnType::kTexts) {
    std::fill(out.begin(), out.end(), static_cast<std::uint32_t>(longest_));
    return {};
  }
  if (type_ == ColumnType::kTexts) return texts_.lengths(out);
  if (type_ == ColumnType::kDictionary) {
    for (std::size_t i = 0; i < count_; ++i) out[i] = static_cast<std::uint32_t>(dictionary_[codes_[i]].size());
    return {};
  }
  std::vector<char> text(text_bytes_max_);
  for (std::size_t i = 0; i < count_; ++i) out[i] = static_cast<std::uint32_t>(write_text(i, text.data()));
  return {};
}

Result<std::span<const std::string_view>> ColumnReader::all_texts() {
  if (count_ == 0) return std::span<const std::string_view>();
  KVASIR_CHECK_OK(prepare_texts());
  if (type_ == ColumnType::kTexts) return plain_texts_;
  if (has_made_texts_) return std::span<const std::string_view>(made_texts_);
  made_texts_.resize(count_);
  if (type_ == ColumnType::kDictionary) {
    for (std::size_t i = 0; i < count_; ++i) made_texts_[i] = dictionary_[codes_[i]];
  } else {
    char* out = context_->arena.allocate(count_ * text_bytes_max_);
    for (std::size_t i = 0; i < count_; ++i) {
      const std::size_t bytes = write_text(i, out);
      made_texts_[i] = std::string_view(out, bytes);
      out += bytes;
    }
  }
  has_made_texts_ = true;
  return std::span<const std::string_view>(made_texts_);
}

}  // namespace kvasir::chunks
