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

/// Blocks of each stream, streams by their text so that alike ones stand together, blocks by time.
std::map<std::string, StreamSources> collect(const Readers& readers) {
  std::map<std::string, StreamSources> streams;
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

class Rewrite {
 public:
  explicit Rewrite(const RewriteOptions& options)
      : options_(options), writer_(chunks::SegmentWriterOptions{.block_bytes = 2 * options.block_bytes}) {}

  Result<void> add_stream(const StreamSources& stream) {
    for (std::size_t begin = 0; begin < stream.blocks.size();) {
      std::size_t end = begin + 1;
      TimestampNs reach = stream.blocks[begin].last;
      while (end < stream.blocks.size() && stream.blocks[end].first <= reach) {
        reach = std::max(reach, stream.blocks[end++].last);
      }
      KVASIR_CHECK_OK(add_overlapping(*stream.labels, std::span(stream.blocks).subspan(begin, end - begin)));
      begin = end;
      if (gathered_bytes_ >= 2 * std::uint64_t{options_.block_bytes}) KVASIR_CHECK_OK(hand_over(*stream.labels));
    }
    return hand_over(*stream.labels);
  }

  chunks::SegmentWriter& writer() { return writer_; }
  std::uint64_t rows_before() const { return rows_before_; }
  std::uint64_t rows_after() const { return rows_after_; }
  std::uint64_t first_sequence() const { return first_sequence_; }
  std::uint64_t last_sequence() const { return last_sequence_; }

 private:
  Result<void> add_overlapping(const Labels& labels, std::span<const Source> sources) {
    if (options_.stop && options_.stop()) return fail(ErrorCode::kCancelled, "rewrite of segments stopped");
    std::vector<EntryView> rows;
    for (const auto& source : sources) {
      KVASIR_TRY(auto block, source.reader->open_block(source.block));
      KVASIR_CHECK_OK(read_rows(labels, *block, rows));
      gathered_blocks_.push_back(std::move(block));
    }
    if (sources.size() > 1) order_rows(rows);
    rows_after_ += rows.size();
    for (const auto& row : rows) {
      first_sequence_ = std::min(first_sequence_, row.sequence);
      last_sequence_ = std::max(last_sequence_, row.sequence);
      gathered_bytes_ += row.line.size();
    }
    gathered_.insert(gathered_.end(), rows.begin(), rows.end());
    std::uint64_t bytes = 0;
    for (const auto& source : sources) bytes += source.reader->blocks()[source.block].line_bytes;
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
    std::vector<std::uint64_t> words((n + 63) / 64, UINT64_MAX);
    if (n % 64 != 0) words.back() = (std::uint64_t{1} << n % 64) - 1;
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
  chunks::SegmentWriter writer_;
  std::vector<EntryView> gathered_;   // of one stream, not yet handed to the writer
  std::vector<std::unique_ptr<chunks::Block>> gathered_blocks_;   // own what the rows point into
  std::uint64_t gathered_bytes_ = 0;
  std::uint64_t rows_before_ = 0;
  std::uint64_t rows_after_ = 0;
  std::uint64_t first_sequence_ = UINT64_MAX;
  std::uint64_t last_sequence_ = 0;
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
  for (std::size_t i = begin; i < tier.size(); ++i) {
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

}  // namespace

Result<RewriteOutcome> rewrite_segments(TenantStorage& tenant, std::span<const std::shared_ptr<const Segment>> inputs,
                                        Filesystem& filesystem, const RewriteOptions& options) {
  Readers readers;
  ManifestEdit edit = options.also;
  std::uint32_t merges = 0;
  for (const auto& segment : inputs) {
    KVASIR_TRY(auto reader, segment->reader());
    readers.push_back(std::move(reader));
    edit.removed.push_back(segment->info().id);
    merges = std::max(merges, segment->info().merges + 1);
  }
  Rewrite rewrite(options);
  for (const auto& [text, stream] : collect(readers)) KVASIR_CHECK_OK(rewrite.add_stream(stream));
  RewriteOutcome outcome{std::nullopt, rewrite.rows_before(), rewrite.rows_after()};
  if (inputs.size() == 1 && outcome.rows_before == outcome.rows_after) {
    outcome.written = inputs.front()->info();  // nothing to leave out: the segment stays as it is
    return outcome;
  }
  if (rewrite.rows_after() > 0) {
    const std::uint64_t id = tenant.next_segment_id();
    KVASIR_TRY(const auto summary, rewrite.writer().finish_file(filesystem, tenant.segment_path(id)));
    outcome.written = SegmentInfo{.id = id, .rows = summary.rows, .line_bytes = summary.line_bytes,
                                  .file_bytes = summary.file_bytes, .first = summary.first, .last = summary.last,
                                  .first_sequence = rewrite.first_sequence(), .last_sequence = rewrite.last_sequence(),
                                  .merges = merges};
    edit.added.push_back(*outcome.written);
  }
  KVASIR_CHECK_OK(tenant.commit(edit, {}));
  return outcome;
}

std::vector<std::shared_ptr<const Segment>> choose_merge(const SegmentSet& set, const MergeRules& rules) {
  std::map<int, std::vector<std::shared_ptr<const Segment>>> tiers;
  for (const auto& segment : set.segments) tiers[tier_of(segment->info())].push_back(segment);
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
