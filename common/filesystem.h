// filesystem.h -- every byte that reaches a disk passes here.
//
// Versions: PosixFilesystem (the real one), MemFilesystem (a tree in memory), FaultFilesystem (wraps another and fails
//           the k-th call), CrashFilesystem (in memory; crash() drops what was not synced, as a power cut would).
// Order:    a file's bytes are durable after its sync(); its name is durable after sync_dir() of its folder.
// Errors:   io (with the path and the system's reason), not_found, corruption never.
// Threads:  the filesystem may be used from any thread; one file object by one thread at a time, except RandomFile,
//           whose read_at and view may be called from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace kvasir {

using Path = std::string;

/// Written front to back.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  virtual Result<void> append(std::string_view bytes) = 0;
  /// Durable on return. After a failure the file's state is unknown: the caller must not go on as if it were retried.
  virtual Result<void> sync() = 0;
  virtual Result<void> close() = 0;
};

/// Immutable once opened; reads at any offset.
class RandomFile {
 public:
  virtual ~RandomFile() = default;
  virtual std::uint64_t size() const = 0;
  /// Exactly `size` bytes, or an error. For memory-mapped files the view costs nothing and lives as long as this
  /// object.
  virtual Result<std::string_view> view(std::uint64_t offset, std::uint64_t size) const = 0;
};

struct FileStatus {
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool is_directory = false;
};

class Filesystem {
 public:
  virtual ~Filesystem() = default;
  /// Creates the file if it is missing; writes go to its end.
  virtual Result<std::unique_ptr<AppendFile>> open_append(const Path& path) = 0;
  /// Creates or empties the file.
  virtual Result<std::unique_ptr<AppendFile>> create(const Path& path) = 0;
  virtual Result<std::unique_ptr<RandomFile>> open_random(const Path& path) = 0;
  virtual Result<std::string> read_all(const Path& path, std::uint64_t size_max) = 0;
  /// An empty optional if nothing is there.
  virtual Result<std::optional<FileStatus>> status(const Path& path) = 0;
  /// Names in the folder, sorted, without "." and "..".
  virtual Result<std::vector<std::string>> list(const Path& directory) = 0;
  /// With its parents; durable on return.
  virtual Result<void> make_directories(const Path& directory) = 0;
  /// Atomic; replaces the target; same filesystem.
  virtual Result<void> rename(const Path& from, const Path& to) = 0;
  virtual Result<void> remove(const Path& path) = 0;
  virtual Result<void> truncate(const Path& path, std::uint64_t size) = 0;
  /// Makes creations, renames and removals in this folder durable.
  virtual Result<void> sync_dir(const Path& directory) = 0;
};

/// The process-wide real filesystem.
Filesystem& posix_filesystem();

/// Write temporary, sync, rename, sync the folder: readers see the old or the new content, never a part. The one way a
/// whole file appears (positions, manifests, rules, segments).
Result<void> write_atomically(Filesystem& filesystem, const Path& path, std::string_view bytes);

/// "a/b/c" -> "a/b"; "c" -> ".".
Path parent_directory(const Path& path);
Path join_path(std::string_view directory, std::string_view name);

}  // namespace kvasir
