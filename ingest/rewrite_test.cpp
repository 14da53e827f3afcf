#include "ingest/rewrite.h"
#include "ingest/work_budget.h"

#include <doctest/doctest.h>

#include "common/mem_filesystem.h"
#include "ingest/ingest_scenario.h"

namespace kvasir::ingest {
namespace {

IngesterOptions by_hand() {
  IngesterOptions options;
  options.background = false;
  return options;
}

/// A store with `count` small segments; neighbours overlap in time and hold one entry in common.
struct Fixture {
  Fixture() : store(Store::open(fs, by_hand()).value()) {
    for (int i = 0; i < 8; ++i) {
      std::vector<TestEntry> entries;
      for (int t = i * 10; t <= i * 10 + 10; ++t) {
        entries.push_back({t % 2 == 0 ? "even" : "odd", t, "line " + std::to_string(t), t % 5 == 0 ? "id" : ""});
      }
      REQUIRE(store->push("t", entries));
      REQUIRE(store->ingester().flush());
    }
    for (int t = 0; t <= 80; ++t) {
      all[entry_key("t", {t % 2 == 0 ? "even" : "odd", t, "line " + std::to_string(t), t % 5 == 0 ? "id" : ""})] = 1;
    }
  }
  TenantStorage& tenant() { return *store->storage().find("t"); }
  std::vector<std::string> files() { return fs.list("data/tenants/t/segments").value(); }

  MemFilesystem fs;
  std::unique_ptr<Store> store;
  Found all;
};

/// Lines of which a block of columns is made.
std::vector<TestEntry> many_lines(const std::string& stream, int first, int count) {
  std::vector<TestEntry> entries;
  for (int i = first; i < first + count; ++i) {
    entries.push_back({stream, i, R"({"level":"info","status":)" + std::to_string(200 + i % 5) + R"(,"took_ms":)" +
                                      std::to_string(i * 7919 % 1000) + R"(,"msg":"request finished"})",
                       i % 9 == 0 ? "0123456789abcdef0123456789abc" + std::to_string(100 + i % 800) : ""});
  }
  return entries;
}

/// Each call is one segment.
void push_segment(Store& store, const std::vector<TestEntry>& entries, Found& all) {
  REQUIRE(store.push("t", entries));
  REQUIRE(store.ingester().flush());
  for (const auto& entry : entries) all[entry_key("t", entry)] = 1;
}

}  // namespace

TEST_CASE("blocks that are dense, and shared ones whose streams are nowhere else, are copied") {
  const struct {
    const char* what;
    std::vector<std::vector<TestEntry>> segments;
    std::uint64_t dense_bytes_min, copied;
  } cases[] = {
      {"large blocks that do not overlap", {many_lines("a", 0, 2500), many_lines("a", 2500, 2500)}, 1, 5000},
      {"they are too small", {many_lines("a", 0, 2500), many_lines("a", 2500, 2500)}, 1 << 20, 0},
      {"they overlap", {many_lines("a", 0, 2500), many_lines("a", 2499, 2500)}, 1, 0},
      {"one of three overlaps none", {many_lines("a", 0, 2500), many_lines("a", 2400, 2500), many_lines("a", 9000, 2500)},
       1, 2500},
      {"one input: whatever its size", {many_lines("a", 0, 2500)}, 1 << 20, 2500},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    MemFilesystem fs;
    auto store = Store::open(fs, by_hand()).value();
    Found all;
    for (const auto& segment : c.segments) push_segment(*store, segment, all);
    auto& tenant = *store->storage().find("t");
    RewriteOptions options;
    options.dense_bytes_min = c.dense_bytes_min;
    const auto outcome = rewrite_segments(tenant, tenant.segments()->segments, fs, options);
    REQUIRE(outcome);
    CHECK(outcome->rows_copied == c.copied);
    CHECK(outcome->rows_after == all.size());
    CHECK(outcome->written->rows == all.size());
    CHECK(store->read_all() == all);
    store.reset();
    store = Store::open(fs, by_hand()).value();
    CHECK(store->read_all() == all);
  }
}

TEST_CASE("damage in any byte of a block is not copied into a new segment") {
  MemFilesystem fs;
  auto store = Store::open(fs, by_hand()).value();
  Found all;
  push_segment(*store, many_lines("a", 0, 2500), all);
  push_segment(*store, many_lines("a", 2500, 2500), all);
  auto& tenant = *store->storage().find("t");
  const auto stored = tenant.segments()->segments;
  const Path file = tenant.segment_path(stored[0]->info().id);
  const std::string sound = fs.read_all(file, 1 << 20).value();
  const auto block_end = stored[0]->reader().value()->blocks()[0].stored_bytes;
  RewriteOptions options;
  options.dense_bytes_min = 1;
  for (std::size_t at = 16; at < block_end; at += block_end / 50) {
    CAPTURE(at);
    std::string damaged = sound;
    damaged[at] ^= 0x10;
    REQUIRE(write_atomically(fs, file, damaged));
    const auto outcome = rewrite_segments(tenant, stored, fs, options);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code() == ErrorCode::kCorruption);
  }
  REQUIRE(write_atomically(fs, file, sound));
  CHECK(rewrite_segments(tenant, stored, fs, options));
  CHECK(store->read_all() == all);
}

