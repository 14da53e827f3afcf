#include "promtail-agent/positions.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "common/crc32c.h"
#include "common/fault_filesystem.h"
#include "common/mem_filesystem.h"

namespace kvasir::agent {

namespace {

FileRecord some_record() {
  FileRecord record;
  record.id = 77;
  record.job = "job\twith\ttabs";
  record.path = "/var/log/a\nb\\c.log";
  record.device = 1;
  record.inode = 2;
  record.offset = 300;
  record.head = {100, 100, 0xabcdef};
  record.anchor = {300, 200, 0x123456};
  record.marks = {{100, 100, 0x77}, {200, 200, 0x78}};
  return record;
}

}  // namespace

TEST_CASE("positions files as Promtail writes them are read") {
  const struct {
    const char* yaml;
    const char* key;
    const char* value;
  } good[] = {
      {"positions:\n  /var/log/syslog: \"8724\"\n", "/var/log/syslog", "8724"},
      {"positions:\n  '/a b': '4'\n", "/a b", "4"},
      {"positions:\n  /a: 12\n", "/a", "12"},
      {"positions:\n  cursor-j: s=1;i=2;b=3\n", "cursor-j", "s=1;i=2;b=3"},
      {"positions:\n  \"/a\\\"b\": \"1\"\n", "/a\"b", "1"},
  };
  for (const auto& c : good) {
    CAPTURE(c.yaml);
    const auto values = parse_positions(c.yaml);
    REQUIRE(values);
    CHECK(values->at(c.key) == c.value);
  }
  CHECK(parse_positions("")->empty());
  CHECK(parse_positions("positions: {}\n")->empty());
  for (const char* bad : {"positions: [", "positions:\n  /a: [1]\n", "other: {}\n", "- a\n", "positions: 5\n"}) {
    CAPTURE(bad);
    CHECK(!parse_positions(bad));
  }
}

TEST_CASE("positions read back as they were written") {
  const std::map<std::string, std::string> values = {{"/plain", "1"},
                                                     {"/with: colon", "2"},
                                                     {"/quote\"d", "3"},
                                                     {"/ü", "4"},
                                                     {"cursor-x", "s=3;i=5;b=0123456789abcdef;m=1"},
                                                     {"#hash", "yes"}};
  const auto again = parse_positions(print_positions(values));
  REQUIRE(again);
  CHECK(*again == values);
}

TEST_CASE("the state reads back as it was written, and any damage is noticed") {
  const FileRecord record = some_record();
  const std::string text = print_state({{record}, 7, 8});
  const auto again = parse_state(text);
  REQUIRE(again);
  REQUIRE(again->files.size() == 1);
  CHECK(again->files.front().path == record.path);
  CHECK(again->files.front().job == record.job);
  CHECK(again->files.front().offset == 300);
  CHECK(again->files.front().anchor == record.anchor);
  CHECK(again->files.front().marks == record.marks);
  CHECK(again->yaml_checksum == 7);
  CHECK(again->yaml_checksum_before == 8);
  for (std::size_t cut = 0; cut < text.size(); ++cut) CHECK(!parse_state(text.substr(0, cut)));
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x04);
    CHECK(!parse_state(damaged));
  }
}

TEST_CASE("a state of the version without marks is read") {
  const std::string body = "kvasir-agent-state 1\nyaml\t7\t8\njob\t/a.log\t5\t1\t2\t300\t100\t9\t300\t200\t11\t1\n";
  const auto state = parse_state(fmt::format("{}end {:08x}\n", body, crc32c(body)));
  REQUIRE(state);
  REQUIRE(state->files.size() == 1);
  CHECK(state->files.front().anchor == Fingerprint1K{300, 200, 11});
  CHECK(state->files.front().marks.empty());
}

