#include "logql/exec/duplicates.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>

namespace kvasir::logql {
namespace {

using Handle = std::shared_ptr<const BlockHandle>;

constexpr std::size_t kCrossingMax = 4;  // blocks that may share time over a cut

/// Blocks of one stream that form a chain in time, ascending by their first instant.
void cut_chain(std::span<const Handle> chain, std::size_t blocks_per_unit, std::vector<ScanUnit>& units) {
  std::vector<TimestampNs> reach;  // the last instant of this block and all before it
  for (const auto& handle : chain)
    reach.push_back(reach.empty() ? handle->last() : std::max(reach.back(), handle->last()));
  const auto left_of = [&](std::size_t cut) {
    return std::count_if(chain.begin(), chain.begin() + static_cast<std::ptrdiff_t>(cut),
                         [&](const Handle& handle) { return handle->last() >= chain[cut]->first(); });
  };
  const auto right_end = [&](std::size_t cut) {
    std::size_t end = cut;
    while (end < chain.size() && chain[end]->first() <= reach[cut - 1]) ++end;
    return end;
  };
  for (std::size_t begin = 0; begin < chain.size();) {
    std::size_t end = std::min(chain.size(), begin + blocks_per_unit);
    while (end < chain.size() &&
           (right_end(end) - end > kCrossingMax || left_of(end) > static_cast<std::ptrdiff_t>(kCrossingMax))) {
      ++end;
    }
    ScanUnit unit{.first = chain[begin]->first(), .last = chain[begin]->last(), .place = chain[begin]->stored_in()};
    for (std::size_t i = begin; i < end; ++i) {
      unit.last = std::max(unit.last, chain[i]->last());
      unit.handles.push_back(chain[i]);
    }
    for (std::size_t i = 0; i < begin; ++i) {
      if (chain[i]->last() >= unit.first) unit.neighbours.push_back(chain[i]);
    }
    for (std::size_t i = end; i < chain.size() && chain[i]->first() <= unit.last; ++i)
      unit.neighbours.push_back(chain[i]);
    units.push_back(std::move(unit));
    begin = end;
  }
}

/// Where an entry is.
struct RowPlace {
  std::int64_t timestamp;
  std::uint64_t sequence;
  std::uint32_t block;
  std::uint32_t row;
};

void add_places(const ScannedBlock& scanned, std::uint32_t block, std::size_t begin, std::size_t end,
                std::vector<RowPlace>& out) {
  const auto times = scanned.block->timestamps();
  for (std::size_t row = begin; row < end; ++row) {
    if (scanned.rows.test(row)) out.push_back({times[row], 0, block, static_cast<std::uint32_t>(row)});
  }
}

/// Rows that share time with another block, and all rows of blocks that may repeat themselves.
std::vector<RowPlace> candidates(const std::vector<ScannedBlock>& blocks) {
  std::vector<std::uint32_t> order(blocks.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) {
    return blocks[a].block->timestamps().front() < blocks[b].block->timestamps().front();
  });
  std::vector<RowPlace> places;
  std::optional<std::int64_t> reach;  // of the blocks before
  for (std::size_t i = 0; i < order.size(); ++i) {
    const ScannedBlock& scanned = blocks[order[i]];
    const auto times = scanned.block->timestamps();
    // What lies before `shared_end` may be in a block before, what lies from `shared_begin` on in a block behind.
    std::size_t shared_end = 0;
    std::size_t shared_begin = times.size();
    if (reach)
      shared_end = static_cast<std::size_t>(std::upper_bound(times.begin(), times.end(), *reach) - times.begin());
    if (i + 1 < order.size()) {
      const std::int64_t next = blocks[order[i + 1]].block->timestamps().front();
      shared_begin = static_cast<std::size_t>(std::lower_bound(times.begin(), times.end(), next) - times.begin());
    }
    reach = std::max(reach.value_or(times.back()), times.back());
    if (!scanned.distinct || shared_begin <= shared_end) {
      add_places(scanned, order[i], 0, times.size(), places);
      continue;
    }
    add_places(scanned, order[i], 0, shared_end, places);
    add_places(scanned, order[i], shared_begin, times.size(), places);
  }
  return places;
}

/// Candidates that have the instant of another one, in the total order.
std::vector<RowPlace> rows_with_company(std::vector<ScannedBlock>& blocks) {
  std::vector<RowPlace> places = candidates(blocks);
  std::sort(places.begin(), places.end(), [](const auto& a, const auto& b) { return a.timestamp < b.timestamp; });
  std::vector<RowPlace> shared;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const bool as_before = i > 0 && places[i - 1].timestamp == places[i].timestamp;
    const bool as_after = i + 1 < places.size() && places[i + 1].timestamp == places[i].timestamp;
    if (!as_before && !as_after) continue;
    shared.push_back(places[i]);
    shared.back().sequence = blocks[places[i].block].block->sequence(places[i].row);
  }
  // Sequences differ but for damaged blocks; then the place decides, in the same way for every unit that sees both.
  std::sort(shared.begin(), shared.end(), [&](const auto& a, const auto& b) {
    return std::tuple(a.timestamp, a.sequence, blocks[a.block].handle, a.row) <
           std::tuple(b.timestamp, b.sequence, blocks[b.block].handle, b.row);
  });
  return shared;
}

