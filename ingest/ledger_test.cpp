#include "ingest/ledger.h"

#include <doctest/doctest.h>

#include <set>

#include "common/crash_filesystem.h"
#include "common/fault_filesystem.h"
#include "common/mem_filesystem.h"
#include "ingest/ingest_scenario.h"

namespace kvasir::ingest {

namespace {

constexpr char kPath[] = "ledger";

FileCover cover_of(std::string file, ByteRanges stored, std::uint64_t inode = 7) {
  FileCover cover;
  cover.file = std::move(file);
  cover.identity = {"/log/" + cover.file, 1, inode, false, 4, 99};
  cover.entries = 1;
  cover.stored = std::move(stored);
  return cover;
}

LedgerFile only(const Ledger& ledger, std::string_view tenant, const std::string& file) {
  const auto found = ledger.find(tenant, {.paths = {"/log/" + file}});
  REQUIRE(found.size() == 1);
  return found.front();
}

PushOrigin origin_of(std::uint64_t number, const std::vector<FileCover>& covers) {
  return {"agent/run", number, number + 1, encode_covers(covers)};
}

std::size_t wal_files(Filesystem& fs) { return list_wal_files(fs, "data/wal")->size(); }

IngesterOptions small_log_files() {
  IngesterOptions options;
  options.background = false;
  options.wal_segment_bytes = 1;  // a new file for every push
  return options;
}

/// Pushes files of ten bytes, flushes now and then, loses power or stops, and starts anew, on a disk where one to
/// three calls fail now and then, the first after `calls`. What was acknowledged is settled at the end, by whichever of
/// ledger and log has it.
void check_covers_survive(std::uint64_t calls, FaultKind kind) {
  CrashFilesystem disk;
  std::set<std::uint64_t> acknowledged;
  constexpr std::uint64_t kRounds = 6, kPushes = 8;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    FaultFilesystem fs(disk);
    const auto store = Store::open(fs, small_log_files()).value();
    const FaultPlan plan{.first = calls + round, .count = round % 3 + 1, .kind = kind};
    fs.set_plan(plan);
    for (std::uint64_t i = round * kPushes; i < (round + 1) * kPushes && !store->died(); ++i) {
      if (fs.fired() && i % 2 == 0) fs.set_plan(plan);
      const auto name = "f" + std::to_string(i);
      std::vector<TestEntry> lines;
      if (i % 5 != 0) lines.push_back({"s", static_cast<std::int64_t>(i), name, ""});  // else covers alone
      if (store->push("t", lines, origin_of(i, {cover_of(name, {{0, 10}}, i + 1)}))) acknowledged.insert(i);
      if (i % 3 == 2) (void)store->ingester().flush();
    }
    if (round % 2 == 0) disk.crash();
  }
  const auto store = Store::open(disk, small_log_files()).value();
  for (const std::uint64_t number : acknowledged) {
    const LedgerFile file = only(store->ingester().ledger(), "t", "f" + std::to_string(number));
    CHECK(file.settled == ByteRanges{{0, 10}});
    CHECK(file.again.empty());
  }
  CHECK(acknowledged.size() >= kRounds);
}

}  // namespace

TEST_CASE("what pushes settle becomes one range, and what two of them settle is told") {
  MemFilesystem fs;
  auto ledger = Ledger::open(fs, kPath).value();
  ledger->add("t", encode_covers({cover_of("a", {{0, 10}}), cover_of("b", {{0, 5}}, 8)}), 1);
  ledger->add("t", encode_covers({cover_of("a", {{20, 30}})}), 2);
  ledger->add("t", encode_covers({cover_of("a", {{8, 22}})}), 3);
  const LedgerFile file = only(*ledger, "t", "a");
  CHECK(file.settled == ByteRanges{{0, 30}});
  CHECK(file.again == ByteRanges{{8, 10}, {20, 22}});
  CHECK(file.entries == 3);
  CHECK(ledger->find("t", {.device = 1, .inode = 8}).size() == 1);
  CHECK(ledger->find("t", {.device = 2, .inode = 8}).empty());
  CHECK(ledger->find("u", {.device = 1, .inode = 8}).empty());
  CHECK(ledger->find("t", {.device = 1, .inode = 8, .paths = {"/log/a"}}).size() == 2);
  CHECK(ledger->find("t", {.device = 1, .inode = 8, .paths = {"/log/a"}}).front().file == "b");  // by its inode
}

