#include "server/store_source.h"

#include <doctest/doctest.h>

#include "common/mem_filesystem.h"
#include "ingest/ingest_scenario.h"
#include "ingest/rewrite.h"
#include "server/delete_requests.h"
#include "server/maintenance.h"

namespace kvasir::server {
namespace {

using ingest::Store;
using ingest::TestEntry;

using Texts = std::vector<std::string_view>;

constexpr TimeRange kEver{{0}, {1'000'000'000'000}};
constexpr Duration kHour = std::chrono::hours(1);

LabelMatcher matcher(std::string name, MatchOp op, std::string value) {
  return LabelMatcher::create(std::move(name), op, std::move(value)).value();
}

struct Fixture {
  Fixture() { restart(); }
  void restart() {
    source.reset();
    deletes.reset();
    store.reset();
    ingest::IngesterOptions options;
    options.background = false;
    store = Store::open(fs, options).value();
    deletes = std::make_unique<DeleteRequests>(store->storage(), clock);
    source = std::make_unique<StoreSource>(store->storage(), store->ingester(), deletes.get());
  }
  void push(const std::vector<TestEntry>& entries) { REQUIRE(store->push("t", entries)); }
  void flush() { REQUIRE(store->ingester().flush()); }

  logql::SelectRequest request(std::vector<LabelMatcher> matchers = {}, TimeRange range = kEver) {
    logql::SelectRequest select;
    select.tenant = "t";
    select.matchers = std::move(matchers);
    select.range = range;
    return select;
  }
  std::vector<std::unique_ptr<logql::BlockHandle>> select(const logql::SelectRequest& wanted) {
    logql::QueryContext context(clock, Duration::max(), {}, budget, {});
    return source->select(wanted, context).value();
  }
  /// Every visible row as `stream@timestamp line`, sorted.
  std::vector<std::string> rows(const logql::SelectRequest& wanted) {
    std::vector<std::string> out;
    for (const auto& handle : select(wanted)) {
      auto block = handle->open().value();
      logql::RowSet all(block->rows());
      std::vector<std::string_view> lines(block->rows());
      REQUIRE(block->lines(all, lines));
      for (std::size_t row = 0; row < block->rows(); ++row) {
        CHECK(block->line_lengths()[row] == lines[row].size());
        out.push_back(std::string(block->stream()->labels.value_or_empty("s")) + "@" +
                      std::to_string(block->timestamps()[row]) + " " + std::string(lines[row]));
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  MaintenanceOptions quick() {
    MaintenanceOptions options;
    options.delete_cancel_period = Duration(0);
    return options;
  }

  MemFilesystem fs;
  ManualClock clock{{1'000'000'000'000'000'000}};
  MemoryBudget budget{"test", 0};
  std::unique_ptr<Store> store;
  std::unique_ptr<DeleteRequests> deletes;
  std::unique_ptr<StoreSource> source;
};

using Rows = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(Fixture, "rows come from head and segments, cut by stream and by time") {
  push({{"a", 10, "one", ""}, {"b", 20, "two", "x"}});
  flush();
  push({{"a", 30, "three", ""}, {"b", 40, "four", ""}});
  CHECK(rows(request()) == Rows{"a@10 one", "a@30 three", "b@20 two", "b@40 four"});
  CHECK(rows(request({matcher("s", MatchOp::kEqual, "a")})) == Rows{"a@10 one", "a@30 three"});
  CHECK(rows(request({}, {{0}, {20}})) == Rows{"a@10 one"});
  CHECK(rows(request({}, {{40}, {41}})) == Rows{"b@40 four"});
  CHECK(rows(request({}, {{41}, {41}})).empty());
  CHECK(select(request({matcher("none", MatchOp::kEqual, "x")})).empty());
  auto other = request();
  other.tenant = "unknown";
  CHECK(select(other).empty());
  CHECK(source->has_stream_label("t", "s"));
  CHECK_FALSE(source->has_stream_label("t", "trace_id"));
  CHECK_FALSE(source->has_stream_label("unknown", "s"));
}

TEST_CASE_FIXTURE(Fixture, "blocks of a stream are exact unless they touch in time") {
  push({{"a", 10, "x", ""}, {"a", 20, "y", ""}, {"b", 10, "z", ""}});
  flush();
  push({{"a", 20, "y", ""}, {"b", 11, "w", ""}});
  for (const auto& handle : select(request())) {
    CHECK(handle->exact() == (handle->stream()->labels.get("s") == "b"));
  }
  for (const auto& handle : select(request({}, {{0}, {15}}))) CHECK(handle->exact());
}

TEST_CASE_FIXTURE(Fixture, "blocks that touch in time are exact once they are known to share no entry") {
  for (const char* line : {"x", "y", "z"}) {
    push({{"a", 10, line, ""}, {"a", 20, line, ""}});
    flush();
  }
  const auto exact = [&] {
    const auto handles = select(request());
    return std::count_if(handles.begin(), handles.end(), [](const auto& handle) { return handle->exact(); });
  };
  const auto handles = select(request());
  REQUIRE(handles.size() == 3);
  handles[0]->note_apart(*handles[1]);
  handles[2]->note_apart(*handles[1]);
  CHECK(exact() == 1);  // of the first and the last nothing is known
  handles[2]->note_apart(*handles[0]);
  CHECK(exact() == 3);
  push({{"a", 15, "w", ""}});  // in the head, where notes are not kept
  CHECK(exact() == 0);
}

TEST_CASE_FIXTURE(Fixture, "the ends of steps that one query found are there for the next, of that step alone") {
  std::vector<TestEntry> entries;
  for (int i = 0; i < 100; ++i) entries.push_back({"a", 1 + i, "line " + std::to_string(i), ""});
  push(entries);
  flush();
  using Ends = std::vector<std::pair<std::int64_t, std::size_t>>;
  const auto pairs = [](std::span<const logql::IntervalEnd> ends) {
    Ends out;
    for (const auto& [interval, end] : ends) out.emplace_back(interval, end);
    return out;
  };
  const Ends want{{0, 30}, {1, 80}, {2, 100}};  // (-20, 30], (30, 80], (80, 130]
  const auto first = select(request());
  CHECK(first[0]->known_interval_ends(50, 30).empty());
  CHECK(pairs(first[0]->open().value()->interval_ends(50, 30)) == want);
  const auto second = select(request());
  CHECK(pairs(second[0]->known_interval_ends(50, 30)) == want);
  CHECK(second[0]->known_interval_ends(60, 30).empty());
  CHECK(select(request())[0]->open().value()->interval_ends(1, 0).empty());  // an end for each row is not kept
  REQUIRE(deletes->create("t", "{s=\"a\"}", {40}, {50}));
  CHECK(select(request())[0]->known_interval_ends(50, 30).empty());
}

TEST_CASE_FIXTURE(Fixture, "notes of segments stay below their limit, and those not asked for go first") {
  for (std::int64_t time : {10, 11, 12, 13}) {
    push({{"a", time, "x", ""}});
    flush();
  }
  const auto segments = store->storage().find("t")->segments()->segments;
  REQUIRE(segments.size() == 4);
  {
    SegmentNotes notes(1000, &budget);
    const StepEnds::Ends ends(12);
    const auto of = [&](std::size_t segment) { return notes.of(segments[segment], 1)->step_ends(60, 0); };
    for (std::size_t i = 0; i < segments.size(); ++i) of(i)->keep(0, ends);
    const std::uint64_t used = budget.used_bytes();
    CHECK(used > 750);
    CHECK(used <= 1000);
    CHECK(of(3)->of(0));
    CHECK(budget.used_bytes() == used / 2);
    CHECK_FALSE(of(0)->of(0));
    CHECK_FALSE(of(1)->of(0));
    CHECK(of(2)->of(0));
    of(0)->keep(0, StepEnds::Ends(100));  // more than there is room for
    CHECK_FALSE(of(0)->of(0));
  }
  CHECK(budget.used_bytes() == 0);
}

TEST_CASE_FIXTURE(Fixture, "handles know rows and bytes; blocks know metadata") {
  push({{"a", 10, "12345", "id1"}, {"a", 11, "123", ""}, {"a", 12, "", "id2"}});
  for (const bool flushed : {false, true}) {
    if (flushed) flush();
    const auto handles = select(request());
    REQUIRE(handles.size() == 1);
    CHECK(handles[0]->rows() == 3);
    CHECK(handles[0]->line_bytes() == 8);
    CHECK(handles[0]->first().value == 10);
    CHECK(handles[0]->last().value == 12);
    auto block = handles[0]->open().value();
    CHECK(block->has_metadata());
    CHECK(block->metadata(0)[0].value == "id1");
    CHECK(block->metadata(1).empty());
    CHECK(block->may_have_metadata("trace_id"));
    CHECK_FALSE(block->may_have_metadata("other"));
    const auto* column = block->metadata_field("trace_id");
    REQUIRE(column != nullptr);
    CHECK(column->row_value[1] == logql::FieldColumn::kAbsent);
    CHECK(column->values[column->row_value[2]] == "id2");
    CHECK(block->sequence(0) < block->sequence(2));
  }
}

TEST_CASE_FIXTURE(Fixture, "statistics and volumes") {
  push({{"a", 10, "12345", ""}, {"a", 25, "123", ""}, {"b", 30, "1", ""}});
  flush();
  push({{"b", 35, "22", ""}});
  logql::QueryContext context(clock, Duration::max(), {}, budget, {});
  const auto all = source->stats("t", {}, kEver, context).value();
  CHECK(all.streams == 2);
  CHECK(all.entries == 4);
  CHECK(all.bytes == 11);
  CHECK(all.chunks == 3);
  const auto part = source->stats("t", {}, {{20}, {35}}, context).value();
  CHECK(part.entries == 2);
  CHECK(part.bytes == 4);
  const auto volumes = source->volumes({"t", {}, {{10}, {40}}, {0}, Duration(20)}, context).value();
  REQUIRE(volumes.size() == 2);
  for (const auto& volume : volumes) {
    const bool a = volume.stream->labels.get("s") == "a";
    CHECK(volume.bytes == (a ? std::vector<std::uint64_t>{5, 3} : std::vector<std::uint64_t>{0, 3}));
  }
  CHECK(source->label_values("t", "s", {}, kEver) == Texts{"a", "b"});
  CHECK(source->series("t", std::vector{matcher("s", MatchOp::kEqual, "b")}, kEver).size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a delete request hides at once, survives a restart, and can be taken back") {
  push({{"a", 10, "keep", ""}, {"a", 20, "secret one", ""}, {"b", 20, "secret two", ""}});
  flush();
  push({{"a", 30, "secret three", ""}, {"a", 40, "secret four", ""}});
  const auto id = deletes->create("t", "{s=\"a\"} |= \"secret\"", {20}, {30}).value();
  const Rows hidden{"a@10 keep", "a@40 secret four", "b@20 secret two"};
  CHECK(rows(request()) == hidden);
  for (const auto& handle : select(request({matcher("s", MatchOp::kEqual, "a")}))) CHECK_FALSE(handle->exact());
  CHECK(deletes->list("t").size() == 1);
  CHECK(deletes->create("t", "not a query", {0}, {1}).error().message() == "invalid query expression");
  CHECK(deletes->create("t", "count_over_time({s=\"a\"}[1m])", {0}, {1}).error().message() ==
        "invalid query expression");

  restart();
  CHECK(rows(request()) == hidden);
  CHECK(deletes->cancel("t", "nope", false, kHour).error().code() == ErrorCode::kNotFound);
  clock.advance(2 * kHour);
  CHECK_FALSE(deletes->cancel("t", id, false, kHour));
  CHECK(deletes->cancel("t", id, true, kHour));
  CHECK(rows(request()).size() == 5);
}

TEST_CASE_FIXTURE(Fixture, "a processed delete request has erased the rows, also after a restart with the old log") {
  push({{"a", 10, "keep", ""}, {"a", 20, "secret one", ""}, {"b", 20, "secret two", ""}});
  flush();
  push({{"a", 30, "secret three", ""}});
  const auto id = deletes->create("t", "{s=\"a\"} |= \"secret\"", {0}, {100}).value();
  const auto whole = deletes->create("t", "{s=\"b\"}", {0}, {19}).value();
  auto maintenance = std::make_unique<Maintenance>(quick(), store->storage(), store->ingester(), *deletes, fs, clock);
  maintenance->run_once();
  CHECK(maintenance->counters().rows_erased == 2);
  CHECK(maintenance->counters().requests_processed == 2);
  for (const auto& processed : deletes->list("t")) CHECK(processed.percent == 100);
  CHECK(deletes->cancel("t", id, false, kHour).error().code() == ErrorCode::kInvalidArgument);
  const Rows left{"a@10 keep", "b@20 secret two"};
  CHECK(rows(request()) == left);
  push({{"a", 50, "secret, but later", ""}});
  CHECK(rows(request()).size() == 3);
  maintenance.reset();
  restart();
  CHECK(rows(request()).size() == 3);
}

TEST_CASE_FIXTURE(Fixture, "erased rows do not come back from the log when the manifest is made anew") {
  push({{"a", 10, "keep", ""}, {"a", 20, "secret", ""}, {"gone", 20, "secret", ""}});
  flush();
  push({{"a", 30, "later", ""}});
  REQUIRE(deletes->create("t", "{s=~\".+\"} |= \"secret\"", {0}, {100}));
  Maintenance(quick(), store->storage(), store->ingester(), *deletes, fs, clock).run_once();
  const Rows left{"a@10 keep", "a@30 later"};
  REQUIRE(rows(request()) == left);
  REQUIRE(fs.remove("data/tenants/t/manifest"));
  restart();
  CHECK(rows(request()) == left);
}

TEST_CASE_FIXTURE(Fixture, "a delete request that cannot be carried out does not hold up the next") {
  push({{"a", 10, "first", ""}});
  flush();
  push({{"b", 100, "second", ""}});
  flush();
  REQUIRE(fs.remove(store->storage().find("t")->segment_path(1)));
  restart();
  REQUIRE(deletes->create("t", "{s=\"a\"}", {0}, {20}));
  REQUIRE(deletes->create("t", "{s=\"b\"}", {90}, {110}));
  Maintenance maintenance(quick(), store->storage(), store->ingester(), *deletes, fs, clock);
  maintenance.run_once();
  CHECK(maintenance.counters().failures == 1);
  CHECK(maintenance.counters().requests_processed == 1);
  CHECK(maintenance.counters().rows_erased == 1);
}

TEST_CASE("which period a stream is kept") {
  const Labels dev{{"env", "dev"}, {"app", "x"}};
  RetentionSettings settings;
  CHECK(retention_of(settings, dev).count() == 0);
  settings.retention_period = 10 * kHour;
  settings.retention_stream.push_back({"", {matcher("env", MatchOp::kEqual, "dev")}, 1, 5 * kHour});
  settings.retention_stream.push_back({"", {matcher("app", MatchOp::kEqual, "x")}, 1, 4 * kHour});
  settings.retention_stream.push_back({"", {matcher("app", MatchOp::kEqual, "y")}, 9, kHour});
  CHECK(retention_of(settings, dev) == 4 * kHour);
  settings.retention_stream[0].priority = 2;
  CHECK(retention_of(settings, dev) == 5 * kHour);
  CHECK(retention_of(settings, Labels{{"env", "prod"}}) == 10 * kHour);
}

TEST_CASE_FIXTURE(Fixture, "expired segments and streams go, with their labels") {
  const std::int64_t now = clock.now().value;
  const std::int64_t hour = kHour.count();
  push({{"a", now - 50 * hour, "old a", ""}, {"b", now - 50 * hour, "old b", ""}});
  flush();
  push({{"a", now - 30 * hour, "middle a", ""}, {"b", now - 30 * hour, "middle b", ""}});
  flush();
  push({{"a", now, "new", ""}});
  auto options = quick();
  options.retention_enabled = true;
  options.retention = [](std::string_view) {
    RetentionSettings settings;
    settings.retention_period = 48 * kHour;
    settings.retention_stream.push_back({"", {matcher("s", MatchOp::kEqual, "b")}, 1, 24 * kHour});
    return settings;
  };
  Maintenance maintenance(options, store->storage(), store->ingester(), *deletes, fs, clock);
  maintenance.run_once();
  const TimeRange ever{{0}, {now + hour}};
  Rows left{"a@" + std::to_string(now - 30 * hour) + " middle a", "a@" + std::to_string(now) + " new"};
  std::sort(left.begin(), left.end());
  CHECK(rows(request({}, ever)) == left);
  CHECK(source->label_values("t", "s", {}, ever) == Texts{"a"});
  CHECK(maintenance.counters().segments_expired == 1);
  CHECK(maintenance.counters().rows_expired == 3);
  CHECK(maintenance.counters().failures == 0);
}

TEST_CASE_FIXTURE(Fixture, "the oldest segments go when all take more room than they may") {
  for (int i = 0; i < 4; ++i) {
    push({{"a", (3 - i) * 10, "line " + std::to_string(i), ""}});
    flush();
  }
  std::uint64_t bytes = 0;
  for (const auto& segment : store->storage().find("t")->segments()->segments) bytes += segment->info().file_bytes;
  MaintenanceOptions options = quick();
  options.size_max = bytes;
  Maintenance roomy(options, store->storage(), store->ingester(), *deletes, fs, clock);
  roomy.run_once();
  CHECK(rows(request()).size() == 4);
  options.size_max = bytes / 2;
  Maintenance tight(options, store->storage(), store->ingester(), *deletes, fs, clock);
  tight.run_once();
  CHECK(rows(request()) == Rows{"a@20 line 1", "a@30 line 0"});
  CHECK(tight.counters().segments_expired == 2);
  store->ingester().close(false);
  store.reset();
  store = Store::open(fs).value();  // the log does not bring them back
  CHECK(store->read_all().size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "pushes are refused while the disk is nearly full, and taken again when it is not") {
  std::uint64_t free = 1000;
  MaintenanceOptions options = quick();
  options.disk_reserve = 800;
  options.free_bytes = [&]() -> Result<std::uint64_t> { return free; };
  Maintenance maintenance(options, store->storage(), store->ingester(), *deletes, fs, clock);
  const auto taken_with = [&](std::uint64_t bytes) {
    free = bytes;
    maintenance.check_disk();
    return store->push("t", {{"a", static_cast<std::int64_t>(bytes), "x", ""}}).has_value();
  };
  CHECK(taken_with(800));
  CHECK_FALSE(taken_with(799));
  CHECK(store->ingester().flush());
  CHECK_FALSE(taken_with(850));  // a little more than the reserve is wanted then
  CHECK(taken_with(900));
}

TEST_CASE_FIXTURE(Fixture, "a segment that cannot be read fails what its time range touches, and nothing else") {
  push({{"old", 10, "first", ""}, {"old", 20, "second", ""}});
  flush();
  push({{"new", 100, "third", ""}});
  flush();
  const Path file = store->storage().find("t")->segment_path(1);
  const std::string sound = fs.read_all(file, 1 << 20).value();
  std::string flipped = sound;
  flipped[flipped.size() - 20] ^= 1;  // in the footer
  const auto fails = [&](const auto& result) {
    REQUIRE_FALSE(result);
    CHECK(result.error().code() == ErrorCode::kCorruption);
    CHECK(result.error().message().find(file) != std::string::npos);
  };
  const auto damaged = [&] { return store->storage().find("t")->segments()->damaged_segments(); };
  const auto try_all = [&](bool at_start) {
    if (at_start) restart();
    CHECK(damaged() == (at_start ? 1 : 0));
    logql::QueryContext context(clock, Duration::max(), {}, budget, {});
    fails(source->select(request({matcher("s", MatchOp::kEqual, "old")}), context));
    fails(source->stats("t", {}, kEver, context));
    fails(source->volumes({"t", {}, kEver, {0}, Duration(0)}, context));
    CHECK(damaged() == 1);
    if (store->storage().find("t")->segments()->unreadable.size() == 1) fails(source->check_readable("t", kEver));
    CHECK(source->check_readable("t", {{21}, {101}}));
    CHECK(rows(request({}, {{21}, {101}})) == Rows{"new@100 third"});
  };
  REQUIRE(write_atomically(fs, file, flipped));
  try_all(false);
  try_all(true);
  REQUIRE(write_atomically(fs, file, sound.substr(0, sound.size() - 5)));
  try_all(true);
  REQUIRE(fs.remove(file));
  try_all(true);
  REQUIRE(write_atomically(fs, file, sound));
  restart();
  CHECK(damaged() == 0);
  CHECK(rows(request()) == Rows{"new@100 third", "old@10 first", "old@20 second"});
}

TEST_CASE_FIXTURE(Fixture, "an unreadable segment goes when all it may have is expired") {
  push({{"old", 10, "first", ""}});
  flush();
  REQUIRE(fs.remove(store->storage().find("t")->segment_path(1)));
  restart();
  const auto unreadable = [&] { return store->storage().find("t")->segments()->unreadable.size(); };
  REQUIRE(unreadable() == 1);
  for (const auto& [period, left] : {std::pair{Duration(0), 1u}, {Duration(kHour), 0u}}) {
    auto options = quick();
    options.retention_enabled = true;
    options.retention = [period = period](std::string_view) {
      RetentionSettings settings;
      settings.retention_period = kHour;
      settings.retention_stream.push_back({"", {matcher("s", MatchOp::kEqual, "b")}, 1, period});
      return settings;
    };
    Maintenance(options, store->storage(), store->ingester(), *deletes, fs, clock).run_once();
    CHECK(unreadable() == left);
  }
  restart();
  CHECK(store->storage().find("t")->segments()->damaged_segments() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a damaged segment does not keep the others from being merged") {
  for (int i = 0; i < 10; ++i) {
    push({{"a", i * 10, "line " + std::to_string(i), ""}});
    flush();
  }
  const Path file = store->storage().find("t")->segment_path(4);
  std::string bytes = fs.read_all(file, 1 << 20).value();
  bytes[20] ^= 1;  // in its only block
  REQUIRE(write_atomically(fs, file, bytes));
  Maintenance maintenance(quick(), store->storage(), store->ingester(), *deletes, fs, clock);
  maintenance.run_once();
  CHECK(maintenance.counters().failures == 1);
  maintenance.run_once();
  CHECK(maintenance.counters().merges == 1);
  CHECK(store->storage().find("t")->segments()->segments.size() == 2);
  CHECK(store->storage().find("t")->segments()->damaged_segments() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a segment damaged since it was opened is left out of merging too") {
  for (int i = 0; i < 10; ++i) {
    push({{"a", i * 10, "line " + std::to_string(i), ""}});
    flush();
  }
  REQUIRE(rows(request()).size() == 10);  // every segment is open now
  const Path file = store->storage().find("t")->segment_path(4);
  std::string bytes = fs.read_all(file, 1 << 20).value();
  bytes[bytes.size() - 20] ^= 1;  // in the footer
  REQUIRE(write_atomically(fs, file, bytes));
  Maintenance maintenance(quick(), store->storage(), store->ingester(), *deletes, fs, clock);
  maintenance.run_once();
  CHECK(maintenance.counters().merges == 0);
  maintenance.run_once();
  CHECK(maintenance.counters().merges == 1);
}

TEST_CASE_FIXTURE(Fixture, "small segments are merged and the answers stay the same") {
  for (int i = 0; i < 20; ++i) {
    push({{"a", i * 10, "line " + std::to_string(i), ""}, {"b", i, "other", i % 2 == 0 ? "id" : ""}});
    flush();
  }
  const auto before = rows(request());
  Maintenance maintenance(quick(), store->storage(), store->ingester(), *deletes, fs, clock);
  maintenance.run_once();
  CHECK(maintenance.counters().merges == 1);
  CHECK(store->storage().find("t")->segments()->segments.size() == 1);
  CHECK(rows(request()) == before);
  CHECK(maintenance.counters().failures == 0);
}

}  // namespace kvasir::server
