// block_copy.h -- a stored block of a finished segment, with all that its segment says of it: to be put into another
// segment byte for byte.
//
// Lifetime: `bytes` lives as long as the segment; the rest is copied.
// Threads:  values.
// Source:   docs/formats/segment-v1.md sections 3 and 6.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "chunks/block_draft.h"
#include "chunks/id_store.h"
#include "chunks/stored_segment.h"
#include "common/result.h"

namespace kvasir::chunks {

struct BlockCopy {
  std::string_view bytes;
  BlockDraft draft;               // streams are numbered as in the segment that is copied from
  std::vector<PendingIds> slots;  // its id columns, in order
  std::uint32_t first_slot = 0;   // what the block itself calls the first of them
};

/// Empty: this one cannot be copied, its rows have to be encoded again: its segment is of a version that did not say
/// all, or what it says beside the block is damaged. Errors: corruption.
Result<std::optional<BlockCopy>> copy_of_part(const StoredSegment& segment, std::size_t part);

}  // namespace kvasir::chunks
