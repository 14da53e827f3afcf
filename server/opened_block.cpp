#include "server/opened_block.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <unordered_map>

#include "common/log.h"
#include "logql/exec/bucket_ends.h"
#include "logql/pipeline/pattern.h"
#include "logql/pipeline/value_text.h"

namespace kvasir::server {
namespace {

using logql::FieldColumn;
using logql::FieldSyntax;
using logql::NumberColumn;
using logql::NumberText;
using logql::RowSet;

// Where fewer rows lie in an interval on average, its end is not worth keeping, unless there are few.
constexpr std::size_t kRowsPerEndMin = 16;
constexpr std::size_t kFewEnds = 32;

chunks::FieldSyntax to_chunks(FieldSyntax syntax) {
  return syntax == FieldSyntax::kJson ? chunks::FieldSyntax::kJson : chunks::FieldSyntax::kLogfmt;
}

RowSet to_row_set(const std::vector<std::uint64_t>& words, std::size_t rows) {
  if (words.empty()) return RowSet(0);
  RowSet out(rows, false);
  std::copy(words.begin(), words.end(), out.words().begin());
  return out;
}

std::uint64_t bytes_of(const FieldColumn& column) {
  return sizeof column + column.values.capacity() * sizeof(std::string_view) +
         column.row_value.capacity() * sizeof(std::uint32_t) + column.unknown.words().size_bytes();
}

std::uint64_t bytes_of(const NumberColumn& column) {
  return sizeof column + column.values.capacity() * sizeof(double) + column.present.words().size_bytes() +
         column.unknown.words().size_bytes();
}

}  // namespace

template <class T>
std::span<const T> OpenedBlock::or_zeros(Result<std::span<const T>> found, std::vector<T>& zeros,
                                         std::string_view what) const {
  if (found) return *found;
  log::error("query", "block is damaged", {{"part", std::string(what)}, {"reason", found.error().message()}});
  zeros.resize(rows());
  return zeros;
}

std::span<const std::int64_t> OpenedBlock::coarse_timestamps() {
  if (coarse_.empty()) {
    grown_ = true;
    coarse_ = logql::coarse_of(timestamps());
  }
  return coarse_;
}

std::vector<logql::IntervalEnd> OpenedBlock::find_interval_ends(std::int64_t step, std::int64_t phase) {
  std::vector<logql::IntervalEnd> found;
  const auto times = timestamps();
  const logql::BucketEnds ends(times, coarse_timestamps());
  const std::size_t most = std::max(kFewEnds, times.size() / kRowsPerEndMin);
  for (std::size_t row = 0; row < times.size();) {
    std::int64_t behind = 0;
    if (found.size() > most || __builtin_sub_overflow(times[row], phase, &behind)) return {};
    const std::int64_t interval = behind / step + (behind % step > 0 ? 1 : 0);
    std::int64_t last = 0;  // of the interval
    if (__builtin_mul_overflow(interval, step, &last) || __builtin_add_overflow(last, phase, &last))
      last = std::numeric_limits<std::int64_t>::max();
    row = ends.first_after(row, last);
    found.push_back({interval, row});
  }
  return found;
}

bool OpenedBlock::has_metadata() {
  if (!has_metadata_) has_metadata_ = decode().has_metadata();
  return *has_metadata_;
}

bool OpenedBlock::may_have_metadata(std::string_view name) { return has_metadata() && block_->may_have_metadata(name); }

Result<void> OpenedBlock::lines(const RowSet& rows, std::span<std::string_view> out) {
  return decode().lines({rows.words(), rows.size()}, out);
}

/// Null: not known, and not worth finding out for rows outside `rows`; or it cannot be told.
const OpenedBlock::LiteralRows* OpenedBlock::find_literal_rows(std::string_view literal, const RowSet& rows) {
  const auto known = std::find_if(literals_.begin(), literals_.end(),
                                  [&](const LiteralRows& other) { return other.literal == literal; });
  if (known != literals_.end()) return &*known;
  if (rows.count() != rows.size()) return nullptr;
  RowSet found = rows;
  if (!decode().narrow_literal(literal, false, {found.words(), found.size()})) return nullptr;
  if (literals_.size() < kLiteralsKept) literals_.emplace_back();
  LiteralRows& kept = literals_[next_literal_++ % kLiteralsKept];
  kept = {std::string(literal), {found.words().begin(), found.words().end()}};
  return &kept;
}

bool OpenedBlock::narrow_literal(std::string_view literal, bool negated, RowSet& rows) {
  const LiteralRows* const known = find_literal_rows(literal, rows);
  if (known == nullptr) return decode().narrow_literal(literal, negated, {rows.words(), rows.size()});
  const auto words = rows.words();
  for (std::size_t w = 0; w < words.size(); ++w) words[w] &= negated ? ~known->words[w] : known->words[w];
  return true;
}

std::uint64_t OpenedBlock::rest() {
  if (!grown_) return bytes_;
  block_->drop_lines();
  bytes_ = memory_bytes();
  grown_ = false;
  return bytes_;
}

std::uint64_t OpenedBlock::sequence(std::size_t row) {
  if (sequences_.empty()) sequences_ = or_zeros(decode().sequences(), zero_sequences_, "sequences");
  return sequences_[row];
}

std::span<const std::uint32_t> OpenedBlock::line_lengths() {
  if (lengths_.empty()) lengths_ = or_zeros(decode().line_lengths(), zero_lengths_, "line lengths");
  return lengths_;
}

std::span<const LabelView> OpenedBlock::metadata(std::size_t row) {
  if (!has_metadata()) return {};
  auto found = decode().metadata(row);
  return found ? *found : std::span<const LabelView>();
}

const FieldColumn* OpenedBlock::field(FieldSyntax syntax, std::string_view name) {
  auto [it, is_new] = fields_.try_emplace({syntax, std::string(name)});
  if (is_new) {
    chunks::FieldValues values;
    if (decode().field(to_chunks(syntax), name, values)) {
      it->second = FieldColumn{std::move(values.values), std::move(values.row_value),
                               to_row_set(values.unknown, rows())};
    }
  }
  return it->second ? &*it->second : nullptr;
}

const NumberColumn* OpenedBlock::number_field(FieldSyntax syntax, std::string_view name, NumberText text) {
  auto [it, is_new] = numbers_.try_emplace({syntax, std::string(name), text});
  if (is_new) it->second = text == NumberText::kPlain ? read_numbers(syntax, name) : read_durations(syntax, name);
  return it->second ? &*it->second : nullptr;
}

std::optional<NumberColumn> OpenedBlock::read_numbers(FieldSyntax syntax, std::string_view name) {
  chunks::FieldNumbers numbers;
  if (!decode().number_field(to_chunks(syntax), name, numbers)) return std::nullopt;
  return NumberColumn{std::move(numbers.values), to_row_set(numbers.present, rows()),
                      to_row_set(numbers.unknown, rows())};
}

/// Read once from the texts and kept, so that a filter compares numbers.
std::optional<NumberColumn> OpenedBlock::read_durations(FieldSyntax syntax, std::string_view name) {
  constexpr std::int64_t kExactBelow = std::int64_t{1} << 53;
  const FieldColumn* texts = field(syntax, name);
  if (texts == nullptr) return std::nullopt;
  std::vector<std::optional<double>> read(texts->values.size());
  std::string ignored;
  for (std::size_t i = 0; i < read.size(); ++i) {
    const auto duration = logql::parse_duration_text(texts->values[i], ignored);
    if (duration && std::abs(duration->count()) < kExactBelow) read[i] = static_cast<double>(duration->count());
    ignored.clear();
  }
  const std::size_t rows = block_->rows();
  NumberColumn column{std::vector<double>(rows), RowSet(rows, false), texts->unknown};
  if (column.unknown.size() == 0) column.unknown = RowSet(rows, false);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::uint32_t value = texts->row_value[row];
    if (value == FieldColumn::kAbsent) continue;
    if (!read[value]) {
      column.unknown.set(row);
      continue;
    }
    column.values[row] = *read[value];
    column.present.set(row);
  }
  return column;
}

