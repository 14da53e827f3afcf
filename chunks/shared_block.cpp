#include "chunks/shared_block.h"

#include <algorithm>
#include <cstring>

namespace kvasir::chunks {
namespace {

constexpr std::size_t kSparseSlicesMax = 4;  // slices that are open and build only their lines; of more, all are built

std::vector<std::uint64_t> all_rows(std::size_t rows) {
  std::vector<std::uint64_t> words((rows + 63) / 64, ~std::uint64_t{0});
  if (rows % 64 != 0) words.back() >>= 64 - rows % 64;
  return words;
}

std::string question_of(FieldSyntax syntax, std::string_view name) {
  std::string question(1, static_cast<char>(syntax));
  return question.append(name);
}

std::string question_of(std::span<const PatternPart> parts, std::size_t capture) {
  std::string question = std::to_string(capture);
  for (const PatternPart& part : parts) {
    question += part.is_capture ? 'c' : 't';
    question.append(std::to_string(part.text.size())).append(":").append(part.text);
  }
  return question;
}

std::uint64_t bytes_of(const FieldValues& values) {
  return values.values.capacity() * sizeof(std::string_view) + values.row_value.capacity() * sizeof(std::uint32_t) +
         values.unknown.capacity() * sizeof(std::uint64_t);
}

}  // namespace

SharedBlock::SharedBlock(std::unique_ptr<StoredBlock> block)
    : rows_(block->rows()), times_(block->timestamps()), block_(std::move(block)) {}

void SharedBlock::leave() {
  if (--open_slices_ != 0 || !has_all_lines_) return;
  MutexLock lock(mutex_);
  if (open_slices_ != 0) return;  // whoever came meanwhile has views of them
  all_lines_ = {};
  block_->drop_lines();
  has_all_lines_ = false;
  changed_ = true;
}

/// A part of the block is decoded when it is first asked for.
void SharedBlock::note_decoded(bool& known) {
  if (!known) changed_ = true;
  known = true;
}

Result<std::span<const std::uint64_t>> SharedBlock::sequences() {
  MutexLock lock(mutex_);
  note_decoded(knows_sequences_);
  return block_->sequences();
}

Result<std::span<const std::uint32_t>> SharedBlock::line_lengths() {
  MutexLock lock(mutex_);
  note_decoded(knows_lengths_);
  return block_->line_lengths();
}

Result<void> SharedBlock::build_all_lines() {
  std::vector<std::uint64_t> words = all_rows(rows_);
  std::vector<std::string_view> lines(rows_);
  KVASIR_CHECK_OK(block_->lines({words, rows_}, lines));
  all_lines_ = std::move(lines);
  has_all_lines_ = changed_ = true;
  return {};
}

Result<void> SharedBlock::lines(std::size_t first, ConstRowBits rows, std::span<std::string_view> out, Arena& arena) {
  MutexLock lock(mutex_);
  if (all_lines_.empty() && open_slices_ > kSparseSlicesMax) KVASIR_CHECK_OK(build_all_lines());
  if (!all_lines_.empty()) {
    for (std::size_t row = 0; row < rows.rows; ++row) {
      if (rows.test(row)) out[row] = all_lines_[first + row];
    }
    return {};
  }
  std::vector<std::uint64_t> words((rows_ + 63) / 64);
  for (std::size_t row = 0; row < rows.rows; ++row) {
    if (rows.test(row)) words[(first + row) / 64] |= std::uint64_t{1} << (first + row) % 64;
  }
  std::vector<std::string_view> lines(rows_);
  KVASIR_CHECK_OK(block_->lines({words, rows_}, lines));
  for (std::size_t row = 0; row < rows.rows; ++row) {
    if (!rows.test(row)) continue;
    const std::string_view line = lines[first + row];
    char* const place = arena.allocate(line.size());
    if (!line.empty()) std::memcpy(place, line.data(), line.size());
    out[row] = {place, line.size()};
  }
  block_->drop_lines();
  changed_ = true;  // columns may have been decoded
  return {};
}

Result<std::span<const LabelView>> SharedBlock::metadata(std::size_t row) {
  MutexLock lock(mutex_);
  note_decoded(knows_metadata_);
  return block_->metadata(row);
}

bool SharedBlock::may_have_metadata(std::string_view name) {
  MutexLock lock(mutex_);
  return block_->may_have_metadata(name);
}

bool SharedBlock::with_literal(std::string_view literal,
                               const std::function<void(std::span<const std::uint64_t>)>& use) {
  MutexLock lock(mutex_);
  const auto* answer = literals_.find(literal);
  if (answer == nullptr) {
    std::optional<std::vector<std::uint64_t>> hits = all_rows(rows_);
    if (!block_->narrow_literal(literal, false, {*hits, rows_})) hits.reset();
    answer = &literals_.keep(std::string(literal), std::move(hits));
    changed_ = true;
  }
  if (*answer) use(**answer);
  return answer->has_value();
}

bool SharedBlock::with_field(FieldSyntax syntax, std::string_view name,
                             const std::function<void(const FieldValues&)>& use) {
  MutexLock lock(mutex_);
  std::string question = question_of(syntax, name);
  const auto* answer = fields_.find(question);
  if (answer == nullptr) {
    std::optional<FieldValues> values(std::in_place);
    if (!block_->field(syntax, name, *values)) values.reset();
    answer = &fields_.keep(std::move(question), std::move(values));
    changed_ = true;
  }
  if (*answer) use(**answer);
  return answer->has_value();
}

bool SharedBlock::with_numbers(FieldSyntax syntax, std::string_view name,
                               const std::function<void(const FieldNumbers&)>& use) {
  MutexLock lock(mutex_);
  std::string question = question_of(syntax, name);
  const auto* answer = numbers_.find(question);
  if (answer == nullptr) {
    std::optional<FieldNumbers> numbers(std::in_place);
    if (!block_->number_field(syntax, name, *numbers)) numbers.reset();
    answer = &numbers_.keep(std::move(question), std::move(numbers));
    changed_ = true;
  }
  if (*answer) use(**answer);
  return answer->has_value();
}

bool SharedBlock::with_pattern(std::span<const PatternPart> parts, std::size_t capture,
                               const std::function<void(const FieldValues&)>& use) {
  MutexLock lock(mutex_);
  std::string question = question_of(parts, capture);
  const auto* answer = captures_.find(question);
  if (answer == nullptr) {
    std::optional<FieldValues> values(std::in_place);
    if (!block_->pattern_field(parts, capture, *values)) values.reset();
    answer = &captures_.keep(std::move(question), std::move(values));
    changed_ = true;
  }
  if (*answer) use(**answer);
  return answer->has_value();
}

std::uint64_t SharedBlock::memory_bytes() {
  MutexLock lock(mutex_);
  std::uint64_t bytes = sizeof *this + block_->memory_bytes() + all_lines_.capacity() * sizeof(std::string_view);
  literals_.each([&](const auto& hits) { bytes += hits ? hits->capacity() * sizeof(std::uint64_t) : 0; });
  for (const Fields* fields : {&fields_, &captures_}) {
    fields->each([&](const auto& values) { bytes += values ? bytes_of(*values) : 0; });
  }
  numbers_.each([&](const auto& n) {
    if (n) bytes += n->values.capacity() * sizeof(double) + 2 * n->present.capacity() * sizeof(std::uint64_t);
  });
  return bytes;
}

Result<std::unique_ptr<Block>> SliceBlock::open(std::shared_ptr<SharedBlock> shared, const BlockEntry& entry,
                                                std::shared_ptr<const void> owner) {
  const auto damaged = [](const char* what) {
    return fail(ErrorCode::kCorruption, std::string("block damaged: ") + what);
  };
  if (entry.first_row > shared->rows() || entry.rows > shared->rows() - entry.first_row)
    return damaged("slice beyond its rows");
  std::unique_ptr<SliceBlock> slice(new SliceBlock(std::move(shared)));
  slice->owner_ = std::move(owner);
  slice->first_ = entry.first_row;
  slice->rows_ = entry.rows;
  slice->has_metadata_ = (entry.flags & block_flags::kHasMetadata) != 0;
  const auto times = slice->timestamps();
  if (!std::is_sorted(times.begin(), times.end())) return damaged("timestamps out of order");
  return std::unique_ptr<Block>(std::move(slice));
}

Result<std::span<const std::uint64_t>> SliceBlock::sequences() {
  KVASIR_TRY(const auto all, shared_->sequences());
  return all.subspan(first_, rows_);
}

Result<std::span<const std::uint32_t>> SliceBlock::line_lengths() {
  KVASIR_TRY(const auto all, shared_->line_lengths());
  return all.subspan(first_, rows_);
}

Result<void> SliceBlock::lines(ConstRowBits rows, std::span<std::string_view> out) {
  return shared_->lines(first_, rows, out, lines_);
}

Result<std::span<const LabelView>> SliceBlock::metadata(std::size_t row) {
  if (!has_metadata_) return std::span<const LabelView>();
  return shared_->metadata(first_ + row);
}

bool SliceBlock::may_have_metadata(std::string_view name) const {
  return has_metadata_ && shared_->may_have_metadata(name);
}

/// The bits of this slice, moved to the front.
std::vector<std::uint64_t> SliceBlock::cut_bits(std::span<const std::uint64_t> words) const {
  std::vector<std::uint64_t> out((rows_ + 63) / 64);
  const std::size_t word = first_ / 64, shift = first_ % 64;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (word + i < words.size()) out[i] = words[word + i] >> shift;
    if (shift != 0 && word + i + 1 < words.size()) out[i] |= words[word + i + 1] << (64 - shift);
  }
  if (rows_ % 64 != 0) out.back() &= ~std::uint64_t{0} >> (64 - rows_ % 64);
  return out;
}

