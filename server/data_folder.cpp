#include "server/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "common/number.h"

namespace kvasir::server {
namespace {

constexpr std::uint64_t kSmallFileMax = 64 << 10;
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;  // cgroup v1 writes "no limit" as a number near 2^63

Unexpected system_failure(const std::string& what, const Path& path) {
  return fail(ErrorCode::kIo, what + " " + path + ": " + std::strerror(errno));
}

std::string owner_of(int descriptor) {
  char text[32] = {};
  const ssize_t got = ::pread(descriptor, text, sizeof text - 1, 0);
  std::string owner(text, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  while (!owner.empty() && (owner.back() < '0' || owner.back() > '9')) owner.pop_back();
  return owner;
}

/// The number in a file of one line; 0 if there is none, or "max".
std::uint64_t number_in(Filesystem& filesystem, const Path& path) {
  auto text = filesystem.read_all(path, kSmallFileMax);
  if (!text) return 0;
  while (!text->empty() && text->back() == '\n') text->pop_back();
  const auto number = parse_int64(*text);
  return number && *number > 0 && static_cast<std::uint64_t>(*number) < kNoLimit ? static_cast<std::uint64_t>(*number)
                                                                                 : 0;
}

std::uint64_t smaller_limit(std::uint64_t a, std::uint64_t b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

/// The limits of a group and of those around it.
std::uint64_t limit_above(Filesystem& filesystem, const Path& root, std::string group, const std::string& file) {
  std::uint64_t limit = 0;
  for (;;) {
    limit = smaller_limit(limit, number_in(filesystem, root + group + "/" + file));
    if (group.empty() || group == "/") return smaller_limit(limit, number_in(filesystem, root + "/" + file));
    group.resize(group.rfind('/'));
  }
}

}  // namespace

Result<std::unique_ptr<DataFolderLock>> DataFolderLock::take(const Path& folder) {
  const Path path = join_path(folder, "lock");
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return system_failure("open", path);
  auto lock = std::make_unique<DataFolderLock>(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_failure("lock", path);
    const std::string owner = owner_of(descriptor);
    return fail(ErrorCode::kUnavailable, "data folder " + folder + " is in use by another server" +
                                             (owner.empty() ? "" : " (process " + owner + ")"));
  }
  const std::string own = std::to_string(::getpid()) + "\n";
  // Only for people: a full disk must not keep the server from starting.
  if (::ftruncate(descriptor, 0) == 0) (void)!::pwrite(descriptor, own.data(), own.size(), 0);
  return lock;
}

DataFolderLock::~DataFolderLock() { ::close(descriptor_); }

Result<std::uint64_t> free_disk_bytes(const Path& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0) return system_failure("statvfs", folder);
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

std::uint64_t control_group_memory(Filesystem& filesystem) {
  const auto groups = filesystem.read_all("/proc/self/cgroup", kSmallFileMax);
  if (!groups) return 0;
  std::uint64_t limit = 0;
  for (std::string_view rest = *groups; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t first = line.find(':'), second = first == line.npos ? first : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string group(line.substr(second + 1));
    if (controllers.empty())
      limit = smaller_limit(limit, limit_above(filesystem, "/sys/fs/cgroup", group, "memory.max"));
    if (controllers == "memory")
      limit = smaller_limit(limit, limit_above(filesystem, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
  }
  return limit;
}

std::uint64_t usable_memory(Filesystem& filesystem) {
  const auto pages = static_cast<std::uint64_t>(std::max<long>(sysconf(_SC_PHYS_PAGES), 1));
  return smaller_limit(pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)), control_group_memory(filesystem));
}

}  // namespace kvasir::server
