#include "promtail-agent/client/batch.h"

#include <algorithm>

#include "common/bytes.h"

namespace kvasir::agent {

namespace {

// Field keys of the push messages: number << 3 | wire type.
constexpr char kStreamsKey = 0x0a;     // PushRequest.streams
constexpr char kLabelsKey = 0x0a;      // Stream.labels
constexpr char kEntriesKey = 0x12;     // Stream.entries
constexpr char kTimestampKey = 0x0a;   // Entry.timestamp
constexpr char kLineKey = 0x12;        // Entry.line
constexpr char kMetadataKey = 0x1a;    // Entry.structuredMetadata
constexpr char kSecondsKey = 0x08;
constexpr char kNanosKey = 0x10;
constexpr char kPairNameKey = 0x0a;
constexpr char kPairValueKey = 0x12;

std::uint64_t varint_size(std::uint64_t value) {
  std::uint64_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

std::uint64_t sized_size(std::uint64_t length) { return 1 + varint_size(length) + length; }

std::uint64_t pair_size(const LabelView& pair) { return sized_size(pair.name.size()) + sized_size(pair.value.size()); }

void put_sized(std::string& out, char key, std::string_view bytes) {
  ByteWriter writer(out);
  out += key;
  writer.varint(bytes.size());
  out.append(bytes);
}

void put_entry(std::string& out, TimestampNs timestamp, std::string_view line, std::span<const LabelView> metadata) {
  std::int64_t seconds = timestamp.value / 1'000'000'000;
  std::int64_t nanos = timestamp.value % 1'000'000'000;
  if (nanos < 0) nanos += 1'000'000'000, --seconds;
  const auto second_bits = static_cast<std::uint64_t>(seconds);
  const auto nano_bits = static_cast<std::uint64_t>(nanos);
  const std::uint64_t stamp_size =
      (seconds != 0 ? 1 + varint_size(second_bits) : 0) + (nanos != 0 ? 1 + varint_size(nano_bits) : 0);
  std::uint64_t size = sized_size(stamp_size) + sized_size(line.size());
  for (const LabelView& pair : metadata) size += sized_size(pair_size(pair));
  ByteWriter writer(out);
  out += kEntriesKey;
  writer.varint(size);
  out += kTimestampKey;
  writer.varint(stamp_size);
  if (seconds != 0) out += kSecondsKey, writer.varint(second_bits);
  if (nanos != 0) out += kNanosKey, writer.varint(nano_bits);
  put_sized(out, kLineKey, line);
  for (const LabelView& pair : metadata) {
    out += kMetadataKey;
    writer.varint(pair_size(pair));
    put_sized(out, kPairNameKey, pair.name);
    put_sized(out, kPairValueKey, pair.value);
  }
}

/// One length-delimited field of a message; the agent's own encodings hold no others here.
bool next_field(ByteReader& reader, char& key, std::string_view& bytes) {
  const std::string_view head = reader.raw(1);
  if (head.empty()) return false;
  key = head[0];
  bytes = reader.sized();
  return reader.ok();
}

struct StreamView {
  std::string_view labels;
  std::vector<std::string_view> entries;
};

constexpr char kCoversKey = ingest::kCoversField << 3 | 2;
static_assert(ingest::kCoversField < 16, "keys are one byte here");

bool read_streams(std::string_view request, std::vector<StreamView>& streams, std::size_t& entries) {
  ByteReader reader(request);
  char key = 0;
  std::string_view bytes;
  while (!reader.at_end()) {
    if (!next_field(reader, key, bytes) || key != kStreamsKey) return false;
    StreamView stream;
    ByteReader inner(bytes);
    std::string_view field;
    while (!inner.at_end()) {
      if (!next_field(inner, key, field)) return false;
      if (key == kLabelsKey) stream.labels = field;
      if (key == kEntriesKey) stream.entries.push_back(field);
    }
    entries += stream.entries.size();
    streams.push_back(std::move(stream));
  }
  return true;
}

void put_stream(std::string& out, std::string_view labels, std::span<const std::string_view> entries) {
  std::string body;
  put_sized(body, kLabelsKey, labels);
  for (const std::string_view entry : entries) put_sized(body, kEntriesKey, entry);
  put_sized(out, kStreamsKey, body);
}

}  // namespace

std::uint64_t entry_size(std::string_view line, std::span<const LabelView> metadata) {
  std::uint64_t size = line.size();
  for (const LabelView& pair : metadata) size += pair_size(pair);
  return size;
}

/// nullptr for sources without a position.
SourceHolds::Hold* SourceHolds::hold_of(const SourceRange& range, const ProgressTable& table) {
  if (range.source == 0) return nullptr;
  if (last_ == nullptr || range.source != last_id_) {
    auto found = holds_.find(range.source);
    if (found == holds_.end()) {
      const ProgressPtr progress = table.find(range.source);
      if (progress == nullptr) return nullptr;
      progress->open(range.begin);
      found = holds_.emplace(range.source, Hold{progress, range.begin, range.end, 0, {}, {}}).first;
    }
    last_ = &found->second;
    last_id_ = range.source;
  }
  last_->end = std::max(last_->end, range.end);
  if (range.begin >= last_->begin) return last_;
  last_->progress->open(range.begin);
  last_->progress->settle(last_->begin);
  last_->begin = range.begin;
  return last_;
}

void SourceHolds::add(const SourceRange& range, const ProgressTable& table) {
  Hold* const hold = hold_of(range, table);
  if (hold == nullptr || !hold->progress->is_file()) return;
  ++hold->entries;
  hold->stored.add({range.begin, range.end});
}

void SourceHolds::leave_out(const SourceRange& range, std::string_view reason, const ProgressTable& table) {
  const ProgressPtr progress = table.find(range.source);
  if (progress == nullptr || !progress->is_file()) return;
  auto& all = hold_of(range, table)->left_out;
  auto left = std::find_if(all.begin(), all.end(), [&](const auto& known) { return known.reason == reason; });
  if (left == all.end() && all.size() + 1 >= ingest::kCoverReasonsMax) reason = "other";
  if (left == all.end()) left = all.insert(left, {std::string(reason), 0, {}});
  ++left->lines;
  left->ranges.add({range.begin, range.end});
}

std::vector<ingest::FileCover> SourceHolds::take_covers(const std::string& agent) {
  std::vector<ingest::FileCover> covers;
  for (auto& [id, hold] : holds_) {
    auto identity = hold.progress->identity();
    if (!identity || (hold.stored.empty() && hold.left_out.empty())) continue;
    covers.push_back({agent + "/" + hold.progress->key(), std::move(*identity), hold.entries,
                      std::exchange(hold.stored, {}), std::exchange(hold.left_out, {})});
  }
  return covers;
}

void SourceHolds::settle() {
  for (auto& [id, hold] : holds_) hold.progress->settle(hold.begin);
  holds_.clear();
  last_ = nullptr;
}

std::vector<std::pair<std::string, std::uint64_t>> SourceHolds::after_settling(bool sole) const {
  std::vector<std::pair<std::string, std::uint64_t>> result;
  for (const auto& [id, hold] : holds_) {
    result.emplace_back(hold.progress->key(), hold.progress->committable_without(hold.begin, sole ? hold.end : 0));
  }
  return result;
}

void Batch::add(const std::string& stream, const Entry& entry, std::string_view line) {
  if (last_stream_ >= streams_.size() || *streams_[last_stream_].labels != stream) {
    const auto [it, fresh] = index_.try_emplace(stream, streams_.size());
    if (fresh) streams_.push_back({&it->first, {}});
    last_stream_ = it->second;
  }
  put_entry(streams_[last_stream_].entries, entry.timestamp(), line, entry.metadata());
  bytes_ += entry_size(line, entry.metadata());
  ++entries_;
}

std::string Batch::encode() const {
  std::uint64_t total = 0;
  for (const Stream& stream : streams_) {
    total += sized_size(sized_size(stream.labels->size()) + stream.entries.size());
  }
  std::string out;
  out.reserve(total);
  ByteWriter writer(out);
  for (const Stream& stream : streams_) {
    out += kStreamsKey;
    writer.varint(sized_size(stream.labels->size()) + stream.entries.size());
    put_sized(out, kLabelsKey, *stream.labels);
    out += stream.entries;
  }
  return out;
}

std::string take_covers(std::string& request) {
  ByteReader reader(request);
  char key = 0;
  std::string_view bytes;
  for (std::size_t at = 0; !reader.at_end(); at = request.size() - reader.remaining()) {
    if (!next_field(reader, key, bytes)) return {};
    if (key != kCoversKey) continue;
    std::string covers = request.substr(at);  // nothing else follows
    request.resize(at);
    return covers;
  }
  return {};
}

std::vector<std::string> split_push_request(std::string_view whole) {
  std::string request(whole);
  const std::string covers = take_covers(request);
  std::vector<StreamView> streams;
  std::size_t entries = 0;
  if (!read_streams(request, streams, entries) || entries < 2) return {};
  std::vector<std::string> halves(2);
  std::size_t left = entries / 2;
  for (const StreamView& stream : streams) {
    const std::size_t first = std::min(left, stream.entries.size());
    const std::span<const std::string_view> all(stream.entries);
    if (first > 0) put_stream(halves[0], stream.labels, all.first(first));
    if (first < all.size()) put_stream(halves[1], stream.labels, all.subspan(first));
    left -= first;
  }
  halves[1] += covers;
  return halves;
}

}  // namespace kvasir::agent
