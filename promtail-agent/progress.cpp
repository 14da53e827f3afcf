#include "promtail-agent/progress.h"

#include <algorithm>

#include "common/assert.h"

namespace kvasir::agent {

void SourceProgress::open(std::uint64_t begin) {
  const MutexLock lock(mutex_);
  unsettled_.insert(begin);
}

void SourceProgress::settle(std::uint64_t begin) {
  const MutexLock lock(mutex_);
  const auto found = unsettled_.find(begin);
  KVASIR_ASSERT(found != unsettled_.end(), "a range was settled that was never opened");
  unsettled_.erase(found);
}

void SourceProgress::hold(std::uint64_t begin) {
  const MutexLock lock(mutex_);
  held_.insert(begin);
}

void SourceProgress::release(std::uint64_t begin, std::uint64_t end) {
  const MutexLock lock(mutex_);
  held_.erase(held_.lower_bound(begin), held_.lower_bound(end));
}

std::optional<std::uint64_t> SourceProgress::take_back() {
  const MutexLock lock(mutex_);
  if (held_.empty()) return std::nullopt;
  const std::uint64_t begin = *held_.begin();
  read_.store(begin, std::memory_order_relaxed);
  held_.clear();
  return begin;
}

void SourceProgress::set_identity(ingest::FileIdentity identity) {
  const MutexLock lock(mutex_);
  identity_ = std::move(identity);
  is_file_.store(true, std::memory_order_relaxed);
}

std::optional<ingest::FileIdentity> SourceProgress::identity() const {
  const MutexLock lock(mutex_);
  return identity_;
}

std::uint64_t SourceProgress::committable() const {
  const MutexLock lock(mutex_);
  std::uint64_t least = read();
  if (!unsettled_.empty()) least = std::min(least, *unsettled_.begin());
  if (!held_.empty()) least = std::min(least, *held_.begin());
  return least;
}

std::uint64_t SourceProgress::committable_without(std::uint64_t begin, std::uint64_t end) const {
  const MutexLock lock(mutex_);
  std::uint64_t least = std::max(read(), end);
  if (!held_.empty()) least = std::min(least, *held_.begin());
  bool skipped = false;
  for (const std::uint64_t open : unsettled_) {
    if (open != begin || skipped) return std::min(least, open);
    skipped = true;
  }
  return least;
}

bool SourceProgress::all_settled() const {
  const MutexLock lock(mutex_);
  return unsettled_.empty() && held_.empty();
}

ProgressPtr ProgressTable::create(std::string key, std::uint64_t start) {
  const MutexLock lock(mutex_);
  auto progress = std::make_shared<SourceProgress>(next_id_++, std::move(key), start);
  if ((progress->id() & 0xff) == 0) {
    std::erase_if(table_, [](const auto& item) { return item.second.expired(); });
  }
  table_.emplace(progress->id(), progress);
  return progress;
}

ProgressPtr ProgressTable::find(std::uint64_t id) const {
  if (id == 0) return nullptr;
  const MutexLock lock(mutex_);
  const auto found = table_.find(id);
  return found == table_.end() ? nullptr : found->second.lock();
}

}  // namespace kvasir::agent
