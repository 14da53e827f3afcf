#include "server/store_blocks.h"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>

#include "common/log.h"

namespace kvasir::server {
namespace {

using logql::FieldColumn;
using logql::FieldSyntax;
using logql::NumberColumn;
using logql::RowSet;

chunks::FieldSyntax to_chunks(FieldSyntax syntax) {
  return syntax == FieldSyntax::kJson ? chunks::FieldSyntax::kJson : chunks::FieldSyntax::kLogfmt;
}

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

class SegmentLogBlock final : public logql::LogBlock {
 public:
  SegmentLogBlock(StreamPtr stream, std::unique_ptr<chunks::Block> block)
      : stream_(std::move(stream)), block_(std::move(block)) {}

  const StreamPtr& stream() const override { return stream_; }
  std::size_t rows() const override { return block_->rows(); }
  std::span<const std::int64_t> timestamps() const override { return block_->timestamps(); }
  std::uint64_t sequence(std::size_t row) const override {
    if (sequences_.empty()) sequences_ = or_zeros(block_->sequences(), zero_sequences_, "sequences");
    return sequences_[row];
  }
  Result<void> lines(const RowSet& rows, std::span<std::string_view> out) override {
    return block_->lines({rows.words(), rows.size()}, out);
  }
  std::span<const std::uint32_t> line_lengths() override {
    if (lengths_.empty()) lengths_ = or_zeros(block_->line_lengths(), zero_lengths_, "line lengths");
    return lengths_;
  }
  bool has_metadata() const override { return block_->has_metadata(); }
  std::span<const LabelView> metadata(std::size_t row) override {
    if (!block_->has_metadata()) return {};
    auto found = block_->metadata(row);
    return found ? *found : std::span<const LabelView>();
  }

  bool narrow_literal(std::string_view literal, bool negated, RowSet& rows) override {
    return block_->narrow_literal(literal, negated, {rows.words(), rows.size()});
  }
  void narrow_perhaps(std::string_view literal, RowSet& rows) override {
    block_->narrow_perhaps(literal, {rows.words(), rows.size()});
  }
  const FieldColumn* field(FieldSyntax syntax, std::string_view name) override {
    auto [it, is_new] = fields_.try_emplace({syntax, std::string(name)});
    if (is_new) {
      chunks::FieldValues values;
      if (block_->field(to_chunks(syntax), name, values)) {
        it->second = FieldColumn{std::move(values.values), std::move(values.row_value)};
      }
    }
    return it->second ? &*it->second : nullptr;
  }
  const NumberColumn* number_field(FieldSyntax syntax, std::string_view name) override {
    auto [it, is_new] = numbers_.try_emplace({syntax, std::string(name)});
    chunks::FieldNumbers numbers;
    if (is_new && block_->number_field(to_chunks(syntax), name, numbers)) {
      NumberColumn column{std::move(numbers.values), RowSet(rows())};
      std::copy(numbers.present.begin(), numbers.present.end(), column.present.words().begin());
      it->second = std::move(column);
    }
    return it->second ? &*it->second : nullptr;
  }
  bool may_have_metadata(std::string_view name) override {
    return block_->may_have_metadata(name);
  }
  const FieldColumn* metadata_field(std::string_view name) override { return &metadata_columns_.column(*this, name); }

 private:
  template <class T>
  std::span<const T> or_zeros(Result<std::span<const T>> found, std::vector<T>& zeros, std::string_view what) const {
    if (found) return *found;
    log::error("query", "block is damaged", {{"part", std::string(what)}, {"reason", found.error().message()}});
    zeros.resize(block_->rows());
    return zeros;
  }

