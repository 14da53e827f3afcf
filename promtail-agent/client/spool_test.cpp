#include "promtail-agent/client/spool.h"

#include <doctest/doctest.h>

#include "common/crash_filesystem.h"
#include "common/fault_filesystem.h"

namespace kvasir::agent {

namespace {

SpoolRecord record_of(std::uint64_t sequence) {
  return {"host-1", sequence, "tenant", 3, 100, {{"file/1", 4096 + sequence}}, "body " + std::to_string(sequence)};
}

}  // namespace

TEST_CASE("a spool record reads back, and any damage is noticed") {
  const std::string bytes = encode_spool_record(record_of(5));
  const auto again = decode_spool_record(bytes);
  REQUIRE(again);
  CHECK(again->origin == "host-1");
  CHECK(again->sequence == 5);
  CHECK(again->positions == SourcePositions{{"file/1", 4101}});
  CHECK(again->body == "body 5");
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) CHECK(!decode_spool_record(bytes.substr(0, cut)));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    CHECK(!decode_spool_record(damaged));
  }
  std::string newer = bytes;
  newer[7] = '2';
  CHECK(decode_spool_record(newer).error().code() == ErrorCode::kUnsupported);
}

TEST_CASE("records are there after a restart until they were removed and purged") {
  MemFilesystem disk;
  {
    auto spool = Spool::open(disk, "/s", {});
    REQUIRE(spool);
    for (std::uint64_t i = 1; i <= 3; ++i) CHECK(*(*spool)->append(record_of(i)) == i);
    (*spool)->remove(1);
    (*spool)->purge((*spool)->take_removed());
    (*spool)->remove(2);  // not purged: comes back
  }
  auto spool = Spool::open(disk, "/s", {});
  REQUIRE(spool);
  REQUIRE((*spool)->found().size() == 2);
  CHECK((*spool)->found()[0].record.sequence == 2);
  CHECK((*spool)->read(3)->body == "body 3");
  CHECK(*(*spool)->append(record_of(4)) == 4);
}

TEST_CASE("a full spool takes nothing until something is removed") {
  MemFilesystem disk;
  const std::uint64_t size = encode_spool_record(record_of(1)).size();
  auto spool = Spool::open(disk, "/s", {2 * size, true});
  REQUIRE(spool);
  CHECK((*spool)->append(record_of(1)));
  CHECK((*spool)->append(record_of(2)));
  CHECK((*spool)->append(record_of(3)).error().code() == ErrorCode::kLimitExceeded);
  (*spool)->remove(1);
  CHECK((*spool)->append(record_of(3)));
}

TEST_CASE("what append promised survives a power cut, and nothing else appears") {
  for (std::uint64_t k = 0;; ++k) {
    CrashFilesystem disk;
    FaultFilesystem faulty(disk, {k, 1, FaultKind::kShortWrite});
    std::vector<std::uint64_t> promised;
    if (auto spool = Spool::open(faulty, "/s", {})) {
      for (std::uint64_t i = 1; i <= 4; ++i) {
        if ((*spool)->append(record_of(i))) promised.push_back(i);
      }
    }
    const bool fired = faulty.fired();
    disk.crash({TornWrite::kGarbled, k});
    auto spool = Spool::open(disk, "/s", {});
    REQUIRE(spool);
    std::vector<std::uint64_t> found;
    for (const auto& item : (*spool)->found()) found.push_back(item.record.sequence);
    CHECK(found == promised);
    if (!fired) break;
  }
}

TEST_CASE("a batch that was not finished has no name and is no damage") {
  MemFilesystem fs;
  { (void)Spool::open(fs, "/spool", {}).value(); }
  REQUIRE(write_atomically(fs, "/spool/00000000000000000007.batch.tm", "half"));
  REQUIRE(fs.rename("/spool/00000000000000000007.batch.tm", "/spool/00000000000000000007.batch.tmp"));
  auto spool = Spool::open(fs, "/spool", {}).value();
  CHECK(spool->damaged() == 0);
  CHECK(fs.list("/spool").value().empty());
}

TEST_CASE("of damaged files the spool keeps the rest, and leaves those of a newer format alone") {
  MemFilesystem fs;
  std::vector<std::uint64_t> numbers;
  {
    auto spool = Spool::open(fs, "/spool", {}).value();
    for (const char* body : {"one", "two", "three", "four"}) {
      SpoolRecord record;
      record.body = body;
      numbers.push_back(spool->append(record).value());
    }
  }
  const auto names = fs.list("/spool").value();
  REQUIRE(names.size() == 4);
  const auto rewrite = [&](std::size_t i, const std::function<void(std::string&)>& change) {
    const std::string path = "/spool/" + names[i];
    std::string bytes = fs.read_all(path, 1 << 20).value();
    change(bytes);
    REQUIRE(write_atomically(fs, path, bytes));
  };
  rewrite(0, [](std::string& bytes) { bytes.back() ^= 1; });
  rewrite(1, [](std::string& bytes) { bytes[7] = '2'; });
  rewrite(3, [](std::string& bytes) { bytes.resize(bytes.size() / 2); });
  REQUIRE(write_atomically(fs, "/spool/of somebody else", "x"));
  auto spool = Spool::open(fs, "/spool", {}).value();
  CHECK(spool->damaged() == 2);
  REQUIRE(spool->found().size() == 1);
  CHECK(spool->read(spool->found().front().number).value().body == "three");
  CHECK(fs.status("/spool/" + names[1])->has_value());
  CHECK_FALSE(fs.status("/spool/" + names[0])->has_value());
  CHECK(fs.status("/spool/" + names[0] + ".damaged")->has_value());
  CHECK(spool->append({}).value() > numbers.back());
}

}  // namespace kvasir::agent
