// The write path under a disk that fails: every operation of a scenario is made to fail, once or from then on, and the
// power is cut at every operation. Law: acknowledged is a subset of recovered, recovered is a subset of sent, each
// entry once.
#include <doctest/doctest.h>

#include <thread>

#include "common/crash_filesystem.h"
#include "common/fault_filesystem.h"
#include "common/log.h"
#include "ingest/ingest_scenario.h"
#include "ingest/rewrite.h"

namespace kvasir::ingest {
namespace {

struct Ledger {
  Found sent;
  Found acknowledged;
};

IngesterOptions by_hand() {
  IngesterOptions options;
  options.background = false;
  options.chunk_bytes = 300;
  options.segment_bytes = 600;
  options.block_bytes = 400;
  options.wal_segment_bytes = 700;   // several files
  options.wal_rotate_bytes_min = 1;
  return options;
}

std::vector<TestEntry> batch_of(int number) {
  std::vector<TestEntry> entries;
  for (int i = 0; i < 7; ++i) {
    entries.push_back({"s" + std::to_string((number + i) % 3), 1000 + number * 5 + i * 3 % 7,
                       "batch " + std::to_string(number) + " entry " + std::to_string(i) + std::string(20, '.'),
                       i % 3 == 0 ? "trace" + std::to_string(number) : ""});
  }
  return entries;
}

constexpr int kAttempts = 2;

/// Pushes until it is acknowledged, at most twice, as a client that tries again does.
void push_noting(Store& store, Ledger& ledger, const std::string& tenant, const std::vector<TestEntry>& entries) {
  for (const auto& entry : entries) ledger.sent[entry_key(tenant, entry)] = 1;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto answer = store.push(tenant, entries);
    if (!answer || !answer->empty()) continue;
    for (const auto& entry : entries) ledger.acknowledged[entry_key(tenant, entry)] = 1;
    return;
  }
}

/// Pushes, flushes and restarts; every step may fail.
void run_scenario(Filesystem& fs, Ledger& ledger) {
  int number = 0;
  for (int life = 0; life < 3; ++life) {
    auto store = Store::open(fs, by_hand());
    if (!store) continue;
    for (int step = 0; step < 4; ++step) {
      push_noting(**store, ledger, number % 2 == 0 ? "t" : "u", batch_of(number));
      ++number;
      if (step == 1) (void)(*store)->ingester().flush();
      if ((*store)->died()) break;
    }
    if (life == 1) (*store)->ingester().close(true);
  }
}

/// Odd ones: streams that nothing else has, whose block merges copy. Even ones: a stream whose blocks overlap.
std::vector<TestEntry> batch_to_merge(int number) {
  std::vector<TestEntry> entries;
  for (int i = 0; i < 400; ++i) {
    const std::string line = R"({"level":"info","batch":)" + std::to_string(number) + R"(,"took_ms":)" +
                             std::to_string(i * 37 % 101) + R"(,"msg":"request finished"})";
    const std::string own = "own" + std::to_string(number) + (i % 2 == 0 ? "even" : "odd");
    const std::string trace = i % 5 == 0 ? "trace" + std::to_string(i) : "";
    entries.push_back({number % 2 == 0 ? "both" : own, number * 150 + i, line, trace});
  }
  return entries;
}

IngesterOptions for_merges() {
  IngesterOptions options;
  options.background = false;
  return options;
}

/// Pushes, flushes, and merges all segments; every step may fail. Gives how many rows were copied.
std::uint64_t run_merges(Filesystem& fs, Ledger& ledger) {
  std::uint64_t copied = 0;
  int number = 0;
  for (int life = 0; life < 2; ++life) {
    auto store = Store::open(fs, for_merges());
    if (!store) continue;
    for (int step = 0; step < 3 && !(*store)->died(); ++step) {
      push_noting(**store, ledger, "t", batch_to_merge(number++));
      (void)(*store)->ingester().flush();
    }
    auto* const tenant = (*store)->storage().find("t");
    if (tenant == nullptr || tenant->segments()->segments.empty()) continue;
    RewriteOptions options;
    options.dense_bytes_min = 1;
    const auto outcome = rewrite_segments(*tenant, tenant->segments()->segments, fs, options);
    if (outcome) copied += outcome->rows_copied;
  }
  return copied;
}

Found without_sequences(const Found& rows) {
  Found found;
  for (const auto& [key, times] : rows) found[key.substr(0, key.rfind('#'))] += times;
  return found;
}

/// What a fresh start finds, row by row; an open that fails is a broken law of its own.
Found recover(Filesystem& fs) {
  auto store = Store::open(fs, by_hand());
  REQUIRE_MESSAGE(store.has_value(), (store ? std::string() : store.error().message()));
  Found found = (*store)->read_rows();
  REQUIRE((*store)->ingester().flush());
  CHECK((*store)->read_all().size() == without_sequences(found).size());
  return found;
}

/// An entry that was sent twice may be stored as two rows, which queries show as one; no row may be there twice.
void check_law(const Ledger& ledger, const Found& rows, std::uint64_t k) {
  const Found found = without_sequences(rows);
  for (const auto& [key, times] : ledger.acknowledged) {
    CHECK_MESSAGE(found.contains(key), "lost at operation " << k << ": " << key);
  }
  for (const auto& [key, times] : found) {
    CHECK_MESSAGE(ledger.sent.contains(key), "never sent, operation " << k << ": " << key);
    CHECK_MESSAGE(times <= kAttempts, "more often than sent, operation " << k << ": " << key);
  }
  for (const auto& [key, times] : rows) CHECK_MESSAGE(times == 1, "more than once, operation " << k << ": " << key);
}

struct Quiet {
  Quiet() { log::set_level(log::Level::kError); }
  ~Quiet() { log::set_level(log::Level::kInfo); }
};

}  // namespace

