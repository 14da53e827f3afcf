#include "promtail-agent/client/batch.h"

#include <doctest/doctest.h>

#include "ingest/wire/push_protobuf.h"

namespace kvasir::agent {

namespace {

void add(Batch& batch, const std::string& stream, std::int64_t ns, std::string_view line, LabelView metadata = {}) {
  Entry entry;
  entry.begin(make_label_set({}), TimestampNs{ns}, line);
  if (!metadata.name.empty()) entry.set_metadata(metadata.name, metadata.value);
  batch.add(stream, entry, line);
}

std::string shown(std::string body) {
  auto push = std::make_unique<ingest::DecodedPush>();
  push->body = std::move(body);
  REQUIRE(ingest::decode_push_protobuf(*push));
  std::string out;
  for (const auto& stream : push->streams) {
    out += std::string(stream.labels) + "[";
    for (const auto& entry : push->entries_of(stream)) {
      out += std::to_string(entry.timestamp.value) + "=" + std::string(entry.line);
      for (const auto& pair : push->metadata_of(entry))
        out += "(" + std::string(pair.name) + ":" + std::string(pair.value) + ")";
      out += ",";
    }
    out += "]";
  }
  return out;
}

}  // namespace

TEST_CASE("what a batch encodes is what a server decodes") {
  Batch batch(Duration(0));
  add(batch, "{a=\"1\"}", 1'500'000'000'000'000'001, "one");
  add(batch, "{a=\"2\"}", 0, "");
  add(batch, "{a=\"1\"}", -1, std::string_view("\0\xff", 2), {"k", "v"});
  CHECK(batch.entries() == 3);
  CHECK(batch.bytes() == 3 + 0 + 2 + 6);
  CHECK(shown(batch.encode()) ==
        std::string("{a=\"1\"}[1500000000000000001=one,-1=") + std::string("\0\xff", 2) + "(k:v),]{a=\"2\"}[0=,]");
}

TEST_CASE("a push that is too large is cut between entries") {
  Batch batch(Duration(0));
  add(batch, "{a=\"1\"}", 1, "x");
  add(batch, "{a=\"2\"}", 2, "y");
  add(batch, "{a=\"1\"}", 3, "z");
  const auto halves = split_push_request(batch.encode());
  REQUIRE(halves.size() == 2);
  CHECK(shown(halves[0]) == "{a=\"1\"}[1=x,]");
  CHECK(shown(halves[1]) == "{a=\"1\"}[3=z,]{a=\"2\"}[2=y,]");
  CHECK(split_push_request(halves[0]).empty());
  CHECK(split_push_request("\x0a\x7fgarbage").empty());
}

TEST_CASE("a position moves when everything before it is settled") {
  ProgressTable table;
  const ProgressPtr source = table.create("file/1", 0);
  source->set_read(10);
  SourceHolds first, second;
  first.add({source->id(), 0, 10}, table);
  source->set_read(30);
  second.add({source->id(), 10, 20}, table);
  second.add({source->id(), 20, 30}, table);
  CHECK(source->committable() == 0);
  CHECK(first.after_settling(false).front().second == 10);
  SourceHolds last;  // its line is in, but not yet counted as read: another client may not have it yet
  last.add({source->id(), 30, 40}, table);
  CHECK(last.after_settling(true).front().second == 0);
  last.settle();
  second.settle();
  CHECK(source->committable() == 0);
  first.settle();
  CHECK(source->committable() == 30);
  last.add({source->id(), 30, 40}, table);
  CHECK(last.after_settling(false).front().second == 30);
  CHECK(last.after_settling(true).front().second == 40);
  last.settle();
  source->hold(25);
  CHECK(source->committable() == 25);
  source->release(25, 26);
  CHECK(source->all_settled());
}

TEST_CASE("a range that comes late moves the hold of its batch back") {
  ProgressTable table;
  const ProgressPtr source = table.create("file/1", 0);
  source->set_read(100);
  SourceHolds holds;
  holds.add({source->id(), 50, 60}, table);
  holds.add({source->id(), 20, 30}, table);
  CHECK(source->committable() == 20);
  holds.settle();
  CHECK(source->committable() == 100);
  CHECK(table.find(source->id()) == source);
  CHECK(table.find(0) == nullptr);
}

}  // namespace kvasir::agent
