#include "server/store_blocks.h"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>

#include "common/find_bytes.h"

namespace kvasir::server {
namespace {

using logql::FieldColumn;
using logql::FieldSyntax;
using logql::NumberColumn;
using logql::RowSet;

/// Metadata as columns, from the rows' sets.
class MetadataColumns {
 public:
  const FieldColumn& column(logql::LogBlock& block, std::string_view name) {
    const auto known = columns_.find(name);
    if (known != columns_.end()) return known->second;
    FieldColumn& column = columns_[std::string(name)];
    column.row_value.assign(block.rows(), FieldColumn::kAbsent);
    std::unordered_map<std::string_view, std::uint32_t> numbers;
    for (std::size_t row = 0; row < block.rows(); ++row) {
      for (const auto& label : block.metadata(row)) {
        if (label.name != name) continue;
        const auto [it, is_new] = numbers.try_emplace(label.value, static_cast<std::uint32_t>(column.values.size()));
        if (is_new) column.values.push_back(label.value);
        column.row_value[row] = it->second;
      }
    }
    return column;
  }

 private:
  std::map<std::string, FieldColumn, std::less<>> columns_;
};

// Of an open block beside its lines, for each row: instant, sequence, length, a view of the line, codes or numbers of a
// few columns, the group.
constexpr std::uint64_t kRowBytes = 96;

/// What was opened, and the stored block it is a slice of, if it is one.
struct Opened {
  std::unique_ptr<OpenedBlock> block;
  std::shared_ptr<chunks::SharedBlock> shared;
};

Result<Opened> open_slice(const SegmentPlace& place, std::shared_ptr<chunks::SharedBlock> shared) {
  KVASIR_TRY(auto slice, chunks::SliceBlock::open(shared, *place.entry, place.in->reader));
  return Opened{std::make_unique<OpenedBlock>(std::move(slice)), std::move(shared)};
}

Result<Opened> open_at(const SegmentPlace& place) {
  const auto key = place.key();
  const QueriedSegment& in = *place.in;
  if (!in.reader->is_slice(place.block)) {
    if (auto rested = in.cache->take(key)) return Opened{std::move(rested), nullptr};
    KVASIR_TRY(auto opened, in.reader->open_block(place.block));
    return Opened{std::make_unique<OpenedBlock>(std::move(opened)), nullptr};
  }
  if (auto shared = in.cache->find_shared(key)) return open_slice(place, std::move(shared));
  KVASIR_TRY(auto shared, in.reader->shared_block(place.block));
  return open_slice(place, std::move(shared));
}

class SegmentLogBlock final : public logql::LogBlock {
 public:
  /// `charged` to the segment's budget already; given back with the block.
  SegmentLogBlock(StreamPtr stream, SegmentPlace place, Opened opened, std::uint64_t charged)
      : stream_(std::move(stream)),
        place_(std::move(place)),
        opened_(std::move(opened.block)),
        shared_(std::move(opened.shared)),
        charged_(charged) {}
  ~SegmentLogBlock() override {
    const QueriedSegment& in = *place_.in;
    if (shared_ == nullptr) {
      in.cache->put(place_.key(), in.segment, std::move(opened_));
    } else {
      opened_.reset();  // the last slice takes the lines with it
      if (shared_->take_changed()) in.cache->keep_shared(place_.key(), in.segment, in.reader, shared_);
    }
    in.budget.release(charged_);
  }

  const StreamPtr& stream() const override { return stream_; }
  std::size_t rows() const override { return opened_->rows(); }
  std::span<const std::int64_t> timestamps() const override { return opened_->timestamps(); }
  std::span<const std::int64_t> coarse_timestamps() override { return opened_->coarse_timestamps(); }
  std::span<const logql::IntervalEnd> interval_ends(std::int64_t step, std::int64_t phase) override {
    StepEnds* const kept = place_.in->ends(step, phase);
    if (kept == nullptr) return {};
    if (const auto known = kept->of(place_.block)) return *known;
    kept->keep(place_.block, opened_->find_interval_ends(step, phase));
    return kept->of(place_.block).value_or(std::span<const logql::IntervalEnd>());
  }
  std::uint64_t sequence(std::size_t row) const override { return opened_->sequence(row); }
  Result<void> lines(const RowSet& rows, std::span<std::string_view> out) override {
    const auto read = opened_->lines(rows, out);
    return read ? read : Result<void>(fail(place_.in->segment->note_damage(read.error())));
  }
  std::span<const std::uint32_t> line_lengths() override { return opened_->line_lengths(); }
  bool has_metadata() const override { return opened_->has_metadata(); }
  std::span<const LabelView> metadata(std::size_t row) override { return opened_->metadata(row); }

