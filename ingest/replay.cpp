#include "ingest/replay.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <unordered_map>

#include "common/log.h"
#include "ingest/ledger.h"

namespace kvasir::ingest {
namespace {

struct Stream {
  TenantHead* head = nullptr;
  StreamSlot* slot = nullptr;
};

/// Rows beyond StreamSlot::flushed_sequence that are in segments all the same: their sequences, ascending.
using StoredRows = std::unordered_map<const StreamSlot*, std::vector<std::uint64_t>>;

constexpr Duration kProgressInterval = std::chrono::seconds(2);

/// `lines` are those of the rows from `begin` up to `end`.
BatchStream part_of(const BatchStream& rows, std::size_t begin, std::size_t end, std::string_view lines) {
  const auto cut = [&](const auto& from) {
    return from.empty() ? from : std::decay_t<decltype(from)>(from.begin() + begin, from.begin() + end);
  };
  BatchStream part;
  part.number = rows.number;
  part.timestamps = cut(rows.timestamps);
  part.lengths = cut(rows.lengths);
  part.sets = cut(rows.sets);
  part.metadata = rows.metadata;
  part.lines = lines;
  return part;
}

class Replay {
 public:
  Replay(Filesystem& filesystem, const Clock& clock, const ReplayTarget& target, const StoredRows& stored,
         std::uint64_t bytes_in_all)
      : filesystem_(filesystem), clock_(clock), target_(target), stored_(stored), bytes_in_all_(bytes_in_all) {}

  Result<void> read_file(const Path& path, std::uint64_t number) {
    KVASIR_TRY(const auto file, filesystem_.open_random(path));
    KVASIR_TRY(auto bytes, file->view(0, file->size()));
    WalOldFile kept{number, bytes.size(), outcome_.start.next_sequence - 1};
    const bool empty = bytes.substr(0, kWalFileHeaderBytes).find_first_not_of('\0') == std::string_view::npos;
    if (bytes.size() >= kWalFileHeaderBytes && !empty) {
      KVASIR_CHECK_OK(check_header(path, bytes));
      bytes.remove_prefix(kWalFileHeaderBytes);
      KVASIR_CHECK_OK(read_records(path, bytes));
      kept.last_sequence = outcome_.start.next_sequence - 1;
    }
    outcome_.start.files.push_back(kept);
    outcome_.start.next_file = number + 1;
    bytes_done_ += file->size();
    tell_progress(0);
    return {};
  }

  ReplayOutcome finish() {
    for (const auto& [key, end] : origins_) outcome_.start.origins.push_back({key.first, key.second, end});
    return std::move(outcome_);
  }

 private:
  static Result<void> check_header(const Path& path, std::string_view bytes) {
    ByteReader reader(bytes);
    if (reader.raw(kWalMagic.size()) != kWalMagic)
      return fail(ErrorCode::kCorruption, path + ": not a write-ahead log");
    const auto major = reader.fixed<std::uint16_t>();
    if (major != kWalMajor) return fail(ErrorCode::kUnsupported, path + ": version " + std::to_string(major));
    return {};
  }

  Result<void> read_records(const Path& path, std::string_view bytes) {
    streams_.clear();
    const std::size_t size = bytes.size();
    while (!bytes.empty()) {
      KVASIR_TRY(const auto record, next_wal_record(bytes));
      if (!record) {
        ++outcome_.damaged_files;
        log::warn("wal", "record is torn or damaged; what follows it in this file is not read",
                  {{"path", path},
                   {"offset", std::to_string(kWalFileHeaderBytes + size - bytes.size())},
                   {"bytes", std::to_string(bytes.size())}});
        return {};
      }
      auto taken = take(*record);
      if (!taken) return fail(taken.error().with_context(path));
      tell_progress(size - bytes.size());
    }
    return {};
  }

  void tell_progress(std::uint64_t bytes_of_file) {
    const std::uint64_t done = bytes_done_ + bytes_of_file;
    const auto percent = std::min(100u, static_cast<unsigned>(done * 100 / std::max<std::uint64_t>(bytes_in_all_, 1)));
    if (target_.on_progress && percent > percent_told_) target_.on_progress(percent_told_ = percent);
    if (clock_.steady() < next_progress_) return;
    next_progress_ = clock_.steady() + kProgressInterval;
    log::info("ingest", "replaying the write-ahead log",
              {{"percent", std::to_string(percent)},
               {"bytes", std::to_string(done)},
               {"bytes_in_all", std::to_string(bytes_in_all_)},
               {"entries", std::to_string(outcome_.entries)}});
  }

  Result<void> take(const WalRecord& record) {
    switch (record.type) {
      case WalRecordType::kStream: return take_stream(record.payload);
      case WalRecordType::kBatch: return take_batch(record);
      case WalRecordType::kOriginMark: break;
    }
    KVASIR_TRY(const auto mark, read_origin_mark(record.payload));
    auto& end = origins_[{mark.tenant, mark.source}];
    end = std::max(end, mark.end_offset);
    return {};
  }

