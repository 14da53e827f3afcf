#include "ingest/wal_record.h"

#include <doctest/doctest.h>

#include <random>

namespace kvasir::ingest {
namespace {

std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

EntryView entry(std::int64_t t, std::string_view line, std::span<const LabelView> metadata = {}) {
  return {{t}, 0, line, metadata};
}

std::string batch_record(std::uint64_t sequence, std::span<const EntryView> entries) {
  std::string record;
  reserve_wal_header(record);
  append_batch_head(record, "t", std::nullopt, 1);
  append_batch_stream(record, 1, entries);
  finish_wal_record(record, WalRecordType::kBatch, sequence);
  return record;
}

/// A file with two whole records.
std::string two_records() {
  std::string definition;
  reserve_wal_header(definition);
  append_stream_definition(definition, 1, "t", Labels{{"a", "b"}});
  finish_wal_record(definition, WalRecordType::kStream, 0);
  return definition + batch_record(5, std::vector{entry(1000, "hi")});
}

std::size_t readable_records(std::string_view bytes) {
  std::size_t n = 0;
  for (;; ++n) {
    const auto record = next_wal_record(bytes);
    if (!record || !*record) return n;
  }
}

}  // namespace

TEST_CASE("the example of the format page") {
  const std::string bytes = wal_file_header() + two_records();
  const std::string text = hex(bytes);
  CHECK(text.substr(0, 16) == "4b56574c01000000");
  CHECK(text.substr(16, 32) == "08000000010000000000000000000000");
  CHECK(text.substr(16 + 40, 16) == "0101740101610162");
  CHECK(text.substr(72, 32) == "0a000000020000000500000000000000");
  CHECK(text.substr(72 + 40) == "00010101" "00d00f026869");
  std::string_view rest = std::string_view(bytes).substr(kWalFileHeaderBytes);
  const auto stream = next_wal_record(rest).value().value();
  const auto definition = read_stream_definition(stream.payload).value();
  CHECK(definition.number == 1);
  CHECK(definition.tenant == "t");
  CHECK(definition.labels == Labels{{"a", "b"}});
  const auto batch = next_wal_record(rest).value().value();
  CHECK(batch.first_sequence == 5);
  auto reader = BatchReader::open(batch.payload).value();
  BatchStream rows;
  REQUIRE(reader.next(rows).value());
  CHECK(rows.timestamps == std::vector<std::int64_t>{1000});
  CHECK(rows.lines == "hi");
  CHECK_FALSE(reader.next(rows).value());
  CHECK(rest.empty());
}

TEST_CASE("batches come back as they were") {
  const std::vector<LabelView> info{{"detected_level", "info"}};
  const std::vector<LabelView> traced{{"detected_level", "warn"}, {"trace_id", std::string_view("\0\xff", 2)}};
  const std::string long_line(100'000, 'x');
  const std::vector<EntryView> entries{
      entry(INT64_MIN, "", info),   entry(INT64_MAX, "b", traced), entry(0, long_line),
      entry(-1, "a\nb\r\0", info),  entry(7, "x", traced),         entry(7, "\xff\xfe", info),
  };
  std::string record;
  reserve_wal_header(record);
  append_batch_head(record, "t", PushOrigin{"file", 10, 25, "covers"}, 2);
  append_batch_stream(record, 300, entries);
  append_batch_stream(record, 1, std::vector{entry(3, "plain")});
  finish_wal_record(record, WalRecordType::kBatch, 99);
  std::string_view rest = record;
  const auto batch = next_wal_record(rest).value().value();
  auto reader = BatchReader::open(batch.payload).value();
  CHECK(reader.origin()->source == "file");
  CHECK(reader.origin()->end_offset == 25);
  CHECK(reader.origin()->covers == "covers");
  CHECK(reader.tenant() == "t");
  BatchStream rows;
  REQUIRE(reader.next(rows).value());
  CHECK(rows.number == 300);
  REQUIRE(rows.size() == entries.size());
  std::size_t offset = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows.timestamps[i] == entries[i].timestamp.value);
    CHECK(rows.lines.substr(offset, rows.lengths[i]) == entries[i].line);
    offset += rows.lengths[i];
    const auto set = rows.sets[i] == 0 ? std::span<const LabelView>() : rows.metadata[rows.sets[i] - 1];
    CHECK(std::equal(set.begin(), set.end(), entries[i].metadata.begin(), entries[i].metadata.end()));
  }
  REQUIRE(reader.next(rows).value());
  CHECK(rows.sets.empty());
  CHECK(rows.lines == "plain");
  CHECK_FALSE(reader.next(rows).value());
}

TEST_CASE("more metadata sets than are compared") {
  std::vector<std::string> ids;
  for (int i = 0; i < 100; ++i) ids.push_back(std::to_string(i % 20));
  std::vector<std::vector<LabelView>> sets;
  for (const auto& id : ids) sets.push_back({{"id", id}});
  std::vector<EntryView> entries;
  for (const auto& set : sets) entries.push_back(entry(1, "l", set));
  const std::string record = batch_record(1, entries);
  std::string_view rest = record;
  auto reader = BatchReader::open(next_wal_record(rest).value()->payload).value();
  BatchStream rows;
  REQUIRE(reader.next(rows).value());
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(rows.metadata[rows.sets[i] - 1][0].value == ids[i]);
}

TEST_CASE("a record that is cut anywhere, or has any bit changed, is not read") {
  const std::string whole = two_records();
  CHECK(readable_records(whole) == 2);
  const std::size_t first = 28;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK(readable_records(std::string_view(whole).substr(0, size)) == (size < first ? 0 : 1));
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    CHECK(readable_records(damaged) == (bit / 8 < first ? 0 : 1));
  }
}

TEST_CASE("a record of a newer kind is refused, not skipped") {
  std::string record;
  reserve_wal_header(record);
  record += "x";
  finish_wal_record(record, static_cast<WalRecordType>(9), 0);
  std::string_view rest = record;
  CHECK(next_wal_record(rest).error().code() == ErrorCode::kUnsupported);
}

TEST_CASE("payloads with broken counts are corruption") {
  BatchStream rows;
  for (const std::string_view payload : {
           std::string_view("\x02\x01", 2),                              // unknown flag
           std::string_view("\x00\xff\xff\xff\x7f", 5),                  // more streams than bytes
           std::string_view("\x00\x01\x01\x00\x00", 5),                  // a stream without entries
           std::string_view("\x00\x01\x01\x05\x00\x00\x01", 7),          // fewer entries than said
           std::string_view("\x00\x01\x01\x01\x00\x00\x09xx", 9),        // line longer than the rest
           std::string_view("\x00\x01\x01\x01\x01\x01\x01k\x01v\x00\x01\x02x", 14),  // set 2 of 1
           std::string_view("\x00\x01\x01\x01\x00\x00\x01xy", 9),        // bytes behind the batch
           std::string_view("\x01\x05" "ab", 4),                         // origin cut short
       }) {
    auto reader = BatchReader::open(payload);
    Result<bool> more = true;
    while (reader && more && *more) more = reader->next(rows);
    CHECK((!reader || !more));
  }
  CHECK_FALSE(read_stream_definition(std::string_view("\x01\x01t\x05\x01", 5)));
  CHECK_FALSE(read_origin_mark(std::string_view("\x01t\x09", 3)));
}

}  // namespace kvasir::ingest