bool SliceBlock::narrow_literal(std::string_view literal, bool negated, RowBits rows) {
  if (rows.rows != rows_) return false;
  return shared_->with_literal(literal, [&](std::span<const std::uint64_t> all) {
    const std::vector<std::uint64_t> hits = cut_bits(all);
    for (std::size_t w = 0; w < rows.words.size(); ++w) rows.words[w] &= negated ? ~hits[w] : hits[w];
  });
}

void SliceBlock::cut(const FieldValues& all, FieldValues& out) const {
  const auto codes = std::span(all.row_value).subspan(first_, rows_);
  out.unknown = all.unknown.empty() ? std::vector<std::uint64_t>() : cut_bits(all.unknown);
  if (all.values.size() <= rows_) {
    out.values = all.values;
    out.row_value.assign(codes.begin(), codes.end());
    return;
  }
  out.values.clear();  // values may repeat: a list of all would be longer than the slice
  out.row_value.assign(rows_, FieldValues::kAbsent);
  for (std::size_t row = 0; row < rows_; ++row) {
    if (codes[row] == FieldValues::kAbsent) continue;
    out.row_value[row] = static_cast<std::uint32_t>(out.values.size());
    out.values.push_back(all.values[codes[row]]);
  }
}

bool SliceBlock::field(FieldSyntax syntax, std::string_view name, FieldValues& out) {
  return shared_->with_field(syntax, name, [&](const FieldValues& all) { cut(all, out); });
}

bool SliceBlock::pattern_field(std::span<const PatternPart> parts, std::size_t capture, FieldValues& out) {
  return shared_->with_pattern(parts, capture, [&](const FieldValues& all) { cut(all, out); });
}

bool SliceBlock::number_field(FieldSyntax syntax, std::string_view name, FieldNumbers& out) {
  return shared_->with_numbers(syntax, name, [&](const FieldNumbers& all) {
    const auto values = std::span(all.values).subspan(first_, rows_);
    out.values.assign(values.begin(), values.end());
    out.present = cut_bits(all.present);
    out.unknown = all.unknown.empty() ? std::vector<std::uint64_t>() : cut_bits(all.unknown);
  });
}

}  // namespace kvasir::chunks
