// crash_filesystem.h -- a filesystem in memory that can lose power: what was not synced vanishes.
//
// Law:      a file keeps the bytes of its last sync(); a name is there if sync_dir() of its folder came after it was
//           made (and is back if its removal was not synced). Folders themselves are durable at once, as
//           make_directories() promises.
// Threads:  crash() may come between any two calls of other threads; open files refuse to write afterwards.
#pragma once

#include <cstdint>

#include "common/mem_filesystem.h"

namespace kvasir {

/// What happens to bytes written but not synced.
enum class TornWrite {
  kNone,     // gone
  kPartial,  // a part of them is there (seeded)
  kGarbled,  // a part is there, its last bytes damaged
};

struct CrashOptions {
  TornWrite torn = TornWrite::kNone;
  std::uint64_t seed = 0;
};

class CrashFilesystem final : public MemFilesystem {
 public:
  void crash(CrashOptions options = {});
};

}  // namespace kvasir
