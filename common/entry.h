// entry.h -- one log entry as views: what travels from a codec to the head, to a block, to a query.
//
// Order:    entries are totally ordered by (timestamp, sequence); the sequence is given at admission, unique in a
//           tenant, ascending in arrival order, and kept on disk.
// Lifetime: views; whoever makes an EntryView says whose bytes it points into.
// Notes:    the line is bytes: invalid UTF-8, NUL, CR, LF and the empty line are ordinary.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/labels.h"
#include "common/time.h"

namespace kvasir {

/// Where an entry stands in the total order of its tenant.
struct EntryPosition {
  TimestampNs timestamp;
  std::uint64_t sequence = 0;
  friend auto operator<=>(const EntryPosition&, const EntryPosition&) = default;
};

struct EntryView {
  TimestampNs timestamp;
  std::uint64_t sequence = 0;
  std::string_view line;
  std::span<const LabelView> metadata;  // structured metadata, in the order it was sent
  EntryPosition position() const { return {timestamp, sequence}; }
};

}  // namespace kvasir
