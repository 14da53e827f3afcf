// key_names.h -- from the key of a parsed field, as written, to the label it becomes; each distinct key is worked out
// once.
//
// Notes:    parsers meet the same keys in the same order line after line, so each visit first compares with the key
//           seen at this position of the last line, and only then looks it up.
// Lifetime: keys are copied. clear() when the name table starts afresh.
// Limits:   kKeysMax distinct keys; the runner clears the table when it is passed.
// Threads:  one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "logql/pipeline/label_state.h"

namespace kvasir::logql {

inline constexpr std::size_t kKeysMax = 1 << 16;

struct NeededNames;

/// A label name from any text: trimmed, other characters than [A-Za-z0-9_] become `_`, and a digit at the front gets
/// one. Empty if nothing is left. `is_first` is false for the inner parts of a flattened name, which may start with a
/// digit.
std::string sanitise_label_name(std::string_view key, bool is_first = true);

class KeyNames {
 public:
  struct Key {
    NameId name = kNoName;        // kNoName: the key is blank, skip the field
    bool needed = true;           // the label, or the label with `_extracted`
    bool needed_below = true;     // something flattened under it
  };

  KeyNames(NameTable& names, const NeededNames& needed) : names_(names), needed_(needed) {}

  /// A parser starts on a line: positions count from zero.
  void start_line() { position_ = 0; }
  /// The label of `key` inside the object whose flattened name is `parent` (kNoName: top level).
  const Key& find(NameId parent, std::string_view key) {
    if (position_ < recent_.size()) {
      const Entry* entry = recent_[position_];
      if (entry->parent == parent && entry->text == key) {
        ++position_;
        return entry->key;
      }
    }
    return look_up(parent, key);
  }
  /// For keys that need no cleaning: the captures of a pattern.
  const Key& find_clean(std::string_view name) { return find(kNoName, name); }

  std::size_t size() const { return entries_.size(); }
  void clear();

 private:
  struct Entry {
    NameId parent;
    std::string text;
    Key key;
  };
  struct Probe {
    NameId parent;
    std::string_view text;
    friend bool operator==(const Probe&, const Probe&) = default;
  };
  struct ProbeHash {
    std::size_t operator()(const Probe& probe) const;
  };

  const Key& look_up(NameId parent, std::string_view key);
  Key resolve(NameId parent, std::string_view key);

  NameTable& names_;
  const NeededNames& needed_;
  std::deque<Entry> entries_;
  boost::unordered_flat_map<Probe, Entry*, ProbeHash> index_;
  std::vector<const Entry*> recent_;  // by position in the last lines
  std::size_t position_ = 0;
};

}  // namespace kvasir::logql
