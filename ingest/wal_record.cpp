#include "ingest/wal_record.h"

#include <algorithm>
#include <cstring>

#include "common/assert.h"
#include "common/crc32c.h"

namespace kvasir::ingest {
namespace {

constexpr std::size_t kCrcOffset = 16;
constexpr std::uint8_t kCodecPlain = 0;
constexpr std::uint8_t kHasOrigin = 1;
constexpr std::uint8_t kHasCovers = 2;   // only with an origin
constexpr std::size_t kRecentSets = 8;  // metadata sets of a stream that are compared before a new one is written
constexpr std::size_t kVarintBytesMax = 10;

Unexpected damaged(std::string_view what) {
  return fail(ErrorCode::kCorruption, "wal record: " + std::string(what));
}

char* put_varint(char* out, std::uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

std::uint64_t to_zigzag(std::uint64_t n) {
  return n << 1 ^ static_cast<std::uint64_t>(static_cast<std::int64_t>(n) >> 63);
}

/// Numbers the metadata sets of a run of entries. A set may get two numbers when it comes back after many others.
struct SetNumbers {
  explicit SetNumbers(std::span<const EntryView> entries) {
    numbers.reserve(entries.size());
    for (const auto& entry : entries) numbers.push_back(number_of(entry.metadata));
  }
  std::uint32_t number_of(std::span<const LabelView> set) {
    if (set.empty()) return 0;
    const std::size_t oldest = sets.size() > kRecentSets ? sets.size() - kRecentSets : 0;
    for (std::size_t i = sets.size(); i > oldest; --i) {
      if (std::equal(set.begin(), set.end(), sets[i - 1].begin(), sets[i - 1].end()))
        return static_cast<std::uint32_t>(i);
    }
    sets.push_back(set);
    return static_cast<std::uint32_t>(sets.size());
  }
  std::vector<std::span<const LabelView>> sets;
  std::vector<std::uint32_t> numbers;
};

}  // namespace

std::string wal_file_header() {
  std::string out(kWalMagic);
  ByteWriter writer(out);
  writer.fixed(kWalMajor);
  writer.fixed(std::uint16_t{0});
  return out;
}

void finish_wal_record(std::string& record, WalRecordType type, std::uint64_t first_sequence) {
  const std::size_t size = record.size() - kWalRecordHeaderBytes;
  KVASIR_ASSERT(size <= kWalPayloadBytesMax, "wal record is too large");
  std::string header;
  ByteWriter writer(header);
  writer.fixed(static_cast<std::uint32_t>(size));
  writer.fixed(static_cast<std::uint8_t>(type));
  writer.fixed(kCodecPlain);
  writer.fixed(std::uint16_t{0});
  writer.fixed(first_sequence);
  const auto payload = std::string_view(record).substr(kWalRecordHeaderBytes);
  writer.fixed(crc32c(payload, crc32c(header)));
  std::memcpy(record.data(), header.data(), header.size());
}

Result<std::optional<WalRecord>> next_wal_record(std::string_view& bytes) {
  ByteReader reader(bytes);
  const auto size = reader.fixed<std::uint32_t>();
  WalRecord record;
  record.type = static_cast<WalRecordType>(reader.fixed<std::uint8_t>());
  const auto codec = reader.fixed<std::uint8_t>();
  (void)reader.fixed<std::uint16_t>();
  record.first_sequence = reader.fixed<std::uint64_t>();
  const auto crc = reader.fixed<std::uint32_t>();
  record.payload = reader.raw(size);
  if (!reader.ok() || size > kWalPayloadBytesMax) return std::optional<WalRecord>();
  if (crc32c(record.payload, crc32c(bytes.substr(0, kCrcOffset))) != crc) return std::optional<WalRecord>();
  if (codec != kCodecPlain) return fail(ErrorCode::kUnsupported, "wal record: codec " + std::to_string(codec));
  if (record.type < WalRecordType::kStream || record.type > WalRecordType::kOriginMark) {
    return fail(ErrorCode::kUnsupported, "wal record: type " + std::to_string(static_cast<int>(record.type)));
  }
  bytes = reader.rest();
  return std::optional(record);
}

void append_stream_definition(std::string& out, std::uint64_t number, std::string_view tenant, const Labels& labels) {
  ByteWriter writer(out);
  writer.varint(number);
  writer.sized(tenant);
  writer.varint(labels.size());
  for (const auto& label : labels) {
    writer.sized(label.name);
    writer.sized(label.value);
  }
}

Result<StreamDefinition> read_stream_definition(std::string_view payload) {
  ByteReader reader(payload);
  StreamDefinition definition;
  definition.number = reader.varint();
  definition.tenant = reader.sized();
  std::vector<Label> pairs(reader.count(2));
  for (auto& pair : pairs) {
    pair.name = reader.sized();
    pair.value = reader.sized();
  }
  if (!reader.ok() || !reader.at_end()) return damaged("stream definition");
  definition.labels = Labels::from_unsorted(std::move(pairs));
  return definition;
}

void append_origin_mark(std::string& out, const OriginMark& mark) {
  ByteWriter writer(out);
  writer.sized(mark.tenant);
  writer.sized(mark.source);
  writer.varint(mark.end_offset);
}

Result<OriginMark> read_origin_mark(std::string_view payload) {
  ByteReader reader(payload);
  OriginMark mark;
  mark.tenant = reader.sized();
  mark.source = reader.sized();
  mark.end_offset = reader.varint();
  if (!reader.ok() || !reader.at_end()) return damaged("origin mark");
  return mark;
}

void append_batch_head(std::string& out, std::string_view tenant, const std::optional<PushOrigin>& origin,
                       std::size_t stream_count) {
  const bool covers = origin && !origin->covers.empty();
  ByteWriter writer(out);
  writer.fixed(static_cast<std::uint8_t>((origin ? kHasOrigin : 0) | (covers ? kHasCovers : 0)));
  if (origin) {
    writer.sized(origin->source);
    writer.varint(origin->begin_offset);
    writer.varint(origin->end_offset - origin->begin_offset);
  }
  if (covers) {
    writer.sized(tenant);
    writer.sized(origin->covers);
  }
  writer.varint(stream_count);
}

void append_batch_stream(std::string& out, std::uint64_t number, std::span<const EntryView> entries) {
  const SetNumbers sets(entries);
  ByteWriter writer(out);
  writer.varint(number);
  writer.varint(entries.size());
  writer.varint(sets.sets.size());
  std::size_t line_bytes = 0;
  for (const auto& entry : entries) line_bytes += entry.line.size();
  for (const auto& set : sets.sets) {
    writer.varint(set.size());
    for (const auto& label : set) {
      writer.sized(label.name);
      writer.sized(label.value);
    }
  }
  // Numbers and lines through one pointer: the string is made as large as they can get and cut afterwards.
  const std::size_t start = out.size();
  out.resize(start + entries.size() * 3 * kVarintBytesMax + line_bytes);
  char* place = out.data() + start;
  std::uint64_t before = 0;
  for (const auto& entry : entries) {
    const auto timestamp = static_cast<std::uint64_t>(entry.timestamp.value);
    place = put_varint(place, to_zigzag(timestamp - before));
    before = timestamp;
  }
  for (const auto& entry : entries) place = put_varint(place, entry.line.size());
  if (!sets.sets.empty()) {
    for (const std::uint32_t set : sets.numbers) place = put_varint(place, set);
  }
  for (const auto& entry : entries) {
    if (!entry.line.empty()) std::memcpy(place, entry.line.data(), entry.line.size());
    place += entry.line.size();
  }
  out.resize(static_cast<std::size_t>(place - out.data()));
}

Result<BatchReader> BatchReader::open(std::string_view payload) {
  BatchReader batch(payload);
  auto& reader = batch.reader_;
  const auto flags = reader.fixed<std::uint8_t>();
  if (flags > (kHasOrigin | kHasCovers) || flags == kHasCovers) return damaged("batch flags");
  if ((flags & kHasOrigin) != 0) {
    PushOrigin origin;
    origin.source = reader.sized();
    origin.begin_offset = reader.varint();
    origin.end_offset = origin.begin_offset + reader.varint();
    if ((flags & kHasCovers) != 0) {
      batch.tenant_ = reader.sized();
      origin.covers = reader.sized();
    }
    batch.origin_ = std::move(origin);
  }
  batch.streams_left_ = reader.count(5);
  if (!reader.ok()) return damaged("batch head");
  return batch;
}

Result<bool> BatchReader::next(BatchStream& stream) {
  if (streams_left_ == 0) return reader_.at_end() ? Result<bool>(false) : damaged("bytes behind a batch");
  --streams_left_;
  stream.number = reader_.varint();
  const std::uint64_t n = reader_.count(2);
  const std::uint64_t m = reader_.count(1);
  std::vector<std::size_t> ends;
  stream.labels.clear();
  for (std::uint64_t i = 0; i < m && reader_.ok(); ++i) {
    for (std::uint64_t k = reader_.count(2); k > 0; --k) {
      const auto name = reader_.sized();
      stream.labels.push_back({name, reader_.sized()});
    }
    ends.push_back(stream.labels.size());
  }
  stream.metadata.clear();
  for (std::size_t i = 0, begin = 0; i < ends.size(); begin = ends[i++]) {
    stream.metadata.push_back(std::span(stream.labels).subspan(begin, ends[i] - begin));
  }
  stream.timestamps.resize(n);
  stream.lengths.resize(n);
  stream.sets.resize(m > 0 ? n : 0);
  std::uint64_t timestamp = 0;
  for (auto& slot : stream.timestamps)
    slot = static_cast<std::int64_t>(timestamp += static_cast<std::uint64_t>(reader_.zigzag()));
  std::uint64_t line_bytes = 0;
  bool sound = n > 0;
  for (auto& length : stream.lengths) {
    const std::uint64_t value = reader_.varint();
    sound = sound && value <= kWalPayloadBytesMax;
    line_bytes += value;
    length = static_cast<std::uint32_t>(value);
  }
  for (auto& set : stream.sets) {
    const std::uint64_t value = reader_.varint();
    sound = sound && value <= m;
    set = static_cast<std::uint32_t>(value);
  }
  stream.lines = reader_.raw(sound ? line_bytes : 0);
  if (!reader_.ok() || !sound) return damaged("stream of a batch");
  return true;
}

}  // namespace kvasir::ingest
