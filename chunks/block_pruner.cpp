// A literal is taken apart once per segment: whole id tokens are looked up in the id index and the filters, the rest
// becomes trigrams whose block sets are intersected. What remains is a bit per block.
#include "chunks/block_pruner.h"

#include <algorithm>

#include "chunks/id_filter.h"
#include "chunks/id_text.h"
#include "chunks/id_tokens.h"
#include "chunks/stored_segment.h"

namespace kvasir::chunks {
namespace {

using PartBits = std::vector<bool>;  // filters know parts, of which blocks may be slices

void keep_trigrams(const StoredSegment& segment, std::string_view literal, PartBits& perhaps) {
  const TrigramIndex* const index = segment.trigrams();
  if (index == nullptr) return;
  for (const std::uint16_t trigram : trigrams_of_needle(literal)) {
    const std::string_view row = index->blocks_with(trigram);
    for (std::size_t b = 0; b < perhaps.size(); ++b) {
      if (row.empty() || (row[b / 8] >> b % 8 & 1) == 0) perhaps[b] = false;
    }
  }
}

/// An id token of a needle, as far as it is known to be whole in every line that holds the needle.
struct NeedleId {
  std::string token;
  bool delimited = false;  // on both sides inside the needle
};

std::vector<NeedleId> ids_of_needle(std::string_view literal) {
  std::vector<NeedleId> ids;
  for (const IdTokenPlace& place : locate_id_tokens(literal)) {
    const bool inside = place.begin > 0 && place.end < literal.size();
    ids.push_back({std::string(literal.substr(place.begin, place.end - place.begin)), inside || place.is_uuid});
  }
  return ids;
}

/// A token at the edge of a needle is whole in a block that has no longer token.
bool is_whole_in(const NeedleId& id, const BlockEntry& block) {
  if (id.delimited) return true;
  if (id.token.size() >= 63) return false;
  return block.token_lengths >> (id.token.size() + 1) == 0;
}

void keep_id(const StoredSegment& segment, const NeedleId& id, PartBits& perhaps) {
  const auto holders = segment.parts_with_id(id.token);
  if (!holders) return;
  PartBits holds(perhaps.size());
  for (const std::uint32_t part : *holders) holds[part] = true;
  for (std::size_t part = 0; part < perhaps.size(); ++part) {
    // Slices of a part have its token lengths.
    if (!holds[part] && is_whole_in(id, segment.blocks()[segment.blocks_of_part(part)[0]])) perhaps[part] = false;
  }
}

}  // namespace

struct BlockPruner::State {
  std::vector<bool> perhaps;  // by block
};

BlockPruner::BlockPruner(const SegmentReader& reader, PruneQuery query) : state_(std::make_unique<State>()) {
  const auto& segment = static_cast<const StoredSegment&>(reader);
  PartBits parts(segment.parts(), true);
  for (const std::string& id : query.ids) keep_id(segment, {id, true}, parts);
  for (const std::string& literal : query.literals) {
    keep_trigrams(segment, literal, parts);
    for (const NeedleId& id : ids_of_needle(literal)) keep_id(segment, id, parts);
  }
  std::vector<bool>& perhaps = state_->perhaps;
  perhaps.resize(segment.blocks().size());
  for (std::size_t b = 0; b < perhaps.size(); ++b) {
    const BlockEntry& block = segment.blocks()[b];
    perhaps[b] = parts[block.part] && query.range.overlaps(block.first.timestamp, block.last.timestamp);
  }
}

BlockPruner::~BlockPruner() = default;
BlockPruner::BlockPruner(BlockPruner&&) noexcept = default;
BlockPruner& BlockPruner::operator=(BlockPruner&&) noexcept = default;

bool BlockPruner::nothing_matches() const {
  return std::none_of(state_->perhaps.begin(), state_->perhaps.end(), [](bool b) { return b; });
}

bool BlockPruner::cannot_match(std::size_t block) const { return !state_->perhaps[block]; }

}  // namespace kvasir::chunks
