// data_folder.h -- the data folder as a whole: that one server alone uses it, and how much room is left beside it.
//
// Lifetime: the folder is locked as long as the lock lives; the system lets go of it when the process ends, however it
//           ends.
// Errors:   unavailable: another process holds the lock. io.
#pragma once

#include <cstdint>
#include <memory>

#include "common/filesystem.h"
#include "common/result.h"

namespace kvasir::server {

/// `<folder>/lock` holds the process id of the owner, for people.
class DataFolderLock {
 public:
  static Result<std::unique_ptr<DataFolderLock>> take(const Path& folder);
  explicit DataFolderLock(int descriptor) : descriptor_(descriptor) {}
  ~DataFolderLock();
  DataFolderLock(const DataFolderLock&) = delete;
  DataFolderLock& operator=(const DataFolderLock&) = delete;

 private:
  int descriptor_;
};

/// Bytes that this process may still write on the filesystem of the folder.
Result<std::uint64_t> free_disk_bytes(const Path& folder);

/// Memory that the machine has, or that the control group of this process may use if that is less.
std::uint64_t usable_memory(Filesystem& filesystem);
/// The smallest limit on the way from the group of the process to the root of cgroup v2 or v1; 0: none.
std::uint64_t control_group_memory(Filesystem& filesystem);

}  // namespace kvasir::server
