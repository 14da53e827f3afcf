#include "ingest/rewrite.h"

#include <algorithm>
#include <bit>
#include <map>

#include "ingest/flush.h"

namespace kvasir::ingest {
namespace {

/// A block of some input, by its place there.
struct Source {
  const chunks::SegmentReader* reader = nullptr;
  std::size_t block = 0;
  TimestampNs first;
  TimestampNs last;
};

struct StreamSources {
  const Labels* labels = nullptr;
  std::vector<Source> blocks;
};

using Readers = std::vector<std::shared_ptr<const chunks::SegmentReader>>;

using Streams = std::map<std::string, StreamSources>;

/// Blocks of each stream, streams by their text so that alike ones stand together, blocks by time.
Streams collect(const Readers& readers) {
  Streams streams;
  for (const auto& reader : readers) {
    for (std::size_t i = 0; i < reader->streams().size(); ++i) {
      const auto& labels = reader->streams()[i].labels;
      auto& stream = streams[labels.to_string()];
      stream.labels = &labels;
      const auto [begin, end] = reader->blocks_of(i);
      for (std::size_t b = begin; b < end; ++b) {
        const auto& entry = reader->blocks()[b];
        stream.blocks.push_back({reader.get(), b, entry.first.timestamp, entry.last.timestamp});
      }
    }
  }
  for (auto& [text, stream] : streams) {
    std::sort(stream.blocks.begin(), stream.blocks.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  return streams;
}

/// A stored block, by its place in some input.
using StoredPlace = std::pair<const chunks::SegmentReader*, std::uint32_t>;

const chunks::BlockEntry& entry_of(const Source& source) { return source.reader->blocks()[source.block]; }

StoredPlace place_of(const Source& source) { return {source.reader, entry_of(source).part}; }

/// How many blocks are slices of each stored block.
std::map<StoredPlace, std::size_t> count_slices(const Readers& readers) {
  std::map<StoredPlace, std::size_t> slices;
  for (const auto& reader : readers) {
    for (const auto& entry : reader->blocks()) ++slices[{reader.get(), entry.part}];
  }
  return slices;
}

using Slices = std::vector<std::pair<const Labels*, Source>>;

class Rewrite {
 public:
  /// The new segment goes to `writer`.
  Rewrite(const RewriteOptions& options, std::size_t inputs, chunks::SegmentWriter& writer)
      : options_(options), dense_bytes_min_(inputs == 1 ? 0 : options.dense_bytes_min), writer_(writer) {}

  Result<void> run(const Readers& readers) {
    Streams streams = collect(readers);
    slice_counts_ = count_slices(readers);
    for (const auto& [place, slices] : lone_shared_blocks(streams)) {
      KVASIR_TRY(const bool copied, copy_shared(slices));
      if (!copied) continue;
      for (const auto& [labels, source] : slices) streams.erase(labels->to_string());
    }
    for (const auto& [text, stream] : streams) KVASIR_CHECK_OK(add_stream(stream));
    return {};
  }

  RewriteOutcome outcome() const { return {std::nullopt, rows_before_, rows_after_, rows_copied_}; }

 private:
  /// Stored blocks of several streams each of which has no other rows here.
  std::map<StoredPlace, Slices> lone_shared_blocks(const Streams& streams) const {
    std::map<StoredPlace, Slices> lone;
    for (const auto& [text, stream] : streams) {
      if (stream.blocks.size() != 1) continue;
      const Source& only = stream.blocks.front();
      if (slice_counts_.at(place_of(only)) > 1) lone[place_of(only)].emplace_back(stream.labels, only);
    }
    std::erase_if(lone, [&](const auto& item) { return item.second.size() < slice_counts_.at(item.first); });
    return lone;
  }

  Result<void> add_stream(const StreamSources& stream) {
    for (std::size_t begin = 0; begin < stream.blocks.size();) {
      std::size_t end = begin + 1;
      TimestampNs reach = stream.blocks[begin].last;
      while (end < stream.blocks.size() && stream.blocks[end].first <= reach) {
        reach = std::max(reach, stream.blocks[end++].last);
      }
      KVASIR_CHECK_OK(stop_if_told());
      const auto together = std::span(stream.blocks).subspan(begin, end - begin);
      KVASIR_TRY(const bool copied, copy_own(*stream.labels, together));
      if (!copied) KVASIR_CHECK_OK(add_overlapping(*stream.labels, together));
      begin = end;
      if (gathered_bytes_ >= 2 * std::uint64_t{options_.block_bytes}) KVASIR_CHECK_OK(hand_over(*stream.labels));
    }
    return hand_over(*stream.labels);
  }

  Result<void> stop_if_told() const {
    if (options_.stop && options_.stop()) return fail(ErrorCode::kCancelled, "rewrite of segments stopped");
    return {};
  }

  /// False: the block is not worth it, shares its time with others, or loses rows.
  Result<bool> copy_own(const Labels& labels, std::span<const Source> sources) {
    const auto& entry = entry_of(sources.front());
    if (sources.size() != 1 || entry.encoding == 0 || entry.line_bytes < dense_bytes_min_) return false;
    if (slice_counts_.at(place_of(sources.front())) > 1) return false;
    KVASIR_TRY(const bool whole, keeps_all(labels, sources.front()));
    if (!whole) return false;
    KVASIR_CHECK_OK(hand_over(labels));
    return copy(sources.front(), entry.rows);
  }

  Result<bool> copy_shared(const Slices& slices) {
    KVASIR_CHECK_OK(stop_if_told());
    std::uint64_t rows = 0;
    for (const auto& [labels, source] : slices) {
      rows += entry_of(source).rows;
      KVASIR_TRY(const bool whole, keeps_all(*labels, source));
      if (!whole) return false;
    }
    return copy(slices.front().second, rows);
  }

  Result<bool> copy(const Source& source, std::uint64_t rows) {
    KVASIR_TRY(const bool copied, writer_.copy(*source.reader, source.block));
    if (!copied) return false;
    rows_before_ += rows;
    rows_after_ += rows;
    rows_copied_ += rows;
    if (options_.pace) options_.pace(entry_of(source).stored_bytes);
    return true;
  }

  Result<bool> keeps_all(const Labels& labels, const Source& source) {
    if (!options_.keep) return true;
    KVASIR_TRY(const auto block, source.reader->open_block(source.block));
    std::vector<std::uint64_t> words = all_rows(block->rows());
    const std::vector<std::uint64_t> all = words;
    KVASIR_CHECK_OK(options_.keep(labels, *block, {words, block->rows()}));
    return words == all;
  }

  static std::vector<std::uint64_t> all_rows(std::size_t rows) {
    std::vector<std::uint64_t> words((rows + 63) / 64, UINT64_MAX);
    if (rows % 64 != 0) words.back() = (std::uint64_t{1} << rows % 64) - 1;
    return words;
  }

  Result<void> add_overlapping(const Labels& labels, std::span<const Source> sources) {
    std::vector<EntryView> rows;
    for (const auto& source : sources) {
      KVASIR_TRY(auto block, source.reader->open_block(source.block));
      KVASIR_CHECK_OK(read_rows(labels, *block, rows));
      gathered_blocks_.push_back(std::move(block));
    }
    if (sources.size() > 1) order_rows(rows);
    rows_after_ += rows.size();
    for (const auto& row : rows) gathered_bytes_ += row.line.size();
    gathered_.insert(gathered_.end(), rows.begin(), rows.end());
    std::uint64_t bytes = 0;
    for (const auto& source : sources) bytes += entry_of(source).line_bytes;
    if (options_.pace) options_.pace(bytes);
    return {};
  }

  Result<void> hand_over(const Labels& labels) {
    KVASIR_CHECK_OK(add_in_blocks(writer_, labels, gathered_, options_.block_bytes));
    gathered_.clear();
    gathered_blocks_.clear();
    gathered_bytes_ = 0;
    return {};
  }

  Result<void> read_rows(const Labels& labels, chunks::Block& block, std::vector<EntryView>& out) {
    const std::size_t n = block.rows();
    rows_before_ += n;
    std::vector<std::uint64_t> words = all_rows(n);
    if (options_.keep) KVASIR_CHECK_OK(options_.keep(labels, block, {words, n}));
    const chunks::ConstRowBits kept{words, n};
    std::vector<std::string_view> lines(n);
    KVASIR_CHECK_OK(block.lines(kept, lines));
    KVASIR_TRY(const auto sequences, block.sequences());
    for (std::size_t row = 0; row < n; ++row) {
      if (!kept.test(row)) continue;
      EntryView entry{{block.timestamps()[row]}, sequences[row], lines[row], {}};
      if (block.has_metadata()) {
        KVASIR_TRY(entry.metadata, block.metadata(row));
      }
      out.push_back(entry);
    }
    return {};
  }

  const RewriteOptions& options_;
  const std::uint64_t dense_bytes_min_;
  chunks::SegmentWriter& writer_;
  std::map<StoredPlace, std::size_t> slice_counts_;
  std::vector<EntryView> gathered_;   // of one stream, not yet handed to the writer
  std::vector<std::unique_ptr<chunks::Block>> gathered_blocks_;   // own what the rows point into
  std::uint64_t gathered_bytes_ = 0;
  std::uint64_t rows_before_ = 0;
  std::uint64_t rows_after_ = 0;
  std::uint64_t rows_copied_ = 0;
};

/// Four to a factor of eight in raw bytes.
int tier_of(const SegmentInfo& info) { return std::bit_width(info.line_bytes >> 20) / 3; }

std::uint64_t mean_block_bytes(const Segment& segment) {
  const auto reader = segment.reader();
  if (!reader || (*reader)->blocks().empty()) return 0;
  return segment.info().line_bytes / (*reader)->blocks().size();
}

/// The first segments of `tier` that may become one, oldest first.
std::vector<std::shared_ptr<const Segment>> fitting(const std::vector<std::shared_ptr<const Segment>>& tier,
                                                    std::size_t begin, const MergeRules& rules) {
  std::vector<std::shared_ptr<const Segment>> chosen;
  std::uint64_t bytes = 0;
  TimestampNs first = TimestampNs::max();
  TimestampNs last = TimestampNs::min();
  Duration own{0};
  for (std::size_t i = begin; i < tier.size() && chosen.size() < rules.segments_max; ++i) {
    const auto& info = tier[i]->info();
    first = std::min(first, info.first);
    last = std::max(last, info.last);
    own = std::max(own, info.last - info.first);
    bytes += info.line_bytes;
    if (bytes > rules.output_bytes_max || last - first > std::max(rules.span_max, own)) break;
    chosen.push_back(tier[i]);
  }
  return chosen;
}

/// Readers of our own, which are closed before the file is put together: what they have decoded and mapped goes with
/// them.
Result<Readers> open_all(const TenantStorage& tenant, std::span<const std::shared_ptr<const Segment>> inputs,
                         Filesystem& filesystem) {
  Readers readers;
  for (const auto& segment : inputs) {
    KVASIR_TRY(std::shared_ptr<const RandomFile> file, filesystem.open_random(tenant.segment_path(segment->info().id)));
    auto reader = chunks::SegmentReader::open(std::move(file));
    if (!reader) return fail(segment->note_damage(reader.error()));
    readers.push_back(std::move(*reader));
  }
  return readers;
}

}  // namespace

Result<RewriteOutcome> rewrite_segments(TenantStorage& tenant, std::span<const std::shared_ptr<const Segment>> inputs,
                                        Filesystem& filesystem, const RewriteOptions& options) {
  ManifestEdit edit = options.also;
  SegmentInfo info{.first_sequence = UINT64_MAX};
  for (const auto& segment : inputs) {
    edit.removed.push_back(segment->info().id);
    info.merges = std::max(info.merges, segment->info().merges + 1);
    info.first_sequence = std::min(info.first_sequence, segment->info().first_sequence);
    info.last_sequence = std::max(info.last_sequence, segment->info().last_sequence);
  }
  info.id = tenant.next_segment_id();
  chunks::SegmentWriter writer(filesystem, tenant.segment_path(info.id), {.block_bytes = 2 * options.block_bytes});
  Rewrite rewrite(options, inputs.size(), writer);
  {
    KVASIR_TRY(const Readers readers, open_all(tenant, inputs, filesystem));
    KVASIR_CHECK_OK(rewrite.run(readers));
  }
  RewriteOutcome outcome = rewrite.outcome();
  if (inputs.size() == 1 && outcome.rows_before == outcome.rows_after) {
    outcome.written = inputs.front()->info();  // nothing to leave out: the segment stays as it is
    return outcome;
  }
  if (outcome.rows_after > 0) {
    KVASIR_TRY(const auto summary, writer.finish_file());
    info.rows = summary.rows;
    info.line_bytes = summary.line_bytes;
    info.file_bytes = summary.file_bytes;
    info.first = summary.first;
    info.last = summary.last;
    outcome.written = info;
    edit.added.push_back(info);
  }
  KVASIR_CHECK_OK(tenant.commit(edit, {}));
  return outcome;
}

std::vector<std::shared_ptr<const Segment>> choose_merge(const SegmentSet& set, const MergeRules& rules) {
  std::map<int, std::vector<std::shared_ptr<const Segment>>> tiers;
  for (const auto& segment : set.segments) {
    if (!segment->damaged()) tiers[tier_of(segment->info())].push_back(segment);
  }
  for (auto& [tier, segments] : tiers) {
    if (segments.size() < rules.segments_min) continue;
    std::sort(segments.begin(), segments.end(),
              [](const auto& a, const auto& b) { return a->info().first < b->info().first; });
    for (std::size_t begin = 0; begin < segments.size(); ++begin) {
      auto chosen = fitting(segments, begin, rules);
      if (chosen.size() < rules.segments_min) continue;
      std::uint64_t mean = 0;
      for (const auto& segment : chosen) mean = std::max(mean, mean_block_bytes(*segment));
      if (mean < rules.small_block_bytes || chosen.size() >= rules.large_block_segments_min) return chosen;
    }
  }
  return {};
}

}  // namespace kvasir::ingest
