#include "index/label_values.h"

#include <algorithm>

namespace kvasir::index {
namespace {

// New values are sorted in when they are so many, or an eighth of all: then each is moved a few times in its life.
constexpr std::size_t kUnorderedMin = 1024;

}  // namespace

void LabelValues::add(std::string_view value, StreamId id) {
  const auto known = ids_of_.find(value);
  if (known != ids_of_.end()) {
    known->second.push_back(id);
    return;
  }
  const auto added = ids_of_.emplace(std::string(value), Ids{id}).first;
  list_.push_back({added->first, id, &added->second});
  if (list_.size() - in_order_ > std::max(kUnorderedMin, in_order_ / 8)) put_in_order();
}

const LabelValues::Ids* LabelValues::find(std::string_view value) const {
  const auto found = ids_of_.find(value);
  return found == ids_of_.end() ? nullptr : &found->second;
}

void LabelValues::put_in_order() {
  const auto by_text = [](const Value& a, const Value& b) { return a.text < b.text; };
  const auto middle = list_.begin() + static_cast<std::ptrdiff_t>(in_order_);
  std::sort(middle, list_.end(), by_text);
  std::inplace_merge(list_.begin(), middle, list_.end(), by_text);
  in_order_ = list_.size();
}

}  // namespace kvasir::index