TEST_CASE("what was left out is settled too, and counted by its reason") {
  MemFilesystem fs;
  auto ledger = Ledger::open(fs, kPath).value();
  FileCover cover = cover_of("a", {{0, 10}});
  cover.left_out = {{"drop_stage", 2, {{10, 30}}}};
  ledger->add("t", encode_covers({cover}), 1);
  cover.stored = {};
  cover.left_out = {{"drop_stage", 1, {{30, 40}}}, {"line_too_long", 1, {{50, 60}}}};
  ledger->add("t", encode_covers({cover}), 2);
  const LedgerFile file = only(*ledger, "t", "a");
  CHECK(file.settled == ByteRanges{{0, 40}, {50, 60}});
  REQUIRE(file.left_out.size() == 2);
  CHECK(file.left_out[0] == LeftOut{"drop_stage", 3, {{10, 40}}});
  CHECK(file.left_out[1] == LeftOut{"line_too_long", 1, {{50, 60}}});
}

TEST_CASE("a saved ledger is read as it was, and takes nothing that it has twice") {
  MemFilesystem fs;
  auto ledger = Ledger::open(fs, kPath).value();
  FileCover cover = cover_of("a", {{0, 10}});
  cover.left_out = {{"drop_stage", 2, {{10, 30}}}};
  ledger->add("t", encode_covers({cover}), 1);
  ledger->add("t", encode_covers({cover_of("a", {{5, 50}})}), 2);
  ledger->add("u", encode_covers({cover_of("a", {{0, 1}})}), 5);
  REQUIRE(ledger->save());
  auto again = Ledger::open(fs, kPath).value();
  CHECK(only(*again, "t", "a") == only(*ledger, "t", "a"));
  CHECK(only(*again, "u", "a") == only(*ledger, "u", "a"));
  CHECK(again->covered_below() == 6);
  again->add("t", encode_covers({cover}), 1);  // the log is replayed from its start
  CHECK(only(*again, "t", "a") == only(*ledger, "t", "a"));
}

TEST_CASE("a damaged ledger is set aside") {
  MemFilesystem fs;
  auto ledger = Ledger::open(fs, kPath).value();
  ledger->add("t", encode_covers({cover_of("a", {{0, 10}})}), 1);
  REQUIRE(ledger->save());
  const std::string whole = fs.read_all(kPath, 1 << 20).value();
  for (std::size_t i = 0; i < whole.size(); i += 7) {
    std::string broken = whole;
    broken[i] = static_cast<char>(broken[i] ^ 1);
    REQUIRE(write_atomically(fs, kPath, broken));
    const auto opened = Ledger::open(fs, kPath);
    REQUIRE(opened);
    CHECK((*opened)->files() == 0);
    CHECK(fs.status(std::string(kPath) + ".damaged")->has_value());
  }
}

TEST_CASE("the longest unused files are forgotten") {
  MemFilesystem fs;
  auto ledger = Ledger::open(fs, kPath).value();
  std::uint64_t sequence = 0;
  for (std::size_t i = 0; i < kLedgerTenantFilesMax; i += 1000) {
    std::vector<FileCover> covers;
    for (std::size_t j = i; j < i + 1000; ++j) covers.push_back(cover_of("f" + std::to_string(j), {{0, 1}}));
    ledger->add("t", encode_covers(covers), ++sequence);
  }
  CHECK(ledger->files() == kLedgerTenantFilesMax);
  ledger->add("t", encode_covers({cover_of("f0", {{1, 2}}), cover_of("new", {{0, 1}})}), ++sequence);
  CHECK(ledger->files() == kLedgerTenantFilesMax / 8 * 7);
  CHECK(only(*ledger, "t", "f0").settled == ByteRanges{{0, 2}});
  CHECK(ledger->find("t", {.paths = {"/log/f1"}}).empty());
}

TEST_CASE("however often a path was rotated, every file that had it is found, the inode asked for before the others") {
  MemFilesystem fs;
  auto ledger = Ledger::open(fs, kPath).value();
  constexpr std::uint64_t kRotations = 1000;
  for (std::uint64_t i = 1; i <= kRotations; ++i) {
    FileCover cover = cover_of("f" + std::to_string(i), {{0, i}}, i);
    cover.identity.path = "/log/app.log";
    ledger->add("t", encode_covers({cover}), i);
  }
  const auto found = ledger->find("t", {.device = 1, .inode = 3, .paths = {"/log/app.log"}});
  REQUIRE(found.size() == kRotations);
  CHECK(found[0].file == "f3");
  CHECK(found[1].file == "f1000");
  CHECK(found.back().file == "f1");
}