TEST_CASE("a save that fails at any disk operation leaves the old or the new positions") {
  for (std::uint64_t k = 0;; ++k) {
    MemFilesystem disk;
    REQUIRE(disk.make_directories("/p"));
    {
      auto positions = Positions::open(disk, {"/p/positions.yaml"});
      REQUIRE(positions);
      (*positions)->put("cursor-a", "old");
      REQUIRE((*positions)->save());
    }
    FaultFilesystem faulty(disk);
    auto positions = Positions::open(faulty, {"/p/positions.yaml"});
    REQUIRE(positions);
    faulty.set_plan({k, 1, FaultKind::kShortWrite});
    (*positions)->put("cursor-a", "new");
    const auto saved = (*positions)->save();
    const bool fired = faulty.fired();
    faulty.set_plan({});
    auto reread = Positions::open(disk, {"/p/positions.yaml"});
    REQUIRE(reread);
    const std::string value = (*reread)->get("cursor-a").value_or("gone");
    CHECK((value == "new" || (value == "old" && !saved)));
    CHECK((*positions)->save());  // the next one tries again
    if (!fired) break;
  }
}

TEST_CASE("a crash between the two files, and an edit by hand") {
  MemFilesystem disk;
  FileRecord record = some_record();
  record.path = "/positions.yaml";  // any file that exists
  const auto save = [&](std::uint64_t offset) {
    auto positions = Positions::open(disk, {"/positions.yaml"});
    REQUIRE(positions);
    record.offset = offset;
    (*positions)->put_file(record);
    (*positions)->put(record.path, std::to_string(offset));
    REQUIRE((*positions)->save());
  };
  const auto offset_now = [&](bool trusted) {
    auto positions = Positions::open(disk, {"/positions.yaml"});
    REQUIRE(positions);
    CHECK((*positions)->trusts((*positions)->files_of(record.job).front()) == trusted);
    return (*positions)->get(record.path).value_or("");
  };
  save(100);
  save(100);
  const std::string older = *disk.read_all("/positions.yaml", 1000);
  save(300);
  CHECK(offset_now(true) == "300");
  REQUIRE(write_atomically(disk, "/positions.yaml", older));  // as if the second file had not been written
  CHECK(offset_now(true) == "300");
  REQUIRE(write_atomically(disk, "/positions.yaml", "positions:\n  /positions.yaml: \"5\"\n"));
  CHECK(offset_now(false) == "5");
}

TEST_CASE("an invalid file stops the start unless it is to be ignored") {
  MemFilesystem disk;
  auto file = disk.create("/positions.yaml");
  REQUIRE(file);
  REQUIRE((*file)->append("positions: ["));
  const auto refused = Positions::open(disk, {"/positions.yaml"});
  REQUIRE(!refused);
  CHECK(refused.error().message().starts_with("invalid yaml positions file [/positions.yaml]: "));
  const auto ignored = Positions::open(disk, {"/positions.yaml", true});
  REQUIRE(ignored);
  CHECK((*ignored)->keys().empty());
}

TEST_CASE("paths that lead nowhere are forgotten at a save, cursors stay") {
  MemFilesystem disk;
  auto positions = Positions::open(disk, {"/positions.yaml"});
  (*positions)->put("/gone.log", "5");
  (*positions)->put("cursor-j", "c");
  REQUIRE((*positions)->save());
  CHECK(!(*positions)->get("/gone.log"));
  CHECK((*positions)->get("cursor-j") == "c");
}

TEST_CASE("a spooled batch raises the offset of its file, and the yaml with it") {
  MemFilesystem disk;
  auto positions = Positions::open(disk, {"/positions.yaml"});
  const FileRecord record = some_record();
  (*positions)->put_file(record);
  (*positions)->put(record.path, "300");
  (*positions)->raise(record.key(), 250);
  CHECK((*positions)->files_of(record.job).front().offset == 300);
  (*positions)->raise(record.key(), 400);
  CHECK((*positions)->files_of(record.job).front().offset == 400);
  CHECK((*positions)->get(record.path) == "400");
}

namespace {

constexpr const char* kYaml = "/p/positions.yaml";
constexpr const char* kState = "/p/positions.yaml.state";

/// Two saves of a file whose path exists: 100, then 300 bytes of it are settled.
void save_twice(MemFilesystem& disk) {
  REQUIRE(disk.make_directories("/p"));
  for (const std::uint64_t offset : {100, 300}) {
    auto positions = Positions::open(disk, {kYaml});
    REQUIRE(positions);
    FileRecord record = some_record();
    record.path = kYaml;
    record.offset = offset;
    (*positions)->put_file(record);
    (*positions)->put(record.path, std::to_string(offset));
    REQUIRE((*positions)->save());
  }
}

using Damage = std::function<void(std::string&)>;
const Damage kDamages[] = {
    [](std::string& bytes) { bytes.clear(); },
    [](std::string& bytes) { bytes.resize(bytes.size() / 2); },
    [](std::string& bytes) { bytes.assign(bytes.size(), '\0'); },
    [](std::string& bytes) { bytes.replace(bytes.size() / 2, 8, "\xff\x00\x17garb", 8); },
};

void damage_file(MemFilesystem& disk, const std::string& path, const Damage& damage) {
  std::string bytes = disk.read_all(path, 1 << 20).value();
  damage(bytes);
  REQUIRE(write_atomically(disk, path, bytes));
}

}  // namespace

