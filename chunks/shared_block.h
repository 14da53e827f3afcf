// shared_block.h -- a stored block with rows of several streams, and the Block that is one stream's slice of it.
//
// Shape:    SharedBlock opens the stored block once; each SliceBlock shows a run of its rows as if they were a block.
// Cost:     what is asked of all slices (a literal, a field) is worked out once for the whole block and kept.
// Lifetime: a SharedBlock does not keep the segment open: slices do. Lines that were built for many slices are freed
//           with the last of them that is open.
// Threads:  a SharedBlock may be used by several; a slice by one at a time.
// Source:   docs/formats/segment-v1.md section 4.4.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chunks/segment_types.h"
#include "chunks/stored_block.h"
#include "common/mutex.h"

namespace kvasir::chunks {

/// The latest few answers by question.
template <class Answer>
class RecentAnswers {
 public:
  const Answer* find(std::string_view question) const {
    for (const auto& item : items_) {
      if (item && item->first == question) return &item->second;
    }
    return nullptr;
  }
  const Answer& keep(std::string question, Answer answer) {
    auto& item = items_[next_++ % items_.size()];
    item.emplace(std::move(question), std::move(answer));
    return item->second;
  }
  template <class Visit>
  void each(const Visit& visit) const {
    for (const auto& item : items_) {
      if (item) visit(item->second);
    }
  }

 private:
  std::array<std::optional<std::pair<std::string, Answer>>, 4> items_;
  std::size_t next_ = 0;
};

class SharedBlock {
 public:
  explicit SharedBlock(std::unique_ptr<StoredBlock> block);

  std::size_t rows() const { return rows_; }
  std::span<const std::int64_t> timestamps() const { return times_; }
  Result<std::span<const std::uint64_t>> sequences();
  Result<std::span<const std::uint32_t>> line_lengths();
  /// Of one slice; the views live as long as this and `arena`.
  Result<void> lines(std::size_t first, ConstRowBits rows, std::span<std::string_view> out, Arena& arena);
  Result<std::span<const LabelView>> metadata(std::size_t row);
  bool may_have_metadata(std::string_view name);

  /// Calls `use` with the rows of the whole block that hold the literal. False: cannot.
  bool with_literal(std::string_view literal, const std::function<void(std::span<const std::uint64_t>)>& use);
  bool with_field(FieldSyntax syntax, std::string_view name, const std::function<void(const FieldValues&)>& use);
  bool with_numbers(FieldSyntax syntax, std::string_view name, const std::function<void(const FieldNumbers&)>& use);
  bool with_pattern(std::span<const PatternPart> parts, std::size_t capture,
                    const std::function<void(const FieldValues&)>& use);

  std::uint64_t memory_bytes();
  /// True once after memory_bytes() has changed.
  bool take_changed() { return changed_.load(std::memory_order_relaxed) && changed_.exchange(false); }

  void enter() { ++open_slices_; }
  void leave();

 private:
  using Fields = RecentAnswers<std::optional<FieldValues>>;
  Result<void> build_all_lines() KVASIR_REQUIRES(mutex_);
  void note_decoded(bool& known) KVASIR_REQUIRES(mutex_);

  const std::size_t rows_;
  const std::span<const std::int64_t> times_;
  Mutex mutex_;
  std::unique_ptr<StoredBlock> block_ KVASIR_GUARDED_BY(mutex_);
  std::atomic<std::size_t> open_slices_{0};
  std::atomic<bool> changed_{true};
  std::atomic<bool> has_all_lines_{false};
  std::vector<std::string_view> all_lines_ KVASIR_GUARDED_BY(mutex_);  // while many slices are open
  bool knows_sequences_ KVASIR_GUARDED_BY(mutex_) = false;
  bool knows_lengths_ KVASIR_GUARDED_BY(mutex_) = false;
  bool knows_metadata_ KVASIR_GUARDED_BY(mutex_) = false;
  RecentAnswers<std::optional<std::vector<std::uint64_t>>> literals_ KVASIR_GUARDED_BY(mutex_);
  Fields fields_ KVASIR_GUARDED_BY(mutex_);
  Fields captures_ KVASIR_GUARDED_BY(mutex_);
  RecentAnswers<std::optional<FieldNumbers>> numbers_ KVASIR_GUARDED_BY(mutex_);
};

class SliceBlock final : public Block {
 public:
  /// Errors: corruption, if the slice does not lie in the block or its times do not ascend.
  static Result<std::unique_ptr<Block>> open(std::shared_ptr<SharedBlock> shared, const BlockEntry& entry,
                                             std::shared_ptr<const void> owner);

  ~SliceBlock() override { shared_->leave(); }

  std::size_t rows() const override { return rows_; }
  std::span<const std::int64_t> timestamps() const override { return shared_->timestamps().subspan(first_, rows_); }
  Result<std::span<const std::uint64_t>> sequences() override;
  Result<std::span<const std::uint32_t>> line_lengths() override;
  Result<void> lines(ConstRowBits rows, std::span<std::string_view> out) override;
  bool has_metadata() const override { return has_metadata_; }
  Result<std::span<const LabelView>> metadata(std::size_t row) override;
  bool may_have_metadata(std::string_view name) const override;
  bool narrow_literal(std::string_view literal, bool negated, RowBits rows) override;
  void narrow_perhaps(std::string_view literal, RowBits rows) override { narrow_literal(literal, false, rows); }
  bool field(FieldSyntax syntax, std::string_view name, FieldValues& out) override;
  bool number_field(FieldSyntax syntax, std::string_view name, FieldNumbers& out) override;
  bool pattern_field(std::span<const PatternPart> parts, std::size_t capture, FieldValues& out) override;
  /// Without what all slices share.
  std::uint64_t memory_bytes() const override { return sizeof *this + lines_.total_bytes(); }
  void drop_lines() override { lines_.clear(); }

 private:
  explicit SliceBlock(std::shared_ptr<SharedBlock> shared) : shared_(std::move(shared)) { shared_->enter(); }
  std::vector<std::uint64_t> cut_bits(std::span<const std::uint64_t> words) const;
  void cut(const FieldValues& all, FieldValues& out) const;

  std::shared_ptr<const void> owner_;  // goes last: the shared block reads its bytes
  std::shared_ptr<SharedBlock> shared_;
  std::size_t first_ = 0;
  std::size_t rows_ = 0;
  bool has_metadata_ = false;
  Arena lines_;
};

}  // namespace kvasir::chunks