TEST_CASE("an answer ends where it has too many ranges, but never before its first file") {
  MemFilesystem fs;
  auto ledger = Ledger::open(fs, kPath).value();
  ByteRanges many;
  for (std::uint64_t i = 0; i < kLedgerRangesMax; ++i) many.add({i * 10, i * 10 + 5});
  constexpr std::uint64_t kFiles = kLedgerFoundRangesMax / kLedgerRangesMax + 10;
  for (std::uint64_t i = 1; i <= kFiles; ++i) {
    FileCover cover = cover_of("f" + std::to_string(i), many, i);
    cover.identity.path = "/log/app.log";
    ledger->add("t", encode_covers({cover}), i);
  }
  const auto found = ledger->find("t", {.device = 1, .inode = 1, .paths = {"/log/app.log"}});
  CHECK(found.size() == kLedgerFoundRangesMax / kLedgerRangesMax);
  CHECK(found.front().file == "f1");
}

TEST_CASE("no file has more ranges than the limit") {
  MemFilesystem fs;
  auto ledger = Ledger::open(fs, kPath).value();
  ByteRanges many;
  for (std::uint64_t i = 0; i < 2 * kLedgerRangesMax; ++i) many.add({i * 10, i * 10 + 5});
  ledger->add("t", encode_covers({cover_of("a", many)}), 1);
  CHECK(only(*ledger, "t", "a").settled.size() == kLedgerRangesMax);
}

TEST_CASE("covers outlive restarts, flushes and the files of the log") {
  MemFilesystem fs;
  const TestEntry line{"s", 1, "one", ""};
  {
    auto store = Store::open(fs, small_log_files()).value();
    REQUIRE(store->push("t", {line}, origin_of(0, {cover_of("a", {{0, 10}})})));
    REQUIRE(store->push("t", {line}, origin_of(0, {cover_of("a", {{0, 10}})})));  // the answer was lost
    CHECK(only(store->ingester().ledger(), "t", "a").again.empty());
  }
  {
    auto store = Store::open(fs, small_log_files()).value();  // from the log
    CHECK(only(store->ingester().ledger(), "t", "a").settled == ByteRanges{{0, 10}});
    REQUIRE(store->push("t", {{"s", 2, "two", ""}}, origin_of(1, {cover_of("a", {{10, 20}})})));
    REQUIRE(store->push("t", {{"s", 3, "three", ""}}, origin_of(2, {cover_of("a", {{20, 30}})})));
    const std::size_t before = wal_files(fs);
    REQUIRE(store->ingester().flush());
    CHECK(wal_files(fs) < before);
  }
  for (int start = 0; start < 2; ++start) {
    auto store = Store::open(fs, small_log_files()).value();  // from the saved ledger and what is left of the log
    const LedgerFile file = only(store->ingester().ledger(), "t", "a");
    CHECK(file.settled == ByteRanges{{0, 30}});
    CHECK(file.again.empty());
    CHECK(file.entries == 3);
  }
}

TEST_CASE("covers may come without lines, and are known when they come again") {
  MemFilesystem fs;
  {
    auto store = Store::open(fs, small_log_files()).value();
    REQUIRE(store->push("t", {}, origin_of(0, {cover_of("a", {{0, 10}})})));
    REQUIRE(store->push("t", {}, origin_of(0, {cover_of("a", {{0, 10}})})));
    REQUIRE(store->push("t", {{"s", 2, "two", ""}}, origin_of(1, {cover_of("a", {{10, 20}})})));
  }
  auto store = Store::open(fs, small_log_files()).value();
  CHECK(only(store->ingester().ledger(), "t", "a").settled == ByteRanges{{0, 20}});
  CHECK(only(store->ingester().ledger(), "t", "a").again.empty());
  REQUIRE(store->push("t", {}, origin_of(0, {cover_of("a", {{0, 10}})})));
  CHECK(only(store->ingester().ledger(), "t", "a").again.empty());
  CHECK(store->read_all().size() == 1);
}

TEST_CASE("covers that were acknowledged outlive a disk that fails, and restarts") {
  for (const FaultKind kind : {FaultKind::kError, FaultKind::kShortWrite, FaultKind::kNoSpace}) {
    for (std::uint64_t calls = 0; calls < 40; ++calls) {
      CAPTURE(static_cast<int>(kind));
      CAPTURE(calls);
      check_covers_survive(calls, kind);
    }
  }
}

}  // namespace kvasir::ingest
