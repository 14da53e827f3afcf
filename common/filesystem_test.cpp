#include "common/filesystem.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <functional>

#include "common/atomic_file.h"
#include "common/crash_filesystem.h"
#include "common/fault_filesystem.h"
#include "common/mem_filesystem.h"

namespace kvasir {
namespace {

void put(Filesystem& fs, const Path& path, std::string_view bytes, bool sync = true) {
  auto file = fs.create(path);
  REQUIRE(file);
  REQUIRE((*file)->append(bytes));
  if (sync) REQUIRE((*file)->sync());
  REQUIRE((*file)->close());
}

std::string get(Filesystem& fs, const Path& path) {
  auto bytes = fs.read_all(path, 1 << 20);
  return bytes ? *bytes : "error: " + bytes.error().message();
}

bool exists(Filesystem& fs, const Path& path) { return fs.status(path).value().has_value(); }

/// What every filesystem must do; `root` is an empty folder.
void filesystem_suite(Filesystem& fs, const Path& root) {
  const Path folder = join_path(root, "a/b");
  const Path file = join_path(folder, "file");
  REQUIRE(fs.make_directories(folder));
  REQUIRE(fs.make_directories(folder));
  CHECK(fs.status(folder).value()->is_directory);
  CHECK_FALSE(exists(fs, file));
  CHECK(fs.read_all(file, 10).error().code() == ErrorCode::kNotFound);
  CHECK(fs.open_random(file).error().code() == ErrorCode::kNotFound);
  CHECK(fs.create(join_path(root, "missing/file")).error().code() == ErrorCode::kNotFound);

  put(fs, file, std::string_view("one\0two", 7));
  CHECK(get(fs, file) == std::string("one\0two", 7));
  CHECK(fs.status(file).value()->size == 7);
  CHECK(fs.read_all(file, 6).error().code() == ErrorCode::kLimitExceeded);

  auto again = fs.open_append(file);
  REQUIRE(again);
  CHECK((*again)->append("+three"));
  CHECK((*again)->sync());
  CHECK((*again)->close());
  auto random = fs.open_random(file);
  REQUIRE(random);
  CHECK((*random)->size() == 13);
  CHECK((*random)->view(7, 6).value() == "+three");
  CHECK((*random)->view(13, 0).value().empty());
  CHECK((*random)->view(13, 1).error().code() == ErrorCode::kIo);
  CHECK((*random)->view(UINT64_MAX, 2).error().code() == ErrorCode::kIo);

  put(fs, join_path(folder, "other"), "x");
  CHECK(fs.list(folder).value() == std::vector<std::string>{"file", "other"});
  CHECK(fs.list(root).value() == std::vector<std::string>{"a"});
  CHECK(fs.list(join_path(root, "none")).error().code() == ErrorCode::kNotFound);
  CHECK(fs.rename(file, join_path(folder, "other")));
  CHECK(get(fs, join_path(folder, "other")).size() == 13);
  CHECK_FALSE(exists(fs, file));
  CHECK((*random)->view(0, 3).value() == "one");  // an open file outlives its name
  CHECK(fs.rename(file, join_path(folder, "z")).error().code() == ErrorCode::kNotFound);

  CHECK(fs.truncate(join_path(folder, "other"), 3));
  CHECK(get(fs, join_path(folder, "other")) == "one");
  CHECK(fs.sync_dir(folder));
  CHECK_FALSE(fs.remove(folder));
  CHECK(fs.remove(join_path(folder, "other")));
  CHECK(fs.remove(join_path(folder, "other")).error().code() == ErrorCode::kNotFound);
  CHECK(fs.remove(folder));
  CHECK_FALSE(exists(fs, folder));

  CHECK(write_atomically(fs, join_path(root, "whole"), "first"));
  CHECK(write_atomically(fs, join_path(root, "whole"), "second"));
  CHECK(get(fs, join_path(root, "whole")) == "second");
  CHECK(fs.list(root).value() == std::vector<std::string>{"a", "whole"});
}

struct TemporaryFolder {
  TemporaryFolder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~TemporaryFolder() {
    const std::string command = "rm -rf " + path;
    (void)!::system(command.c_str());
  }
  Path path = "/tmp/kvasir_fs_XXXXXX";
};

}  // namespace

TEST_CASE("every filesystem does the same") {
  SUBCASE("posix") {
    const TemporaryFolder folder;
    filesystem_suite(posix_filesystem(), folder.path);
  }
  SUBCASE("memory") {
    MemFilesystem fs;
    filesystem_suite(fs, ".");
    REQUIRE(fs.make_directories("/data"));
  }
  SUBCASE("memory, absolute") {
    MemFilesystem fs;
    REQUIRE(fs.make_directories("/data"));
    filesystem_suite(fs, "/data");
  }
  SUBCASE("crash") {
    CrashFilesystem fs;
    filesystem_suite(fs, ".");
  }
  SUBCASE("fault without a plan") {
    MemFilesystem inner;
    FaultFilesystem fs(inner);
    filesystem_suite(fs, ".");
    CHECK_FALSE(fs.fired());
    CHECK(fs.calls() > 30);
  }
}

TEST_CASE("paths") {
  CHECK(join_path("a", "b") == "a/b");
  CHECK(join_path("a/", "b") == "a/b");
  CHECK(join_path("/", "b") == "/b");
  CHECK(join_path("", "b") == "b");
  CHECK(parent_directory("a/b/c") == "a/b");
  CHECK(parent_directory("a/b/") == "a");
  CHECK(parent_directory("c") == ".");
  CHECK(parent_directory("/c") == "/");
  CHECK(parent_directory("/") == "/");
  CHECK(parent_directory("") == ".");
}

TEST_CASE("a power cut drops what was not synced") {
  CrashFilesystem fs;
  REQUIRE(fs.make_directories("d"));
  put(fs, "d/named", "12345");
  REQUIRE(fs.sync_dir("d"));
  put(fs, "d/unnamed", "12345");
  auto tail = fs.open_append("d/named");
  REQUIRE((*tail)->append("67890"));
  REQUIRE(fs.rename("d/named", "d/moved"));
  SUBCASE("all of it") {
    fs.crash();
    CHECK(fs.list("d").value() == std::vector<std::string>{"named"});
    CHECK(get(fs, "d/named") == "12345");
    CHECK_FALSE((*tail)->append("x"));
  }
  SUBCASE("a torn write leaves a prefix of what was written") {
    fs.crash({.torn = TornWrite::kPartial, .seed = 7});
    CHECK(std::string("1234567890").starts_with(get(fs, "d/named")));
    CHECK(get(fs, "d/named").size() >= 5);
  }
  SUBCASE("a garbled write never touches synced bytes") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      fs.crash({.torn = TornWrite::kGarbled, .seed = seed});
      CHECK(get(fs, "d/named").starts_with("12345"));
    }
  }
  SUBCASE("a synced rename and removal stay") {
    REQUIRE((*tail)->sync());
    REQUIRE(fs.remove("d/unnamed"));
    REQUIRE(fs.sync_dir("d"));
    fs.crash();
    CHECK(fs.list("d").value() == std::vector<std::string>{"moved"});
    CHECK(get(fs, "d/moved") == "1234567890");
  }
}