const FieldColumn* OpenedBlock::metadata_field(std::string_view name) {
  const auto known = metadata_.find(name);
  if (known != metadata_.end()) return &known->second;
  FieldColumn& column = metadata_[std::string(name)];
  chunks::FieldValues values;
  const bool found = decode().field(chunks::FieldSyntax::kMetadata, name, values);
  const auto is_set = [](std::uint64_t word) { return word != 0; };
  if (found && std::none_of(values.unknown.begin(), values.unknown.end(), is_set)) {
    column.values = std::move(values.values);
    column.row_value = std::move(values.row_value);
    return &column;
  }
  column.row_value.assign(rows(), FieldColumn::kAbsent);
  std::unordered_map<std::string_view, std::uint32_t> numbers;
  for (std::size_t row = 0; row < rows(); ++row) {
    for (const auto& label : metadata(row)) {
      if (label.name != name) continue;
      const auto [it, is_new] = numbers.try_emplace(label.value, static_cast<std::uint32_t>(column.values.size()));
      if (is_new) column.values.push_back(label.value);
      column.row_value[row] = it->second;
    }
  }
  return &column;
}

const FieldColumn* OpenedBlock::pattern_field(std::string_view pattern, std::string_view capture) {
  auto [it, is_new] = captures_.try_emplace({std::string(pattern), std::string(capture)});
  if (is_new) it->second = read_capture(pattern, capture);
  return it->second ? &*it->second : nullptr;
}

std::optional<FieldColumn> OpenedBlock::read_capture(std::string_view pattern, std::string_view capture) {
  const auto compiled = logql::Pattern::for_parser(pattern);
  if (!compiled) return std::nullopt;
  std::vector<chunks::PatternPart> parts;
  std::optional<std::size_t> wanted;
  for (const auto& part : compiled->parts()) {
    if (part.is_named() && part.text == capture) wanted = parts.size();
    parts.push_back({part.is_capture, part.is_capture ? std::string() : part.text});
  }
  chunks::FieldValues values;
  if (!wanted || !decode().pattern_field(parts, *wanted, values)) return std::nullopt;
  return FieldColumn{std::move(values.values), std::move(values.row_value), to_row_set(values.unknown, rows())};
}

std::uint64_t OpenedBlock::memory_bytes() const {
  std::uint64_t bytes = sizeof *this + block_->memory_bytes() + zero_sequences_.capacity() * sizeof(std::uint64_t) +
                        zero_lengths_.capacity() * sizeof(std::uint32_t) + coarse_.capacity() * sizeof(std::int64_t);
  for (const auto& [literal, words] : literals_) bytes += literal.capacity() + words.capacity() * sizeof(std::uint64_t);
  for (const auto& [key, column] : fields_) bytes += sizeof key + (column ? bytes_of(*column) : 0);
  for (const auto& [key, column] : numbers_) bytes += sizeof key + (column ? bytes_of(*column) : 0);
  for (const auto& [key, column] : captures_) bytes += sizeof key + (column ? bytes_of(*column) : 0);
  for (const auto& [name, column] : metadata_) bytes += sizeof name + bytes_of(column);
  return bytes;
}

}  // namespace kvasir::server
