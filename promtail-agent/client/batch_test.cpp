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

namespace kvasir::agent {

namespace {

struct Sources {
  ProgressTable table;
  ProgressPtr file = table.create("file/1", 0);
  ProgressPtr journal = table.create("journal", 0);
  Sources() { file->set_identity({"/log/a", 1, 2, false, 4, 5}); }
  SourceRange of(const ProgressPtr& source, std::uint64_t begin, std::uint64_t end) const {
    return {source->id(), begin, end};
  }
};

}  // namespace

TEST_CASE("a batch covers the bytes of its entries and of what was left out between them") {
  Sources sources;
  SourceHolds holds;
  holds.add(sources.of(sources.file, 0, 10), sources.table);
  holds.leave_out(sources.of(sources.file, 10, 30), "stage:drop", sources.table);
  holds.leave_out(sources.of(sources.journal, 0, 1), "stage:drop", sources.table);
  holds.add(sources.of(sources.journal, 1, 2), sources.table);
  holds.add(sources.of(sources.file, 30, 40), sources.table);
  holds.leave_out(sources.of(sources.file, 40, 50), "line_too_long", sources.table);
  sources.file->set_read(50);
  CHECK(sources.file->committable() == 0);
  const auto covers = holds.take_covers("host");
  REQUIRE(covers.size() == 1);
  CHECK(covers[0].file == "host/file/1");
  CHECK(covers[0].identity.path == "/log/a");
  CHECK(covers[0].entries == 2);
  CHECK(covers[0].stored == ingest::ByteRanges{{0, 10}, {30, 40}});
  REQUIRE(covers[0].left_out.size() == 2);
  CHECK(covers[0].left_out[0] == ingest::LeftOut{"stage:drop", 1, {{10, 30}}});
  CHECK(covers[0].left_out[1] == ingest::LeftOut{"line_too_long", 1, {{40, 50}}});
  CHECK(holds.take_covers("host").empty());
  holds.settle();
  CHECK(sources.file->committable() == 50);
}

TEST_CASE("what is left out alone holds its source until it is told") {
  Sources sources;
  SourceHolds holds;
  holds.leave_out(sources.of(sources.file, 0, 10), "stage:drop", sources.table);
  sources.file->set_read(10);
  CHECK(sources.file->committable() == 0);
  holds.settle();
  CHECK(sources.file->committable() == 10);
}

TEST_CASE("the covers of a request go with its second half, and can be cut off") {
  Batch batch(Duration(0));
  add(batch, "{a=\"1\"}", 1, "one");
  add(batch, "{a=\"1\"}", 2, "two");
  ingest::FileCover cover;
  cover.file = "host/file/1";
  cover.stored = {{0, 8}};
  const std::string covers = ingest::encode_covers({cover});
  std::string request = batch.encode() + covers;
  const auto halves = split_push_request(request);
  REQUIRE(halves.size() == 2);
  std::string first = halves[0], second = halves[1];
  CHECK(take_covers(first).empty());
  CHECK(take_covers(second) == covers);
  CHECK(shown(first) == "{a=\"1\"}[1=one,]");
  CHECK(shown(second) == "{a=\"1\"}[2=two,]");
  CHECK(take_covers(request) == covers);
  CHECK(shown(request) == shown(batch.encode()));
}

}  // namespace kvasir::agent
