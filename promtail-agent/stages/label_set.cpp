#include "promtail-agent/stages/label_set.h"

#include <atomic>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace kvasir::agent {
namespace {

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> id{0};
  return ++id;
}

std::uint64_t transition_hash(std::uint64_t base_id, std::string_view name, std::string_view value) {
  const std::uint64_t seeded = XXH3_64bits_withSeed(name.data(), name.size(), base_id);
  return XXH3_64bits_withSeed(value.data(), value.size(), seeded);
}

// Stands for the value in without(): never a label value, since those are valid UTF-8.
constexpr std::string_view kRemoval("\xff\xff", 2);

}  // namespace

LabelSet::LabelSet(Labels set) : labels(std::move(set)), fingerprint(labels.fingerprint()), id(next_id()) {}

LabelSetPtr make_label_set(Labels labels) { return std::make_shared<const LabelSet>(std::move(labels)); }

LabelSetPtr LabelSetTable::intern(Labels labels) {
  const Fingerprint fingerprint = labels.fingerprint();
  const auto [begin, end] = sets_.equal_range(fingerprint.value);
  for (auto it = begin; it != end; ++it)
    if (it->second->labels == labels) return it->second;
  if (sets_.size() >= kLabelSetsMax) trim();
  auto set = make_label_set(std::move(labels));
  sets_.emplace(fingerprint.value, set);
  return set;
}

LabelSetPtr LabelSetTable::with(const LabelSetPtr& base, std::string_view name, std::string_view value) {
  const auto current = base->labels.get(name);
  if (current && *current == value) return base;
  const std::uint64_t hash = transition_hash(base->id, name, value);
  const auto [begin, end] = transitions_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const Transition& known = it->second;
    if (known.base_id == base->id && known.name == name && known.value == value) return known.result;
  }
  Labels labels = base->labels;
  labels.set(name, value);
  LabelSetPtr result = intern(std::move(labels));
  if (transitions_.size() >= kTransitionsMax) trim();
  transitions_.emplace(hash, Transition{base->id, std::string(name), std::string(value), result});
  return result;
}

LabelSetPtr LabelSetTable::without(const LabelSetPtr& base, std::string_view name) {
  if (!base->labels.has(name)) return base;
  const std::uint64_t hash = transition_hash(base->id, name, kRemoval);
  const auto [begin, end] = transitions_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const Transition& known = it->second;
    if (known.base_id == base->id && known.name == name && known.value == kRemoval) return known.result;
  }
  Labels labels = base->labels;
  labels.erase(name);
  LabelSetPtr result = intern(std::move(labels));
  if (transitions_.size() >= kTransitionsMax) trim();
  transitions_.emplace(hash, Transition{base->id, std::string(name), std::string(kRemoval), result});
  return result;
}

void LabelSetTable::trim() {
  transitions_.clear();
  sets_.clear();
}

}  // namespace kvasir::agent