TEST_CASE("write_atomically leaves the old or the new content, whatever call fails and wherever the power is cut") {
  for (std::uint64_t k = 0;; ++k) {
    CrashFilesystem disk;
    REQUIRE(write_atomically(disk, "f", "old"));
    FaultFilesystem fs(disk, {.first = k, .count = UINT64_MAX});
    const auto written = write_atomically(fs, "f", "new content");
    disk.crash({.torn = TornWrite::kPartial, .seed = k});
    const std::string found = get(disk, "f");
    CHECK((found == "old" || found == "new content"));
    if (written) CHECK(found == "new content");
    if (!fs.fired()) break;
  }
}

TEST_CASE("an atomic file shows nothing before commit(), whatever call fails and wherever the power is cut") {
  for (std::uint64_t k = 0;; ++k) {
    CrashFilesystem disk;
    REQUIRE(write_atomically(disk, "f", "old"));
    FaultFilesystem fs(disk, {.first = k, .count = UINT64_MAX});
    bool committed = false;
    if (auto file = AtomicFile::create(fs, "f")) {
      const bool appended = (*file)->append("new ") && (*file)->append("content");
      CHECK(get(disk, "f") == "old");
      committed = appended && (*file)->commit();
    }
    if (committed) CHECK_FALSE(exists(disk, "f.tmp"));
    disk.crash({.torn = TornWrite::kPartial, .seed = k});
    const std::string found = get(disk, "f");
    CHECK((found == "old" || found == "new content"));
    if (committed) CHECK(found == "new content");
    if (!fs.fired()) break;
  }
  MemFilesystem disk;
  { REQUIRE((*AtomicFile::create(disk, "f"))->append("given up")); }
  CHECK(disk.list(".").value().empty());
}

TEST_CASE("faults") {
  MemFilesystem disk;
  FaultFilesystem fs(disk);
  SUBCASE("once") {
    fs.set_plan({.first = 1});
    auto file = fs.create("f");
    REQUIRE(file);
    CHECK((*file)->append("lost").error().code() == ErrorCode::kIo);
    CHECK((*file)->append("kept"));
    CHECK(get(disk, "f") == "kept");
  }
  SUBCASE("short write") {
    fs.set_plan({.first = 1, .count = UINT64_MAX, .kind = FaultKind::kShortWrite});
    auto file = fs.create("f");
    CHECK_FALSE((*file)->append("1234"));
    CHECK_FALSE((*file)->sync());
    CHECK(get(disk, "f") == "12");
  }
  SUBCASE("a full disk still reads, syncs and removes") {
    put(fs, "f", "1");
    fs.set_plan({.first = 0, .count = UINT64_MAX, .kind = FaultKind::kNoSpace});
    CHECK(fs.create("g").error().message() == "create g: no space left on device");
    CHECK(get(fs, "f") == "1");
    CHECK(fs.sync_dir("."));
    CHECK(fs.remove("f"));
    fs.set_plan({});
    put(fs, "g", "2");
    CHECK(get(fs, "g") == "2");
  }
}

}  // namespace kvasir