  using FieldKey = std::pair<FieldSyntax, std::string>;
  StreamPtr stream_;
  std::unique_ptr<chunks::Block> block_;
  mutable std::span<const std::uint64_t> sequences_;
  mutable std::vector<std::uint64_t> zero_sequences_;
  std::span<const std::uint32_t> lengths_;
  std::vector<std::uint32_t> zero_lengths_;
  std::map<FieldKey, std::optional<FieldColumn>> fields_;
  std::map<FieldKey, std::optional<NumberColumn>> numbers_;
  MetadataColumns metadata_columns_;
};

class HeadLogBlock final : public logql::LogBlock {
 public:
  HeadLogBlock(StreamPtr stream, ingest::ChunkView view) : stream_(std::move(stream)), view_(std::move(view)) {
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
      if (rows.test(row) && (rows_[row].line.find(literal) != std::string_view::npos) == negated) rows.clear(row);
    }
    return true;
  }
  bool may_have_metadata(std::string_view name) override { return !metadata_columns_.column(*this, name).values.empty(); }
  const FieldColumn* metadata_field(std::string_view name) override { return &metadata_columns_.column(*this, name); }

 private:
  StreamPtr stream_;
  ingest::ChunkView view_;
  std::vector<EntryView> rows_;
  std::vector<std::int64_t> timestamps_;
  std::vector<std::uint32_t> lengths_;
  MetadataColumns metadata_columns_;
};

class SegmentHandle final : public StoreBlockHandle {
 public:
  SegmentHandle(StreamPtr stream, std::shared_ptr<const ingest::Segment> segment,
                std::shared_ptr<const chunks::SegmentReader> reader, std::size_t block)
      : StoreBlockHandle(std::move(stream)), segment_(std::move(segment)), reader_(std::move(reader)), block_(block) {}
  TimestampNs first() const override { return entry().first.timestamp; }
  TimestampNs last() const override { return entry().last.timestamp; }
  std::uint64_t rows() const override { return entry().rows; }
  std::uint64_t line_bytes() const override { return entry().line_bytes; }
  std::uint64_t metadata_bytes() const override {
    constexpr std::uint64_t kNameBytes = std::string_view("detected_level").size();
    std::uint64_t bytes = 0;
    for (std::size_t level = 1; level < chunks::kLevelCount; ++level) {
      bytes += entry().levels[level] * (kNameBytes + chunks::level_name(static_cast<chunks::Level>(level)).size());
    }
    return bytes;
  }
  Result<std::unique_ptr<logql::LogBlock>> open_rows() const override {
    KVASIR_TRY(auto block, reader_->open_block(block_));
    return std::make_unique<SegmentLogBlock>(stream(), std::move(block));
  }

 private:
  const chunks::BlockEntry& entry() const { return reader_->blocks()[block_]; }
  std::shared_ptr<const ingest::Segment> segment_;  // keeps the file in its place
  std::shared_ptr<const chunks::SegmentReader> reader_;
  std::size_t block_;
};

class HeadHandle final : public StoreBlockHandle {
 public:
  HeadHandle(StreamPtr stream, ingest::ChunkView view) : StoreBlockHandle(std::move(stream)), view_(std::move(view)) {}
  TimestampNs first() const override { return view_.summary.first; }
  TimestampNs last() const override { return view_.summary.last; }
  std::uint64_t rows() const override { return view_.summary.rows; }
  std::uint64_t line_bytes() const override { return view_.summary.line_bytes; }
  std::uint64_t metadata_bytes() const override { return view_.summary.metadata_bytes; }
  Result<std::unique_ptr<logql::LogBlock>> open_rows() const override {
    return std::make_unique<HeadLogBlock>(stream(), view_);
  }

 private:
  ingest::ChunkView view_;
};

}  // namespace

Result<std::unique_ptr<logql::LogBlock>> StoreBlockHandle::open() const {
  KVASIR_TRY(auto block, open_rows());
  return deletes_.empty() ? Result<std::unique_ptr<logql::LogBlock>>(std::move(block))
                          : hide_deleted(std::move(block), deletes_);
}

std::unique_ptr<StoreBlockHandle> make_segment_handle(StreamPtr stream, std::shared_ptr<const ingest::Segment> segment,
                                                      std::shared_ptr<const chunks::SegmentReader> reader,
                                                      std::size_t block) {
  return std::make_unique<SegmentHandle>(std::move(stream), std::move(segment), std::move(reader), block);
}

std::unique_ptr<StoreBlockHandle> make_head_handle(StreamPtr stream, ingest::ChunkView chunk) {
  return std::make_unique<HeadHandle>(std::move(stream), std::move(chunk));
}

}  // namespace kvasir::server