TEST_CASE_FIXTURE(Quiet, "any one disk operation fails") {
  for (const FaultKind kind : {FaultKind::kError, FaultKind::kShortWrite}) {
    std::uint64_t k = 0;
    for (;; k += kind == FaultKind::kError ? 1 : 3) {
      MemFilesystem disk;
      FaultFilesystem fs(disk, {.first = k, .kind = kind});
      Ledger ledger;
      run_scenario(fs, ledger);
      check_law(ledger, recover(disk), k);
      if (!fs.fired()) break;
    }
    CHECK(k > 100);
  }
}

TEST_CASE_FIXTURE(Quiet, "any one disk operation fails while segments are merged") {
  for (const FaultKind kind : {FaultKind::kError, FaultKind::kShortWrite, FaultKind::kNoSpace}) {
    std::uint64_t k = 0, copied = 0;
    for (;; ++k) {
      MemFilesystem disk;
      FaultFilesystem fs(disk, {.first = k, .count = kind == FaultKind::kNoSpace ? 25u : 1u, .kind = kind});
      Ledger ledger;
      copied = run_merges(fs, ledger);
      check_law(ledger, recover(disk), k);
      if (!fs.fired()) break;
    }
    CHECK(k > 30);
    CHECK(copied > 0);  // when nothing fails
  }
}

TEST_CASE_FIXTURE(Quiet, "the power is cut at any disk operation of a merge") {
  for (const TornWrite torn : {TornWrite::kNone, TornWrite::kPartial, TornWrite::kGarbled}) {
    for (std::uint64_t k = 0;; ++k) {
      CrashFilesystem disk;
      FaultFilesystem fs(disk, {.first = k, .count = UINT64_MAX});
      Ledger ledger;
      run_merges(fs, ledger);
      disk.crash({.torn = torn, .seed = k});
      check_law(ledger, recover(disk), k);
      if (!fs.fired()) break;
    }
  }
}

TEST_CASE_FIXTURE(Quiet, "any two disk operations fail") {
  for (std::uint64_t k = 0;; k += 7) {
    MemFilesystem disk;
    FaultFilesystem fs(disk, {.first = k, .kind = FaultKind::kShortWrite});
    FaultFilesystem outer(fs, {.first = k + 1 + k % 17, .kind = FaultKind::kError});
    Ledger ledger;
    run_scenario(outer, ledger);
    check_law(ledger, recover(disk), k);
    if (!fs.fired() && !outer.fired()) break;
  }
}

TEST_CASE_FIXTURE(Quiet, "the disk is full from some operation on, then there is room again") {
  for (std::uint64_t k = 0;; k += 3) {
    MemFilesystem disk;
    FaultFilesystem fs(disk, {.first = k, .count = 25, .kind = FaultKind::kNoSpace});
    Ledger ledger;
    run_scenario(fs, ledger);
    check_law(ledger, recover(disk), k);
    if (!fs.fired()) break;
  }
}