TEST_CASE("small streams: their block is copied if no other holds rows of them, or goes with them") {
  for (const bool again : {false, true}) {
    MemFilesystem fs;
    auto store = Store::open(fs, by_hand()).value();
    Found all;
    for (int segment = 0; segment < 3; ++segment) {
      std::vector<TestEntry> entries;
      for (int stream = 0; stream < 20; ++stream) {
        const int name = again ? stream : segment * 20 + stream;
        const auto lines = many_lines("s" + std::to_string(name), segment * 1000, 40);
        entries.insert(entries.end(), lines.begin(), lines.end());
      }
      push_segment(*store, entries, all);
    }
    auto& tenant = *store->storage().find("t");
    const auto outcome = rewrite_segments(tenant, tenant.segments()->segments, fs, {});
    REQUIRE(outcome);
    CHECK(outcome->rows_copied == (again ? 0 : 2400));
    CHECK(store->read_all() == all);
  }
}

TEST_CASE("rows are erased from the blocks that hold them; the others are copied") {
  MemFilesystem fs;
  auto store = Store::open(fs, by_hand()).value();
  Found all;
  auto entries = many_lines("a", 0, 2500);
  const auto other = many_lines("b", 0, 2500);
  entries.insert(entries.end(), other.begin(), other.end());
  push_segment(*store, entries, all);
  RewriteOptions options;
  options.keep = [](const Labels& labels, chunks::Block& block, chunks::RowBits rows) -> Result<void> {
    for (std::size_t row = 0; row < rows.rows; ++row) {
      if (labels.get("s") == "a" && block.timestamps()[row] % 2 == 0) rows.clear(row);
    }
    return {};
  };
  auto& tenant = *store->storage().find("t");
  options.also.flushed_floor = store->ingester().durable_floor();
  const auto outcome = rewrite_segments(tenant, tenant.segments()->segments, fs, options);
  REQUIRE(outcome);
  CHECK(outcome->rows_before == 5000);
  CHECK(outcome->rows_after == 3750);
  CHECK(outcome->rows_copied == 2500);
  const auto left = store->read_all();
  CHECK(left.size() == 3750);
  for (const auto& entry : other) CHECK(left.contains(entry_key("t", entry)));
  for (int i = 0; i < 2500; i += 250) CHECK_FALSE(left.contains(entry_key("t", entries[static_cast<std::size_t>(i)])));
}

TEST_CASE_FIXTURE(Fixture, "merged segments hold every entry once, and the old files go with their last reader") {
  const auto before = tenant().segments();
  REQUIRE(before->segments.size() == 8);
  const auto outcome = rewrite_segments(tenant(), before->segments, fs, {});
  REQUIRE(outcome);
  CHECK(outcome->rows_before == 88);
  CHECK(outcome->rows_after == 81);
  CHECK(tenant().segments()->segments.size() == 1);
  CHECK(tenant().segments()->segments[0]->info().merges == 1);
  CHECK(store->read_all() == all);
  CHECK(files().size() == 9);
  REQUIRE(before->segments[3]->reader());
  const_cast<std::shared_ptr<const SegmentSet>&>(before).reset();
  CHECK(files().size() == 1);
  store.reset();
  store = Store::open(fs, by_hand()).value();
  CHECK(store->read_all() == all);
}