  Result<void> take_stream(std::string_view payload) {
    KVASIR_TRY(auto definition, read_stream_definition(payload));
    auto identity = std::make_shared<StreamIdentity>();
    identity->labels = std::move(definition.labels);
    identity->fingerprint = identity->labels.fingerprint();
    identity->text = identity->labels.to_string();
    TenantHead& head = target_.head(definition.tenant);
    streams_[definition.number] = {&head, head.find_or_add(identity, 0)};
    return {};
  }

  Result<void> take_batch(const WalRecord& record) {
    KVASIR_TRY(auto reader, BatchReader::open(record.payload));
    std::uint64_t sequence = record.first_sequence;
    std::optional<bool> repeated;
    if (!reader.origin()) repeated = false;
    else if (!reader.tenant().empty()) repeated = is_repeated(reader.tenant(), *reader.origin());
    for (;;) {
      KVASIR_TRY(const bool more, reader.next(rows_));
      if (!more) break;
      const auto stream = streams_.find(rows_.number);
      if (stream == streams_.end()) return fail(ErrorCode::kCorruption, "batch names a stream that is not defined");
      if (!repeated) repeated = is_repeated(stream->second.head->storage().tenant(), *reader.origin());
      if (!*repeated) apply(stream->second, sequence);
      sequence += rows_.size();
    }
    outcome_.start.next_sequence =
        std::max(outcome_.start.next_sequence, std::max(sequence, record.first_sequence + 1));
    const bool covers = reader.origin() && !reader.origin()->covers.empty() && !repeated.value_or(true);
    if (covers && target_.ledger != nullptr)
      target_.ledger->add(reader.tenant(), reader.origin()->covers, record.first_sequence);
    return {};
  }

  bool is_repeated(const std::string& tenant, const PushOrigin& origin) {
    auto& end = origins_[{tenant, origin.source}];
    const bool repeated = origin.end_offset <= end;
    end = std::max(end, origin.end_offset);
    return repeated;
  }

  void apply(const Stream& stream, std::uint64_t sequence) {
    const auto stored = stored_.find(stream.slot);
    if (stored == stored_.end()) return apply(stream, rows_, sequence);
    const auto is_stored = [&](std::size_t row) {
      return std::binary_search(stored->second.begin(), stored->second.end(), sequence + row);
    };
    std::size_t offset = 0;
    for (std::size_t begin = 0, end; begin < rows_.size(); begin = end) {
      std::size_t bytes = rows_.lengths[begin];
      const bool skipped = is_stored(begin);
      for (end = begin + 1; end < rows_.size() && is_stored(end) == skipped; ++end) bytes += rows_.lengths[end];
      if (skipped) outcome_.flushed += end - begin;
      else apply(stream, part_of(rows_, begin, end, rows_.lines.substr(offset, bytes)), sequence + begin);
      offset += bytes;
    }
  }

  void apply(const Stream& stream, const BatchStream& rows, std::uint64_t sequence) {
    std::uint64_t bytes = rows.lines.size();
    for (const std::uint32_t set : rows.sets) {
      if (set == 0) continue;
      for (const auto& label : rows.metadata[set - 1]) bytes += label.name.size() + label.value.size();
    }
    const bool all_flushed = sequence + rows.size() - 1 <= stream.slot->flushed_sequence;
    const bool charged = !all_flushed && target_.charge(head_charge(rows.size(), bytes));
    const auto applied = stream.head->apply(*stream.slot, rows, sequence, clock_.steady(), charged, nullptr);
    outcome_.entries += applied.rows;
    outcome_.flushed += applied.flushed;
  }

  Filesystem& filesystem_;
  const Clock& clock_;
  const ReplayTarget& target_;
  const StoredRows& stored_;
  const std::uint64_t bytes_in_all_;
  std::uint64_t bytes_done_ = 0;   // of whole files
  unsigned percent_told_ = 0;
  Duration next_progress_ = clock_.steady() + kProgressInterval;
  ReplayOutcome outcome_;
  std::unordered_map<std::uint64_t, Stream> streams_;   // of the current file
  std::map<std::pair<std::string, std::string>, std::uint64_t> origins_;
  BatchStream rows_;
};

/// The first sequence of the log, or an empty optional if it holds no batch.
Result<std::optional<std::uint64_t>> first_sequence(Filesystem& filesystem, const Path& path) {
  KVASIR_TRY(const auto file, filesystem.open_random(path));
  KVASIR_TRY(auto bytes, file->view(0, file->size()));
  if (bytes.size() < kWalFileHeaderBytes) return std::optional<std::uint64_t>();
  bytes.remove_prefix(kWalFileHeaderBytes);
  for (;;) {
    KVASIR_TRY(const auto record, next_wal_record(bytes));
    if (!record) return std::optional<std::uint64_t>();
    if (record->type == WalRecordType::kBatch) return std::optional(record->first_sequence);
  }
}

/// The sequences of each stream of the segment, in the segment's order of streams.
using Sequences = std::vector<std::vector<std::uint64_t>>;

Result<Sequences> sequences_of(const chunks::SegmentReader& reader) {
  Sequences all(reader.streams().size());
  for (std::size_t i = 0; i < reader.blocks().size(); ++i) {
    KVASIR_TRY(const auto block, reader.open_block(i));
    KVASIR_TRY(const auto sequences, block->sequences());
    auto& stream = all[reader.blocks()[i].stream];
    stream.insert(stream.end(), sequences.begin(), sequences.end());
  }
  return all;
}

/// What the segments of one tenant hold of the log's rows, which begin at `wal_begin`.
class FlushedRows {
 public:
  FlushedRows(TenantHead& head, std::uint64_t wal_begin) : head_(head), wal_begin_(wal_begin) {}