/// Of the places with equal instant and line only the first stays. True if there were others.
Result<bool> clear_later_ones(std::vector<ScannedBlock>& blocks, std::span<const RowPlace> shared) {
  std::vector<std::vector<std::string_view>> lines(blocks.size());
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    RowSet wanted(blocks[b].block->rows(), false);
    for (const auto& place : shared) {
      if (place.block == b) wanted.set(place.row);
    }
    lines[b].resize(blocks[b].block->rows());
    if (!wanted.none()) KVASIR_CHECK_OK(blocks[b].block->lines(wanted, lines[b]));
  }
  std::map<std::string_view, bool> seen;
  std::int64_t instant = 0;
  bool cleared = false;
  for (const auto& place : shared) {
    if (seen.empty() || instant != place.timestamp) seen.clear();
    instant = place.timestamp;
    if (seen.emplace(lines[place.block][place.row], true).second) continue;
    blocks[place.block].rows.clear(place.row);
    cleared = true;
  }
  return cleared;
}

/// No entry is in two of the blocks: tells those of which every row was looked at.
void note_apart(std::span<const ScannedBlock> blocks) {
  std::vector<const BlockHandle*> whole;
  for (const auto& scanned : blocks) {
    if (scanned.rows.count() == scanned.handle->rows()) whole.push_back(scanned.handle);
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (std::size_t j = i + 1; j < whole.size(); ++j) {
      const bool touch = whole[i]->first() <= whole[j]->last() && whole[j]->first() <= whole[i]->last();
      if (touch) whole[i]->note_apart(*whole[j]);
    }
  }
}

}  // namespace

void add_overlapping_units(std::vector<Handle> handles, std::size_t blocks_per_unit, std::vector<ScanUnit>& units) {
  std::sort(handles.begin(), handles.end(), [](const Handle& a, const Handle& b) {
    return std::tuple(a->stream()->fingerprint, a->first()) < std::tuple(b->stream()->fingerprint, b->first());
  });
  const auto same_stream = [](const Handle& a, const Handle& b) {
    return a->stream() == b->stream() || a->stream()->labels == b->stream()->labels;
  };
  for (std::size_t begin = 0; begin < handles.size();) {
    TimestampNs last = handles[begin]->last();
    std::size_t end = begin + 1;
    for (; end < handles.size() && same_stream(handles[end], handles[begin]) && handles[end]->first() <= last; ++end) {
      last = std::max(last, handles[end]->last());
    }
    cut_chain(std::span(handles).subspan(begin, end - begin), blocks_per_unit, units);
    begin = end;
  }
}

Result<void> remove_duplicates(std::vector<ScannedBlock>& blocks) {
  const auto shared = rows_with_company(blocks);
  bool found = false;
  if (!shared.empty()) {
    KVASIR_TRY(found, clear_later_ones(blocks, shared));
  }
  if (!found) note_apart(blocks);
  return {};
}

}  // namespace kvasir::logql
