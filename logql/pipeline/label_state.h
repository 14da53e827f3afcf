// label_state.h -- the labels of one entry on its way through a pipeline.
//
// Shape:    names are interned once per runner (NameTable) and every operation is an index into a slot array, so
//           reading, writing and deleting a label costs no comparison of names. Three layers: parsed over structured
//           metadata over stream; plus the set of deleted names, the set of names ever parsed, and one error with
//           details.
// Lifetime: values are views: into the line, the stream's labels, the metadata or the entry's Arena; all die with the
//           entry.
// Threads:  one thread.
// Limits:   kNamesMax interned names; the runner starts the table afresh when it is passed (keys of untrusted JSON).
// Source:   precedence and collisions as LogQL defines them: parsed > structured metadata > stream, `_extracted` on a
//           clash.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "common/labels.h"

namespace kvasir::logql {

using NameId = std::uint32_t;
inline constexpr NameId kNoName = 0xffffffff;
inline constexpr std::size_t kNamesMax = 1 << 16;

// Ids that every table starts with.
inline constexpr NameId kErrorName = 0;          // __error__
inline constexpr NameId kErrorDetailsName = 1;   // __error_details__
inline constexpr NameId kPreserveErrorName = 2;  // __preserve_error__

enum class LabelCategory : std::uint8_t { kStream, kMetadata, kParsed };

/// Interned names. Copying a table keeps the ids.
class NameTable {
 public:
  NameTable();
  NameTable(const NameTable& other);
  NameTable& operator=(const NameTable&) = delete;

  NameId intern(std::string_view name);
  /// kNoName if it was never interned.
  NameId find(std::string_view name) const;
  std::string_view name(NameId id) const { return names_[id]; }
  std::uint64_t hash(NameId id) const { return hashes_[id]; }
  std::size_t size() const { return names_.size(); }

 private:
  std::deque<std::string> names_;
  std::vector<std::uint64_t> hashes_;
  boost::unordered_flat_map<std::string_view, NameId> ids_;  // keys point into names_
};

class LabelState {
 public:
  explicit LabelState(NameTable& names) : names_(names) {}
  LabelState(const LabelState&) = delete;
  LabelState& operator=(const LabelState&) = delete;

  /// Names of which all_wanted_found() asks, once. REQUIRES: ids of the compiled table.
  void want(std::span<const NameId> names);

  /// Takes the labels of a stream; they must stay alive until the next bind.
  void bind(const Labels& stream);
  /// Forgets the last entry and takes the next one's structured metadata.
  void start_entry(std::span<const LabelView> metadata);

  NameTable& names() { return names_; }
  const NameTable& names() const { return names_; }

  /// The visible value. Empty stream labels and the error fields are not visible.
  std::optional<std::string_view> get(NameId id) const;
  /// The same, but an empty stream label is there too: what the final labels hold.
  std::optional<std::string_view> get_final(NameId id) const;
  void set(NameId id, std::string_view value);
  void erase(NameId id);

  /// The name under which a parser stores `id`: itself, or with `_extracted` if the stream or the metadata has it.
  NameId extraction_target(NameId id);
  /// True once a parser or label_format wrote the name, even if it was removed since.
  bool was_parsed(NameId id) const { return (flags(id) & kEverParsed) != 0; }
  /// Every wanted name was parsed for this entry. False if nothing is wanted.
  bool all_wanted_found() const { return wanted_count_ != 0 && wanted_missing_ == 0; }
  bool in_stream(NameId id) const { return id < slots_.size() && slots_[id].bind_epoch == bind_epoch_; }
  bool in_metadata(NameId id) const { return (flags(id) & kInMetadata) != 0; }

  std::string_view error() const { return error_; }
  std::string_view error_details() const { return error_details_; }
  /// `error` must be a literal or live as long as the entry.
  void set_error(std::string_view error, std::string_view details) { error_ = error, error_details_ = details; }
  void clear_error() { error_ = {}; }
  void clear_error_details() { error_details_ = {}; }

  /// Calls f(id, value, category) for every final label but the error fields, in no order.
  template <class F>
  void for_each(F&& f) const {
    for (const NameId id : stream_names_) {
      if ((flags(id) & (kDeleted | kInParsed | kInMetadata)) == 0)
        f(id, slots_[id].stream_value, LabelCategory::kStream);
    }
    for (const NameId id : touched_) {
      const std::uint8_t bits = slots_[id].flags;
      if (bits & kInParsed) f(id, slots_[id].value, LabelCategory::kParsed);
      else if (bits & kInMetadata) f(id, slots_[id].value, LabelCategory::kMetadata);
    }
  }

  /// True if the final labels are the stream's own, untouched.
  bool is_plain_stream() const { return touched_.empty() && error_.empty() && error_details_.empty(); }

 private:
  enum : std::uint8_t { kInParsed = 1, kInMetadata = 2, kDeleted = 4, kEverParsed = 8, kListed = 16 };

  struct Slot {
    std::string_view value;         // of the parsed label or the metadata
    std::string_view stream_value;
    std::uint64_t bind_epoch = 0;   // == bind_epoch_: the stream has the name
    std::uint64_t entry_epoch = 0;  // == entry_epoch_: flags are of this entry
    NameId extracted = kNoName;     // id of name + "_extracted", interned on demand
    std::uint8_t flags = 0;
    bool wanted = false;
  };

  std::uint8_t flags(NameId id) const {
    return id < slots_.size() && slots_[id].entry_epoch == entry_epoch_ ? slots_[id].flags : std::uint8_t{0};
  }
  Slot& touch(NameId id);

  NameTable& names_;
  std::vector<Slot> slots_;            // by NameId; grows behind the table
  std::vector<NameId> stream_names_;
  std::vector<NameId> touched_;        // names with a parsed, metadata or deleted mark in this entry
  std::vector<NameId> metadata_names_; // of the last entry, by position
  std::uint64_t bind_epoch_ = 0;
  std::uint64_t entry_epoch_ = 0;
  std::size_t wanted_count_ = 0;
  std::size_t wanted_missing_ = 0;
  std::string_view error_;
  std::string_view error_details_;
};

}  // namespace kvasir::logql
