#include "server/stored_lines.h"

#include <doctest/doctest.h>

#include "common/mem_filesystem.h"
#include "ingest/ingest_scenario.h"
#include "ingest/push_verdicts.h"
#include "server/store_source.h"

namespace kvasir::server {
namespace {

using ingest::PushVerdicts;

/// The numbers of the entries that are found to be stored; all of them are of one stream.
std::vector<std::uint32_t> stored(ingest::Store& store, std::vector<EntryView> entries, std::string_view stream = "a") {
  ingest::PushBatch batch;
  batch.tenant = "t";
  batch.verdicts = std::make_shared<PushVerdicts>();
  batch.verdicts->set_first(entries.data());
  for (std::uint32_t i = 0; i < entries.size(); ++i) batch.verdicts->accept({0, i});
  const Labels labels{{"s", std::string(stream)}, {"service_name", "test"}};
  batch.streams.push_back({ingest::identity_of(labels), entries, 0});
  StoreSource source(store.storage(), store.ingester());
  ManualClock clock{{1'000}};
  MemoryBudget budget("test", 0);
  logql::QueryContext context(clock, Duration::max(), {}, budget, {});
  REQUIRE(mark_stored_lines(batch, source, context));
  std::vector<std::uint32_t> numbers;
  for (const auto& place : batch.verdicts->repeated()) numbers.push_back(place.entry);
  return numbers;
}

TEST_CASE("stored lines are found in segments and in the head, told apart by stream, time, line and metadata") {
  MemFilesystem fs;
  ingest::IngesterOptions options;
  options.background = false;
  auto store = ingest::Store::open(fs, options).value();
  REQUIRE(store->push("t", {{"a", 5, "one", ""}, {"a", 5, "two", ""}, {"a", 7, "three", "id"}, {"b", 9, "other", ""}}));
  REQUIRE(store->ingester().flush());
  REQUIRE(store->push("t", {{"a", 20, "new", ""}}));
  const LabelView id{"trace_id", "id"};
  const std::span<const LabelView> with_id(&id, 1);
  using Numbers = std::vector<std::uint32_t>;
  CHECK(stored(*store, {{{5}, 0, "one", {}}, {{20}, 0, "new", {}}}) == Numbers{0, 1});
  CHECK(stored(*store, {{{6}, 0, "one", {}}, {{5}, 0, "One", {}}, {{5}, 0, "two", {}}}) == Numbers{2});
  CHECK(stored(*store, {{{7}, 0, "three", {}}, {{7}, 0, "three", with_id}}) == Numbers{1});
  CHECK(stored(*store, {{{9}, 0, "other", {}}}) == Numbers{});
  CHECK(stored(*store, {{{9}, 0, "other", {}}}, "b") == Numbers{0});
  CHECK(stored(*store, {{{20}, 0, "new", {}}, {{5}, 0, "one", {}}, {{5}, 0, "one", {}}}) == Numbers{0, 1, 2});
  CHECK(stored(*store, {{{5}, 0, "one", {}}}, "nobody") == Numbers{});
}

}  // namespace
}  // namespace kvasir::server