  /// Rows from this one on may be in a segment that cannot be read.
  void lose_from(std::uint64_t sequence) { lost_from_ = std::min(lost_from_, sequence); }

  /// A damaged segment is noted, and its rows are taken for lost.
  Result<void> add(const Segment& segment) {
    const auto reader = segment.reader();
    auto sequences = reader ? sequences_of(**reader) : Result<Sequences>(fail(reader.error()));
    if (!sequences) {
      const Error error = segment.note_damage(sequences.error());
      if (!segment.damaged()) return fail(error);
      lose_from(segment.info().first_sequence);
      return {};
    }
    for (std::size_t i = 0; i < sequences->size(); ++i) {
      const auto& labels = (*reader)->streams()[i].labels;
      auto identity =
          std::make_shared<const StreamIdentity>(StreamIdentity{labels, labels.fingerprint(), labels.to_string()});
      auto& rows = rows_[head_.find_or_add(identity, 0)];
      std::copy_if((*sequences)[i].begin(), (*sequences)[i].end(), std::back_inserter(rows),
                   [this](std::uint64_t sequence) { return sequence >= wal_begin_; });
    }
    return {};
  }

  /// Up to the first lost row one number tells what is stored of a stream, from there on each row has to be named.
  void tell(StoredRows& stored) {
    for (auto& [slot, rows] : rows_) {
      std::sort(rows.begin(), rows.end());
      if (rows.empty()) continue;
      const auto named = std::lower_bound(rows.begin(), rows.end(), lost_from_);
      if (named != rows.begin()) head_.set_flushed_sequence(*slot, named[-1]);
      if (named != rows.end()) stored[slot].assign(named, rows.end());
    }
  }

 private:
  TenantHead& head_;
  const std::uint64_t wal_begin_;
  std::unordered_map<StreamSlot*, std::vector<std::uint64_t>> rows_;
  std::uint64_t lost_from_ = UINT64_MAX;
};

/// Tells the head what is in segments already, for segments with a row that may still be in the log. What the log still
/// has of a segment that cannot be read comes back from there.
Result<StoredRows> load_flushed(Storage& storage, const ReplayTarget& target, std::uint64_t wal_begin) {
  StoredRows stored;
  for (TenantStorage* tenant : storage.tenants()) {
    FlushedRows flushed(target.head(tenant->tenant()), wal_begin);
    const auto segments = tenant->segments();
    if (tenant->made_anew()) flushed.lose_from(wal_begin);
    for (const auto& segment : segments->unreadable) {
      if (segment.info.last_sequence >= wal_begin) flushed.lose_from(segment.info.first_sequence);
    }
    for (const auto& segment : segments->segments) {
      if (segment->info().last_sequence >= wal_begin) KVASIR_CHECK_OK(flushed.add(*segment));
    }
    flushed.tell(stored);
  }
  return stored;
}

}  // namespace

Result<ReplayOutcome> replay_wal(const Path& directory, Filesystem& filesystem, const Clock& clock, Storage& storage,
                                 const ReplayTarget& target) {
  KVASIR_CHECK_OK(filesystem.make_directories(directory));
  KVASIR_TRY(const auto numbers, list_wal_files(filesystem, directory));
  std::optional<std::uint64_t> begin;
  for (std::size_t i = 0; i < numbers.size() && !begin; ++i) {
    KVASIR_TRY(begin, first_sequence(filesystem, wal_file_path(directory, numbers[i])));
  }
  StoredRows stored;
  if (begin) {
    KVASIR_TRY(stored, load_flushed(storage, target, *begin));
  }
  std::uint64_t bytes_in_all = 0;
  for (const std::uint64_t number : numbers) {
    KVASIR_TRY(const auto status, filesystem.status(wal_file_path(directory, number)));
    if (status) bytes_in_all += status->size;
  }
  Replay replay(filesystem, clock, target, stored, bytes_in_all);
  for (const std::uint64_t number : numbers) {
    KVASIR_CHECK_OK(replay.read_file(wal_file_path(directory, number), number));
    if (target.after_file) KVASIR_CHECK_OK(target.after_file());
  }
  ReplayOutcome outcome = replay.finish();
  outcome.start.next_sequence = std::max(outcome.start.next_sequence, storage.sequence_floor());
  if (target.ledger != nullptr)
    outcome.start.next_sequence = std::max(outcome.start.next_sequence, target.ledger->covered_below());
  return outcome;
}

}  // namespace kvasir::ingest
