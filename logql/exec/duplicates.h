// duplicates.h -- blocks of one stream that share time may hold the same entry twice; of such only the first to arrive
// is given.
//
// Shape:    add_overlapping_units() cuts overlapping blocks into units of a few blocks, each with the neighbours that
//           it shares time with; remove_duplicates() then decides each unit by itself.
// Cost:     neighbours are opened again by the unit that owns them, so cuts are made only where few blocks cross.
#pragma once

#include "logql/exec/scan.h"

namespace kvasir::logql {

/// `handles` are not exact; those of one stream whose times touch come together, `blocks_per_unit` or more where they
/// are many.
void add_overlapping_units(std::vector<std::shared_ptr<const BlockHandle>> handles, std::size_t blocks_per_unit,
                           std::vector<ScanUnit>& units);

/// Clears every row of which an equal one arrived earlier in any of the blocks, which are all of one stream. Where none
/// did, the handles are told (see BlockHandle::note_apart()).
Result<void> remove_duplicates(std::vector<ScannedBlock>& blocks);

}  // namespace kvasir::logql
