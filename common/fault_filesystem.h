// fault_filesystem.h -- wraps another filesystem and makes chosen calls fail.
//
// Use:      FaultFilesystem fs(disk, {.first = k}); run; if (!fs.fired()) the scenario has fewer than k + 1 calls.
// Shape:    calls are numbered from 0 in the order in which they come, over all threads and files.
// Threads:  any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "common/filesystem.h"
#include "common/mutex.h"

namespace kvasir {

enum class FaultKind {
  kError,       // the call does nothing and says io
  kShortWrite,  // append() writes half and says io; other calls as kError
  kNoSpace,     // only calls that need room fail (append, create, make_directories); append writes half
};

struct FaultPlan {
  std::uint64_t first = UINT64_MAX;  // number of the first call that fails
  std::uint64_t count = 1;           // how many calls from there on; UINT64_MAX = all
  FaultKind kind = FaultKind::kError;
};

class FaultFilesystem final : public Filesystem {
 public:
  /// `inner` must outlive this and the files opened through it.
  explicit FaultFilesystem(Filesystem& inner, FaultPlan plan = {});

  /// Starts counting anew.
  void set_plan(FaultPlan plan);
  /// True if a call has failed since the plan was set.
  bool fired() const { return state_->fired; }
  std::uint64_t calls() const { return state_->calls; }

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

 private:
  class FaultAppendFile;
  enum class Need { kRoom, kNothing };
  struct State {
    Mutex mutex;
    FaultPlan plan;
    std::atomic<std::uint64_t> calls{0};
    std::atomic<bool> fired{false};
    /// Counts a call; an error if it is to fail.
    Result<void> step(std::string_view action, const Path& path, Need need);
    bool short_writes();
  };

  Filesystem& inner_;
  std::shared_ptr<State> state_;
};

}  // namespace kvasir
