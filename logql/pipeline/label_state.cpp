#include "logql/pipeline/label_state.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace kvasir::logql {

NameTable::NameTable() {
  intern("__error__");
  intern("__error_details__");
  intern("__preserve_error__");
}

NameTable::NameTable(const NameTable& other) {
  for (const std::string& name : other.names_) intern(name);
}

NameId NameTable::intern(std::string_view name) {
  if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
  const auto id = static_cast<NameId>(names_.size());
  names_.emplace_back(name);
  hashes_.push_back(XXH3_64bits(name.data(), name.size()));
  ids_.emplace(names_.back(), id);
  return id;
}

NameId NameTable::find(std::string_view name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? kNoName : found->second;
}

void LabelState::want(std::span<const NameId> names) {
  slots_.resize(names_.size());
  for (const NameId id : names) slots_[id].wanted = true;
  wanted_count_ = names.size();
}

void LabelState::bind(const Labels& stream) {
  ++bind_epoch_;
  ++entry_epoch_;
  stream_names_.clear();
  touched_.clear();
  for (const Label& label : stream) {
    const NameId id = names_.intern(label.name);
    if (id >= slots_.size()) slots_.resize(names_.size());
    slots_[id].bind_epoch = bind_epoch_;
    slots_[id].stream_value = label.value;
    stream_names_.push_back(id);
  }
}

void LabelState::start_entry(std::span<const LabelView> metadata) {
  ++entry_epoch_;
  touched_.clear();
  wanted_missing_ = wanted_count_;
  error_ = {};
  error_details_ = {};
  metadata_names_.resize(metadata.size(), kErrorName);
  for (std::size_t i = 0; i < metadata.size(); ++i) {
    const LabelView& pair = metadata[i];
    NameId& id = metadata_names_[i];  // mostly the name that stood here in the last entry
    if (names_.name(id) != pair.name) id = names_.intern(pair.name);
    if (id == kErrorName) {
      error_ = pair.value;
    } else if (id == kErrorDetailsName) {
      error_details_ = pair.value;
    } else {
      Slot& slot = touch(in_stream(id) ? extraction_target(id) : id);
      slot.flags |= kInMetadata;
      slot.value = pair.value;
    }
  }
}

LabelState::Slot& LabelState::touch(NameId id) {
  if (id >= slots_.size()) slots_.resize(names_.size());
  Slot& slot = slots_[id];
  if (slot.entry_epoch != entry_epoch_) {
    slot.entry_epoch = entry_epoch_;
    slot.flags = 0;
  }
  if ((slot.flags & kListed) == 0) {
    slot.flags |= kListed;
    touched_.push_back(id);
  }
  return slot;
}

std::optional<std::string_view> LabelState::get_final(NameId id) const {
  if (id >= slots_.size()) return std::nullopt;
  const Slot& slot = slots_[id];
  const std::uint8_t bits = flags(id);
  if (bits & (kInParsed | kInMetadata)) return slot.value;
  if ((bits & kDeleted) != 0 || slot.bind_epoch != bind_epoch_) return std::nullopt;
  return slot.stream_value;
}

std::optional<std::string_view> LabelState::get(NameId id) const {
  const auto value = get_final(id);
  const bool is_empty_stream_label = value && value->empty() && (flags(id) & (kInParsed | kInMetadata)) == 0;
  return is_empty_stream_label ? std::nullopt : value;
}

void LabelState::set(NameId id, std::string_view value) {
  Slot& slot = touch(id);
  if (slot.wanted && (slot.flags & kEverParsed) == 0) --wanted_missing_;
  slot.flags = static_cast<std::uint8_t>((slot.flags & ~kInMetadata) | kInParsed | kEverParsed);
  slot.value = value;
}

void LabelState::erase(NameId id) {
  Slot& slot = touch(id);
  slot.flags = static_cast<std::uint8_t>((slot.flags & ~(kInMetadata | kInParsed)) | kDeleted);
}

NameId LabelState::extraction_target(NameId id) {
  if (!in_stream(id) && !in_metadata(id)) return id;
  if (id >= slots_.size()) slots_.resize(names_.size());
  if (slots_[id].extracted == kNoName) {
    const NameId extracted = names_.intern(std::string(names_.name(id)) + "_extracted");
    slots_[id].extracted = extracted;
  }
  return slots_[id].extracted;
}

}  // namespace kvasir::logql
