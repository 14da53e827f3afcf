#include "logql/pipeline/key_names.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/utf8.h"
#include "logql/pipeline/step.h"
#include "logql/pipeline/unicode_text.h"

namespace kvasir::logql {

namespace {

constexpr std::size_t kPositionsMax = 1024;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_'; }

}  // namespace

std::string sanitise_label_name(std::string_view key, bool is_first) {
  key = trim_unicode_space(key);
  std::string name;
  if (key.empty()) return name;
  if (is_first && is_digit(key[0])) name += '_';
  while (!key.empty()) {
    const std::size_t length = is_name_char(key[0]) ? 1 : decode_utf8(key).length;
    name += is_name_char(key[0]) ? key[0] : '_';
    key.remove_prefix(length);
  }
  return name;
}

std::size_t KeyNames::ProbeHash::operator()(const Probe& probe) const {
  return XXH3_64bits_withSeed(probe.text.data(), probe.text.size(), probe.parent);
}

const KeyNames::Key& KeyNames::look_up(NameId parent, std::string_view key) {
  const Entry* entry = nullptr;
  if (const auto found = index_.find(Probe{parent, key}); found != index_.end()) {
    entry = found->second;
  } else {
    Entry& added = entries_.emplace_back(Entry{parent, std::string(key), resolve(parent, key)});
    index_.emplace(Probe{parent, added.text}, &added);
    entry = &added;
  }
  if (position_ < kPositionsMax) {
    if (position_ >= recent_.size()) recent_.resize(position_ + 1, entry);
    recent_[position_++] = entry;
  }
  return entry->key;
}

KeyNames::Key KeyNames::resolve(NameId parent, std::string_view key) {
  std::string name = sanitise_label_name(key, parent == kNoName);
  if (name.empty() && parent == kNoName) return {};
  if (parent != kNoName) {  // a blank part adds nothing
    const std::string path(names_.name(parent));
    name = name.empty() ? path : path + "_" + name;
  }
  Key result;
  result.name = names_.intern(name);
  result.needed = needed_.needs(name) || needed_.needs(name + "_extracted");
  result.needed_below = needed_.needs_below(name);
  return result;
}

void KeyNames::clear() {
  entries_.clear();
  index_.clear();
  recent_.clear();
  position_ = 0;
}

bool NeededNames::needs(std::string_view name) const {
  return !restricted || std::binary_search(names.begin(), names.end(), name);
}

bool NeededNames::needs_below(std::string_view path) const {
  if (!restricted) return true;
  const std::string prefix = std::string(path) + "_";
  const auto at = std::lower_bound(names.begin(), names.end(), prefix);
  return at != names.end() && at->compare(0, prefix.size(), prefix) == 0;
}

}  // namespace kvasir::logql