TEST_CASE_FIXTURE(Fixture, "rows that are not kept are gone, and the log does not bring them back") {
  RewriteOptions options;
  options.keep = [](const Labels& labels, chunks::Block& block, chunks::RowBits rows) -> Result<void> {
    for (std::size_t row = 0; row < rows.rows; ++row) {
      if (labels.get("s") == "odd" && block.timestamps()[row] > 50) rows.clear(row);
    }
    return {};
  };
  options.also.flushed_floor = store->ingester().durable_floor();
  REQUIRE(rewrite_segments(tenant(), tenant().segments()->segments, fs, options));
  const auto left = store->read_all();
  CHECK(left.size() == 66);
  CHECK(left.count(entry_key("t", {"odd", 51, "line 51", ""})) == 0);
  CHECK(left.count(entry_key("t", {"odd", 49, "line 49", ""})) == 1);
  store.reset();
  store = Store::open(fs, by_hand()).value();
  CHECK(store->read_all() == left);
}

TEST_CASE_FIXTURE(Fixture, "nothing left: the segments go and none comes") {
  RewriteOptions options;
  options.keep = [](const Labels&, chunks::Block&, chunks::RowBits rows) -> Result<void> {
    for (std::size_t row = 0; row < rows.rows; ++row) rows.clear(row);
    return {};
  };
  options.also.flushed_floor = store->ingester().durable_floor();
  const auto outcome = rewrite_segments(tenant(), tenant().segments()->segments, fs, options);
  REQUIRE(outcome);
  CHECK_FALSE(outcome->written.has_value());
  CHECK(store->read_all().empty());
  CHECK(files().empty());
  CHECK(tenant().index().label_names({}, {{0}, {100}}).empty());
  REQUIRE(store->push("t", {{"even", 1, "new", ""}}));
  CHECK(tenant().index().label_names({}, {{0}, {100}}).size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a stopped rewrite changes nothing") {
  RewriteOptions options;
  options.stop = [] { return true; };
  CHECK(rewrite_segments(tenant(), tenant().segments()->segments, fs, options).error().code() == ErrorCode::kCancelled);
  CHECK(tenant().segments()->segments.size() == 8);
}

TEST_CASE("a budget of background work") {
  using std::chrono::milliseconds;
  const struct {
    WorkBudget budget;
    WorkDone done;
    Duration pause;
  } cases[] = {
      {{50, 0}, {milliseconds(10), milliseconds(10), 1000}, milliseconds(10)},
      {{50, 0}, {milliseconds(30), milliseconds(10), 1000}, milliseconds(0)},
      {{100, 0}, {milliseconds(10), milliseconds(10), 1000}, milliseconds(0)},
      {{0, 0}, {milliseconds(1), milliseconds(10), 1 << 30}, milliseconds(0)},
      {{0, 1000}, {milliseconds(400), milliseconds(300), 1000}, milliseconds(600)},
      {{10, 1000}, {milliseconds(400), milliseconds(300), 1000}, milliseconds(2600)},
  };
  for (const auto& c : cases) CHECK(pause_due(c.budget, c.done) == c.pause);
}

TEST_CASE_FIXTURE(Fixture, "a merge tells of all its work") {
  RewriteOptions options;
  std::uint64_t told = 0, lines = 0;
  options.pace = [&](std::uint64_t bytes) { told += bytes; };
  for (const auto& segment : tenant().segments()->segments) lines += segment->info().line_bytes;
  REQUIRE(rewrite_segments(tenant(), tenant().segments()->segments, fs, options));
  CHECK(told == lines);
}

TEST_CASE_FIXTURE(Fixture, "what is merged") {
  const auto set = tenant().segments();
  CHECK(choose_merge(*set, {}).size() == 8);
  CHECK(choose_merge(*set, {.segments_min = 9}).empty());
  CHECK(choose_merge(*set, {.segments_min = 3, .segments_max = 5}).size() == 5);
  CHECK(choose_merge(*set, {.small_block_bytes = 1}).empty());
  CHECK(choose_merge(*set, {.large_block_segments_min = 8, .small_block_bytes = 1}).size() == 8);
  CHECK(choose_merge(*set, {.segments_min = 3, .span_max = Duration(30)}).size() == 3);
  CHECK(choose_merge(*set, {.segments_min = 2, .output_bytes_max = set->segments[0]->info().line_bytes * 3}).size() ==
        2);
}

}  // namespace kvasir::ingest
