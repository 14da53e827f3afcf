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

}  // namespace

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
  CHECK(choose_merge(*set, {.small_block_bytes = 1}).empty());
  CHECK(choose_merge(*set, {.large_block_segments_min = 8, .small_block_bytes = 1}).size() == 8);
  CHECK(choose_merge(*set, {.segments_min = 3, .span_max = Duration(30)}).size() == 3);
  CHECK(choose_merge(*set, {.segments_min = 2, .output_bytes_max = set->segments[0]->info().line_bytes * 3}).size() ==
        2);
}

}  // namespace kvasir::ingest
