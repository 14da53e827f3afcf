#include "chunks/segment_merge.h"

#include <algorithm>
#include <map>

namespace kvasir::chunks {
namespace {

constexpr std::size_t kMergeRowsMax = 1 << 16;  // rows handed to the writer at once, a block at least

/// A block of one stream in one of the segments.
struct Place {
  const SegmentReader* segment;
  std::size_t block;
  EntryPosition first() const { return segment->blocks()[block].first; }
};

/// An opened block and how far it was taken.
struct Open {
  std::unique_ptr<Block> block;
  std::span<const std::uint64_t> sequences;
  std::vector<std::string_view> lines;
  std::size_t next = 0;

  EntryPosition position() const { return {{block->timestamps()[next]}, sequences[next]}; }
};

Result<std::unique_ptr<Open>> open(const Place& place) {
  auto opened = std::make_unique<Open>();
  KVASIR_TRY(opened->block, place.segment->open_block(place.block));
  KVASIR_TRY(opened->sequences, opened->block->sequences());
  const std::size_t rows = opened->block->rows();
  std::vector<std::uint64_t> all((rows + 63) / 64, ~std::uint64_t{0});
  if (rows % 64 != 0) all.back() >>= 64 - rows % 64;
  opened->lines.resize(rows);
  KVASIR_CHECK_OK(opened->block->lines({all, rows}, opened->lines));
  return opened;
}

class StreamMerger {
 public:
  StreamMerger(const Labels& labels, std::vector<Place> places, const MergeOptions& options, SegmentWriter& writer)
      : labels_(labels), places_(std::move(places)), options_(options), writer_(writer) {
    std::sort(places_.begin(), places_.end(), [](const Place& a, const Place& b) { return a.first() < b.first(); });
  }

  Result<void> run() {
    for (;;) {
      KVASIR_CHECK_OK(open_due());
      if (opened_.empty()) break;
      KVASIR_CHECK_OK(take_row());
      if (bytes_ >= options_.writer.block_bytes || rows_.size() >= kMergeRowsMax) KVASIR_CHECK_OK(hand_over());
    }
    return hand_over();
  }

 private:
  Open& earliest() {
    return **std::min_element(opened_.begin(), opened_.end(),
                              [](const auto& a, const auto& b) { return a->position() < b->position(); });
  }

  /// Opens every block that may hold the next row.
  Result<void> open_due() {
    while (next_place_ < places_.size() && (opened_.empty() || places_[next_place_].first() <= earliest().position())) {
      KVASIR_TRY(std::unique_ptr<Open> opened, open(places_[next_place_++]));
      opened_.push_back(std::move(opened));
    }
    return {};
  }

  Result<void> take_row() {
    Open& from = earliest();
    const EntryPosition position = from.position();
    KVASIR_TRY(const auto metadata, from.block->metadata(from.next));
    const EntryView row{position.timestamp, position.sequence, from.lines[from.next], metadata};
    ++from.next;
    const bool again = has_last_ && position == last_;
    last_ = position;
    has_last_ = true;
    if (!again && (!options_.keep || options_.keep(labels_, row))) {
      rows_.push_back(row);
      bytes_ += row.line.size();
    }
    if (from.next == from.block->rows()) retire(from);
    return {};
  }

  /// Keeps an exhausted block until its rows were handed over.
  void retire(Open& done) {
    const auto it = std::find_if(opened_.begin(), opened_.end(), [&](const auto& open) { return open.get() == &done; });
    retired_.push_back(std::move(*it));
    opened_.erase(it);
  }

  Result<void> hand_over() {
    KVASIR_CHECK_OK(writer_.add(labels_, rows_));
    rows_.clear();
    bytes_ = 0;
    retired_.clear();
    return {};
  }

  const Labels& labels_;
  std::vector<Place> places_;
  const MergeOptions& options_;
  SegmentWriter& writer_;
  std::size_t next_place_ = 0;
  std::vector<std::unique_ptr<Open>> opened_, retired_;
  std::vector<EntryView> rows_;
  std::size_t bytes_ = 0;
  EntryPosition last_;
  bool has_last_ = false;
};

Result<void> merge_all(std::span<const std::shared_ptr<const SegmentReader>> segments, const MergeOptions& options,
                       SegmentWriter& writer) {
  std::map<Labels, std::vector<Place>> streams;
  for (const auto& segment : segments) {
    for (std::size_t s = 0; s < segment->streams().size(); ++s) {
      const auto [begin, end] = segment->blocks_of(s);
      auto& places = streams[segment->streams()[s].labels];
      for (std::size_t b = begin; b < end; ++b) places.push_back({segment.get(), b});
    }
  }
  for (auto& [labels, places] : streams)
    KVASIR_CHECK_OK(StreamMerger(labels, std::move(places), options, writer).run());
  return {};
}

}  // namespace

Result<std::optional<SegmentSummary>> merge_segments(std::span<const std::shared_ptr<const SegmentReader>> segments,
                                                     const MergeOptions& options, Filesystem& filesystem,
                                                     const Path& path) {
  SegmentWriter writer(options.writer);
  KVASIR_CHECK_OK(merge_all(segments, options, writer));
  if (writer.rows() == 0) return std::optional<SegmentSummary>();
  KVASIR_TRY(SegmentSummary summary, writer.finish_file(filesystem, path));
  return std::optional<SegmentSummary>(std::move(summary));
}

Result<std::optional<SegmentSummary>> merge_segments(std::span<const std::shared_ptr<const SegmentReader>> segments,
                                                     const MergeOptions& options, std::string& out) {
  SegmentWriter writer(options.writer);
  KVASIR_CHECK_OK(merge_all(segments, options, writer));
  if (writer.rows() == 0) return std::optional<SegmentSummary>();
  KVASIR_TRY(SegmentSummary summary, writer.finish(out));
  return std::optional<SegmentSummary>(std::move(summary));
}

}  // namespace kvasir::chunks
