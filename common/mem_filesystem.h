// mem_filesystem.h -- a tree of files in memory, for tests.
//
// Shape:    paths are taken as written: "a/b" and "./a/b" are two names. "" , "." and "/" are there from the start.
// Threads:  any; one lock around the tree.
// Notes:    keeps apart what was synced and what was not, so that CrashFilesystem can drop the latter.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/filesystem.h"
#include "common/mutex.h"

namespace kvasir {

class MemFilesystem : public Filesystem {
 public:
  MemFilesystem();
  ~MemFilesystem() override;

  Result<std::unique_ptr<AppendFile>> open_append(const Path& path) override;
  Result<std::unique_ptr<AppendFile>> create(const Path& path) override;
  Result<std::unique_ptr<RandomFile>> open_random(const Path& path) override;
  Result<std::string> read_all(const Path& path, std::uint64_t size_max) override;
  Result<std::optional<FileStatus>> status(const Path& path) override;
  Result<std::vector<std::string>> list(const Path& directory) override;
  Result<void> make_directories(const Path& directory) override;
  Result<void> rename(const Path& from, const Path& to) override;
  Result<void> remove(const Path& path) override;
  Result<void> truncate(const Path& path, std::uint64_t size) override;
  Result<void> sync_dir(const Path& directory) override;

 protected:
  struct Node {
    std::uint64_t inode = 0;
    std::int64_t modified = 0;
    bool is_directory = false;
    std::string bytes;
    std::string synced;  // what a power cut leaves
  };
  using Tree = std::map<Path, std::shared_ptr<Node>>;

  /// Handles opened before refuse to write after the epoch changed.
  struct State {
    Mutex mutex;
    Tree live;
    Tree durable;  // names that a power cut leaves
    std::uint64_t epoch = 0;
    std::uint64_t next_inode = 1;
    std::int64_t ticks = 0;
  };
  class MemAppendFile;

  Result<std::unique_ptr<AppendFile>> open_writing(const Path& path, bool empty_it);
  Result<std::shared_ptr<Node>> find_file(const Path& path);
  std::shared_ptr<Node> new_node(bool is_directory);

  std::shared_ptr<State> state_;
};

}  // namespace kvasir
