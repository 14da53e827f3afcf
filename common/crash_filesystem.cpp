#include "common/crash_filesystem.h"

#include <algorithm>
#include <random>

namespace kvasir {
namespace {

std::string after_power_cut(const std::string& written, const std::string& synced, TornWrite torn,
                            std::mt19937_64& random) {
  const bool grew = written.size() > synced.size() && written.starts_with(synced);
  if (torn == TornWrite::kNone || !grew) return synced;
  const std::size_t tail = random() % (written.size() - synced.size() + 1);
  std::string left = written.substr(0, synced.size() + tail);
  if (torn == TornWrite::kGarbled) {
    const std::size_t damaged = std::min<std::size_t>(tail, 1 + random() % 64);
    for (std::size_t i = 0; i < damaged; ++i) left[left.size() - 1 - i] ^= static_cast<char>(1 + random() % 255);
  }
  return left;
}

}  // namespace

void CrashFilesystem::crash(CrashOptions options) {
  std::mt19937_64 random(options.seed);
  MutexLock lock(state_->mutex);
  ++state_->epoch;
  state_->live = state_->durable;
  for (auto& [path, node] : state_->live) {
    node->bytes = after_power_cut(node->bytes, node->synced, options.torn, random);
    node->synced = node->bytes;
  }
}

}  // namespace kvasir
