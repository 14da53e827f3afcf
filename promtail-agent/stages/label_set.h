// label_set.h -- label sets of entries, shared and derived from each other without building them anew for every line.
//
// Shape:    LabelSet is immutable. A table turns (set, name, value) into the set that results; a pair seen before costs
//           one hash look-up and no allocation.
// Identity: `id` is never used twice in a process: a cheap key for caches. Two sets with different ids may hold equal
//           labels (after the table was trimmed, or from two tables): state that must not split compares labels, or
//           keys by them.
// Lifetime: held by shared_ptr; a set lives as long as an entry or a stage refers to it.
// Threads:  LabelSet may be read from any thread; a LabelSetTable belongs to one.
// Limits:   kLabelSetsMax sets and kTransitionsMax transitions, then the table forgets all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "common/labels.h"

namespace kvasir::agent {

inline constexpr std::size_t kLabelSetsMax = 20'000;
inline constexpr std::size_t kTransitionsMax = 50'000;

/// The label by which a stage names the tenant of an entry; never sent.
inline constexpr std::string_view kTenantLabel = "__tenant_id__";

struct LabelSet {
  explicit LabelSet(Labels set);
  Labels labels;
  Fingerprint fingerprint;  // of all labels, internal ones too
  std::uint64_t id;
};

using LabelSetPtr = std::shared_ptr<const LabelSet>;

/// A set outside any table; the base labels of a target.
LabelSetPtr make_label_set(Labels labels);

inline bool same_labels(const LabelSet& a, const LabelSet& b) {
  return a.id == b.id || (a.fingerprint == b.fingerprint && a.labels == b.labels);
}

class LabelSetTable {
 public:
  LabelSetPtr intern(Labels labels);
  /// `base` with the label set to the value (an empty value stays as an empty label).
  LabelSetPtr with(const LabelSetPtr& base, std::string_view name, std::string_view value);
  LabelSetPtr without(const LabelSetPtr& base, std::string_view name);
  std::size_t size() const { return sets_.size(); }

 private:
  struct Transition {
    std::uint64_t base_id;
    std::string name;
    std::string value;
    LabelSetPtr result;
  };
  void trim();

  std::unordered_multimap<std::uint64_t, LabelSetPtr> sets_;         // by fingerprint
  std::unordered_multimap<std::uint64_t, Transition> transitions_;   // by hash of base, name, value
};

/// Finds the state that a stage keeps for each label set. `State` must have a member `LabelSetPtr labels`.
template <class State>
class LabelSetMap {
 public:
  /// The state of these labels, or nullptr.
  State* find(const LabelSet& labels) {
    const auto [begin, end] = states_.equal_range(labels.fingerprint.value);
    for (auto it = begin; it != end; ++it)
      if (same_labels(*it->second.labels, labels)) return &it->second;
    return nullptr;
  }
  /// REQUIRES: find() gave nullptr. The reference lives until the state is erased.
  State& insert(const LabelSetPtr& labels) {
    State& state = states_.emplace(labels->fingerprint.value, State{})->second;
    state.labels = labels;
    return state;
  }
  template <class Predicate>
  void erase_if(Predicate predicate) {
    std::erase_if(states_, [&](const auto& item) { return predicate(item.second); });
  }
  void erase(const LabelSet& labels) {
    const auto [begin, end] = states_.equal_range(labels.fingerprint.value);
    for (auto it = begin; it != end; ++it)
      if (same_labels(*it->second.labels, labels)) return void(states_.erase(it));
  }
  std::size_t size() const { return states_.size(); }
  void clear() { states_.clear(); }
  auto begin() { return states_.begin(); }
  auto end() { return states_.end(); }

 private:
  std::unordered_multimap<std::uint64_t, State> states_;
};

}  // namespace kvasir::agent
