#include "server/data_folder.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/mem_filesystem.h"

namespace kvasir::server {
namespace {

void put(MemFilesystem& fs, const Path& path, std::string_view text) {
  REQUIRE(fs.make_directories(parent_directory(path)));
  REQUIRE(write_atomically(fs, path, text));
}

}  // namespace

TEST_CASE("a data folder has one owner") {
  char folder[] = "/tmp/kvasir_lock_test_XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  {
    const auto first = DataFolderLock::take(folder);
    REQUIRE(first.has_value());
    const auto second = DataFolderLock::take(folder);  // flock is of the open file, so the same process is refused too
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code() == ErrorCode::kUnavailable);
    CHECK(second.error().message().find("is in use by another server (process ") != std::string::npos);
  }
  CHECK(DataFolderLock::take(folder).has_value());
  CHECK(free_disk_bytes(folder).value() > 0);
  CHECK_FALSE(DataFolderLock::take("/proc/no/such/folder").has_value());
  REQUIRE(posix_filesystem().remove(std::string(folder) + "/lock"));
  CHECK(::rmdir(folder) == 0);
}

TEST_CASE("the memory of the control group counts, and of those around it the smallest") {
  MemFilesystem fs;
  CHECK(control_group_memory(fs) == 0);
  put(fs, "/proc/self/cgroup", "0::/pods/one\n");
  CHECK(control_group_memory(fs) == 0);
  put(fs, "/sys/fs/cgroup/pods/one/memory.max", "max\n");
  CHECK(control_group_memory(fs) == 0);
  put(fs, "/sys/fs/cgroup/pods/memory.max", "300000000\n");
  CHECK(control_group_memory(fs) == 300'000'000);
  put(fs, "/sys/fs/cgroup/pods/one/memory.max", "200000000\n");
  CHECK(control_group_memory(fs) == 200'000'000);
  put(fs, "/proc/self/cgroup", "0::/\n");  // as seen from inside a container
  CHECK(control_group_memory(fs) == 0);
  put(fs, "/sys/fs/cgroup/memory.max", "100000000\n");
  CHECK(control_group_memory(fs) == 100'000'000);
  put(fs, "/proc/self/cgroup", "4:memory:/docker/x\n1:cpu:/\n");
  put(fs, "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(control_group_memory(fs) == 0);
  put(fs, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "50000000\n");
  CHECK(control_group_memory(fs) == 50'000'000);
  CHECK(usable_memory(fs) <= 50'000'000);
}

}  // namespace kvasir::server