TEST_CASE("of a damaged state the one before is used, and nothing is taken for read that it does not have") {
  for (const Damage& damage : kDamages) {
    MemFilesystem disk;
    save_twice(disk);
    damage_file(disk, kState, damage);
    auto positions = Positions::open(disk, {kYaml});
    REQUIRE(positions);
    CHECK((*positions)->damaged() == 1);
    const auto files = (*positions)->files_of(some_record().job);
    REQUIRE(files.size() == 1);
    CHECK(files[0].offset == 100);
    CHECK((*positions)->trusts(files[0]));
    CHECK((*positions)->get(kYaml) == "100");
    CHECK(disk.status("/p/positions.yaml.state.damaged")->has_value());
    (*positions)->put_file(files[0]);
    (*positions)->put("cursor-x", "1");
    REQUIRE((*positions)->save());
    CHECK(Positions::open(disk, {kYaml}).value()->damaged() == 0);
  }
}

TEST_CASE("with every state damaged no position counts for a file that may be another one") {
  MemFilesystem disk;
  save_twice(disk);
  for (const char* state : {"/p/positions.yaml.state", "/p/positions.yaml.state.before"})
    damage_file(disk, state, kDamages[1]);
  auto positions = Positions::open(disk, {kYaml});
  REQUIRE(positions);
  CHECK((*positions)->damaged() == 2);
  CHECK((*positions)->files_of(some_record().job).empty());
  REQUIRE((*positions)->files_at(kYaml).has_value());  // known: no file at all, so the path's offset is nobody's
  CHECK((*positions)->files_at(kYaml)->empty());
}

TEST_CASE("a crash between the two names of the state leaves the one before") {
  MemFilesystem disk;
  save_twice(disk);
  REQUIRE(disk.rename(kState, "/p/positions.yaml.state.before"));
  auto positions = Positions::open(disk, {kYaml});
  REQUIRE(positions);
  CHECK((*positions)->damaged() == 0);
  CHECK((*positions)->files_of(some_record().job).at(0).offset == 300);
}

TEST_CASE("a state that may not be read, or has a newer form, stops the start") {
  MemFilesystem disk;
  save_twice(disk);
  damage_file(disk, kState, [](std::string& bytes) {
    bytes[bytes.find('3')] = '9';
    bytes.resize(bytes.rfind("end "));
    bytes += fmt::format("end {:08x}\n", crc32c(bytes));
  });
  const auto newer = Positions::open(disk, {kYaml});
  REQUIRE(!newer);
  CHECK(newer.error().code() == ErrorCode::kUnsupported);
}

TEST_CASE("damaged batches send files back to what had arrived when nothing waited on disk") {
  MemFilesystem disk;
  FileRecord record = some_record();
  record.path = kYaml;
  REQUIRE(disk.make_directories("/p"));
  bool delivered = true;
  {
    auto positions = Positions::open(disk, {kYaml});
    REQUIRE(positions);
    (*positions)->set_delivered_check([&] { return delivered; });
    for (const std::uint64_t offset : {200, 300}) {  // the second while batches wait on disk
      record.offset = offset;
      (*positions)->put_file(record);
      (*positions)->put(record.path, std::to_string(offset));
      REQUIRE((*positions)->save());
      delivered = false;
    }
  }
  auto positions = Positions::open(disk, {kYaml});
  REQUIRE(positions);
  CHECK((*positions)->files_of(record.job).at(0).offset == 300);
  (*positions)->go_back_to_delivered();
  (*positions)->raise(record.key(), 280);  // of a batch that is whole: it does not tell of those before it
  CHECK((*positions)->files_of(record.job).at(0).offset == 200);
  CHECK((*positions)->get(kYaml) == "200");
}

}  // namespace kvasir::agent