  bool narrow_literal(std::string_view literal, bool negated, RowSet& rows) override {
    return opened_->narrow_literal(literal, negated, rows);
  }
  void narrow_perhaps(std::string_view literal, RowSet& rows) override {
    opened_->narrow_literal(literal, false, rows);
  }
  const FieldColumn* field(FieldSyntax syntax, std::string_view name) override { return opened_->field(syntax, name); }
  const NumberColumn* number_field(FieldSyntax syntax, std::string_view name, logql::NumberText text) override {
    return opened_->number_field(syntax, name, text);
  }
  const FieldColumn* pattern_field(std::string_view pattern, std::string_view capture) override {
    return opened_->pattern_field(pattern, capture);
  }
  bool may_have_metadata(std::string_view name) override { return opened_->may_have_metadata(name); }
  const FieldColumn* metadata_field(std::string_view name) override { return opened_->metadata_field(name); }

 private:
  StreamPtr stream_;
  SegmentPlace place_;
  std::unique_ptr<OpenedBlock> opened_;
  std::shared_ptr<chunks::SharedBlock> shared_;  // that it is a slice of, or null
  std::uint64_t charged_;
};

class HeadLogBlock final : public logql::LogBlock {
 public:
  /// `charged` to the budget already; given back with the block.
  HeadLogBlock(StreamPtr stream, ingest::ChunkView view, MemoryBudget& budget, std::uint64_t charged)
      : stream_(std::move(stream)), view_(std::move(view)), budget_(budget), charged_(charged) {
    const auto order = ingest::sorted_rows(view_);
    rows_.reserve(order.size());
    timestamps_.reserve(order.size());
    lengths_.reserve(order.size());
    for (const std::uint32_t row : order) {
      rows_.push_back(view_.chunk->row(row));
      timestamps_.push_back(rows_.back().timestamp.value);
      lengths_.push_back(static_cast<std::uint32_t>(rows_.back().line.size()));
    }
  }
  ~HeadLogBlock() override { budget_.release(charged_); }

  const StreamPtr& stream() const override { return stream_; }
  std::size_t rows() const override { return rows_.size(); }
  std::span<const std::int64_t> timestamps() const override { return timestamps_; }
  std::uint64_t sequence(std::size_t row) const override { return rows_[row].sequence; }
  Result<void> lines(const RowSet& rows, std::span<std::string_view> out) override {
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      if (rows.test(row)) out[row] = rows_[row].line;
    }
    return {};
  }
  std::span<const std::uint32_t> line_lengths() override { return lengths_; }
  bool has_metadata() const override { return view_.summary.metadata_bytes > 0; }
  std::span<const LabelView> metadata(std::size_t row) override { return rows_[row].metadata; }
  bool narrow_literal(std::string_view literal, bool negated, RowSet& rows) override {
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      if (rows.test(row) && contains_bytes(rows_[row].line, literal) == negated) rows.clear(row);
    }
    return true;
  }
  bool may_have_metadata(std::string_view name) override {
    return !metadata_columns_.column(*this, name).values.empty();
  }
  const FieldColumn* metadata_field(std::string_view name) override { return &metadata_columns_.column(*this, name); }

 private:
  StreamPtr stream_;
  ingest::ChunkView view_;
  MemoryBudget& budget_;
  std::uint64_t charged_;
  std::vector<EntryView> rows_;
  std::vector<std::int64_t> timestamps_;
  std::vector<std::uint32_t> lengths_;
  MetadataColumns metadata_columns_;
};

class SegmentHandle final : public StoreBlockHandle {
 public:
  SegmentHandle(StreamPtr stream, SegmentPlace place) : StoreBlockHandle(std::move(stream)), place_(std::move(place)) {}
  TimestampNs first() const override { return entry().first.timestamp; }
  TimestampNs last() const override { return entry().last.timestamp; }
  std::uint64_t rows() const override { return entry().rows; }
  std::uint64_t line_bytes() const override { return entry().line_bytes; }
  logql::StoredPlace stored_in() const override { return {place_.in->reader.get(), entry().part}; }
  std::uint64_t metadata_bytes() const override { return entry().metadata_bytes; }
  std::optional<logql::LevelStatistics> levels() const override {
    using chunks::Level;
    const auto& counts = entry().levels;
    if (counts[static_cast<std::size_t>(Level::kOther)] > 0) return std::nullopt;
    logql::LevelStatistics out;
    for (std::size_t level = 0; level < chunks::kLevelCount; ++level) {
      if (counts[level] > 0) out.rows.push_back({chunks::level_name(static_cast<Level>(level)), counts[level]});
    }
    const auto flags = entry().flags;
    out.nothing_else =
        (flags & chunks::block_flags::kHasMetadata) == 0 || (flags & chunks::block_flags::kOnlyLevels) != 0;
    return out;
  }
  Result<std::unique_ptr<logql::LogBlock>> open_rows() const override {
    const std::uint64_t bytes = entry().line_bytes + entry().rows * kRowBytes;
    KVASIR_CHECK_OK(place_.in->budget.charge(bytes));
    auto opened = open_at(place_);
    if (!opened) {
      place_.in->budget.release(bytes);
      return fail(place_.in->segment->note_damage(opened.error()));
    }
    return std::make_unique<SegmentLogBlock>(stream(), place_, std::move(*opened), bytes);
  }
  const SegmentPlace* place() const override { return &place_; }

