#include "chunks/gathered_rows.h"

#include <algorithm>
#include <cstring>

namespace kvasir::chunks {
namespace {

constexpr std::size_t kSlabBytes = 256 << 10;

}  // namespace

std::string_view GatheredRows::keep(std::string_view text) {
  if (text.empty()) return {};
  if (text.size() > left_) {
    left_ = std::max(kSlabBytes, text.size());
    slabs_.push_back(std::make_unique_for_overwrite<char[]>(left_));
    free_ = slabs_.back().get();
  }
  char* const place = free_;
  std::memcpy(place, text.data(), text.size());
  bytes_ += text.size();
  free_ += text.size();
  left_ -= text.size();
  return {place, text.size()};
}

std::span<const LabelView> GatheredRows::keep(std::span<const LabelView> metadata) {
  if (metadata.empty()) return {};
  if (!sets_.empty() && std::equal(metadata.begin(), metadata.end(), sets_.back().begin(), sets_.back().end()))
    return sets_.back();
  std::vector<LabelView> set;
  for (const LabelView& pair : metadata) set.push_back({keep(pair.name), keep(pair.value)});
  return sets_.emplace_back(std::move(set));
}

void GatheredRows::add(std::uint32_t stream, std::span<const EntryView> rows) {
  pieces_.push_back({stream, rows.size()});
  for (const EntryView& row : rows) {
    rows_.push_back({row.timestamp, row.sequence, keep(row.line), keep(row.metadata)});
  }
}

void GatheredRows::clear() { *this = GatheredRows(); }

}  // namespace kvasir::chunks