TEST_CASE_FIXTURE(Quiet, "the power is cut at any disk operation") {
  for (const TornWrite torn : {TornWrite::kNone, TornWrite::kPartial, TornWrite::kGarbled}) {
    for (std::uint64_t k = static_cast<std::uint64_t>(torn);; k += 3) {
      CrashFilesystem disk;
      FaultFilesystem fs(disk, {.first = k, .count = UINT64_MAX});
      Ledger ledger;
      run_scenario(fs, ledger);
      disk.crash({.torn = torn, .seed = k});
      check_law(ledger, recover(disk), k);
      if (!fs.fired()) break;
    }
  }
}

TEST_CASE_FIXTURE(Quiet, "the power is cut, and again while the start recovers") {
  for (std::uint64_t k = 60;; k += 41) {
    CrashFilesystem disk;
    FaultFilesystem fs(disk, {.first = k, .count = UINT64_MAX});
    Ledger ledger;
    run_scenario(fs, ledger);
    const bool fired = fs.fired();
    disk.crash({.torn = TornWrite::kPartial, .seed = k});
    for (std::uint64_t again = 2; again < 40; again += 7) {
      fs.set_plan({.first = again, .count = UINT64_MAX});
      run_scenario(fs, ledger);
      disk.crash({.torn = TornWrite::kGarbled, .seed = k + again});
    }
    check_law(ledger, recover(disk), k);
    if (!fired) break;
  }
}

TEST_CASE_FIXTURE(Quiet, "the power is cut while threads push, seal and flush") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CrashFilesystem disk;
    FaultFilesystem fs(disk, {.first = 40 + seed * 37, .count = UINT64_MAX});
    std::array<Ledger, 3> ledgers;
    {
      IngesterOptions options = by_hand();
      options.background = true;
      options.flush_delay = Duration(0);
      auto store = Store::open(fs, options);
      if (!store) continue;
      std::vector<std::thread> pushers;
      for (int p = 0; p < 3; ++p) {
        pushers.emplace_back([&, p] {
          for (int i = 0; i < 30 && !(*store)->died(); ++i)
            push_noting(**store, ledgers[p], "t", batch_of(p * 1000 + i));
        });
      }
      for (auto& pusher : pushers) pusher.join();
    }
    disk.crash({.torn = TornWrite::kGarbled, .seed = seed});
    Ledger all;
    for (const auto& ledger : ledgers) {
      all.sent.insert(ledger.sent.begin(), ledger.sent.end());
      all.acknowledged.insert(ledger.acknowledged.begin(), ledger.acknowledged.end());
    }
    check_law(all, recover(disk), seed);
  }
}

TEST_CASE_FIXTURE(Quiet, "log files that end anywhere, or have damaged bytes, lose nothing before the damage") {
  MemFilesystem disk;
  IngesterOptions options = by_hand();
  options.wal_segment_bytes = 1 << 20;  // one file
  Ledger ledger;
  std::vector<std::pair<std::uint64_t, Found>> acknowledged_at;  // size of the file -> what was acknowledged
  const Path path = wal_file_path("data/wal", 1);
  {
    auto store = Store::open(disk, options).value();
    for (int i = 0; i < 5; ++i) {
      push_noting(*store, ledger, "t", batch_of(i));
      acknowledged_at.emplace_back(disk.status(path).value()->size, ledger.acknowledged);
    }
  }
  const std::string whole = disk.read_all(path, 1 << 20).value();
  for (std::size_t size = 0; size <= whole.size(); size += 13) {
    for (const bool garbled : {false, true}) {
      std::string bytes = whole.substr(0, garbled ? whole.size() : size);
      if (garbled && size < bytes.size()) bytes[size] ^= 0x55;
      if (garbled && size < 8) continue;  // the magic: refused, which the format page says
      MemFilesystem copy;
      REQUIRE(copy.make_directories("data/wal"));
      REQUIRE(write_atomically(copy, path, bytes));
      const Found found = recover(copy);
      Ledger before{ledger.sent, {}};
      for (const auto& [end, acknowledged] : acknowledged_at) {
        if (end <= size) before.acknowledged = acknowledged;
      }
      check_law(before, found, size);
    }
  }
}

}  // namespace kvasir::ingest