 private:
  const chunks::BlockEntry& entry() const { return *place_.entry; }
  SegmentPlace place_;
};

class HeadHandle final : public StoreBlockHandle {
 public:
  HeadHandle(StreamPtr stream, ingest::ChunkView view, MemoryBudget& budget)
      : StoreBlockHandle(std::move(stream)), view_(std::move(view)), budget_(budget) {}
  TimestampNs first() const override { return view_.summary.first; }
  TimestampNs last() const override { return view_.summary.last; }
  std::uint64_t rows() const override { return view_.summary.rows; }
  std::uint64_t line_bytes() const override { return view_.summary.line_bytes; }
  std::uint64_t metadata_bytes() const override { return view_.summary.metadata_bytes; }
  Result<std::unique_ptr<logql::LogBlock>> open_rows() const override {
    const std::uint64_t bytes = view_.summary.rows * (sizeof(EntryView) + kRowBytes);  // the lines are the head's
    KVASIR_CHECK_OK(budget_.charge(bytes));
    return std::make_unique<HeadLogBlock>(stream(), view_, budget_, bytes);
  }

 private:
  ingest::ChunkView view_;
  MemoryBudget& budget_;
};

}  // namespace

QueriedSegment::QueriedSegment(std::shared_ptr<const ingest::Segment> in,
                               std::shared_ptr<const chunks::SegmentReader> opened, std::shared_ptr<BlockCache> blocks,
                               MemoryBudget& query_budget)
    : segment(std::move(in)),
      reader(std::move(opened)),
      cache(std::move(blocks)),
      notes(cache->notes().of(segment, reader->blocks().size())),
      budget(query_budget) {}

StepEnds* QueriedSegment::ends(std::int64_t step, std::int64_t phase) const {
  std::call_once(asked_, [&] { ends_ = notes->step_ends(step, phase); });
  return ends_->is_for(step, phase) ? ends_.get() : nullptr;
}

std::span<const logql::IntervalEnd> StoreBlockHandle::known_interval_ends(std::int64_t step, std::int64_t phase) const {
  const SegmentPlace* const at = place();
  if (at == nullptr || !deletes_.empty()) return {};
  const StepEnds* const kept = at->in->ends(step, phase);
  return kept == nullptr ? std::span<const logql::IntervalEnd>()
                         : kept->of(at->block).value_or(std::span<const logql::IntervalEnd>());
}

void StoreBlockHandle::note_apart(const logql::BlockHandle& other) const {
  const auto* const stored = dynamic_cast<const StoreBlockHandle*>(&other);
  if (stored == nullptr || !deletes_.empty() || !stored->deletes_.empty()) return;
  const SegmentPlace* const here = place();
  const SegmentPlace* const there = stored->place();
  if (here != nullptr && there != nullptr) here->in->notes->note_apart(here->block, *there->in->notes, there->block);
}

bool StoreBlockHandle::is_apart(const StoreBlockHandle& other) const {
  const SegmentPlace* const here = place();
  const SegmentPlace* const there = other.place();
  return here != nullptr && there != nullptr && here->in->notes->is_apart(here->block, *there->in->notes, there->block);
}

Result<std::unique_ptr<logql::LogBlock>> StoreBlockHandle::open() const {
  KVASIR_TRY(auto block, open_rows());
  return deletes_.empty() ? Result<std::unique_ptr<logql::LogBlock>>(std::move(block))
                          : hide_deleted(std::move(block), deletes_);
}

std::unique_ptr<StoreBlockHandle> make_segment_handle(StreamPtr stream, std::shared_ptr<const QueriedSegment> segment,
                                                      std::size_t block) {
  return std::make_unique<SegmentHandle>(std::move(stream), SegmentPlace(std::move(segment), block));
}

std::unique_ptr<StoreBlockHandle> make_head_handle(StreamPtr stream, ingest::ChunkView chunk, MemoryBudget& budget) {
  return std::make_unique<HeadHandle>(std::move(stream), std::move(chunk), budget);
}

}  // namespace kvasir::server
