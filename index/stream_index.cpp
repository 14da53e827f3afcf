#include "index/stream_index.h"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <numeric>

#include "common/assert.h"

namespace kvasir::index {
namespace {

constexpr std::int64_t kDayNs = std::int64_t{24} * 3600 * 1'000'000'000;
// Up to so many streams a matcher is tried on each; beyond it the postings are cheaper.
constexpr std::size_t kTryEachMax = 2000;

std::int32_t day_of(TimestampNs t) {
  const std::int64_t day = t.value / kDayNs;
  return static_cast<std::int32_t>(t.value % kDayNs < 0 ? day - 1 : day);
}

/// The days that a half-open range touches, closed.
struct DayRange {
  explicit DayRange(TimeRange range)
      : first(day_of(range.begin)), last(range.empty() ? first - 1 : day_of({range.end.value - 1})) {}
  template <class Days>
  bool any_of(const Days& days) const {
    return days.any_in(first, last);
  }
  std::int32_t first;
  std::int32_t last;
};

std::vector<StreamId> intersect(const std::vector<StreamId>& a, const std::vector<StreamId>& b) {
  std::vector<StreamId> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

}  // namespace

void StreamIndex::Days::add(std::int32_t day) {
  if (empty()) {
    first_ = last_ = day;
    return;
  }
  const bool touches = day >= first_ - 1 && day <= last_ + 1;
  if (!touches && is_whole()) {
    for (std::int32_t known = first_; known <= last_; ++known) list_.push_back(known);
  }
  if (!is_whole()) {
    const auto it = std::lower_bound(list_.begin(), list_.end(), day);
    if (it == list_.end() || *it != day) list_.insert(it, day);
  }
  first_ = std::min(first_, day);
  last_ = std::max(last_, day);
}

bool StreamIndex::Days::any_in(std::int32_t first, std::int32_t last) const {
  if (empty() || first > last || last < first_ || first > last_) return false;
  if (is_whole() || first <= first_ || last >= last_) return true;
  const auto it = std::lower_bound(list_.begin(), list_.end(), first);
  return it != list_.end() && *it <= last;
}

std::optional<StreamId> StreamIndex::find_locked(Fingerprint fingerprint, const Labels& labels) const {
  const auto [begin, end] = by_fingerprint_.equal_range(fingerprint.value);
  for (auto it = begin; it != end; ++it) {
    const Labels* known = streams_[it->second].labels.get();
    if (known == &labels || *known == labels) return it->second;
  }
  return std::nullopt;
}

std::optional<StreamId> StreamIndex::find(Fingerprint fingerprint, const Labels& labels) const {
  const std::shared_lock lock(mutex_);
  return find_locked(fingerprint, labels);
}

StreamId StreamIndex::find_or_add(Fingerprint fingerprint, const std::shared_ptr<const Labels>& labels) {
  if (const auto known = find(fingerprint, *labels)) return *known;
  const std::unique_lock lock(mutex_);
  if (const auto known = find_locked(fingerprint, *labels)) return *known;
  KVASIR_ASSERT(streams_.size() < UINT32_MAX, "too many streams");
  const auto id = static_cast<StreamId>(streams_.size());
  streams_.push_back({labels, fingerprint, {}});
  by_fingerprint_.emplace(fingerprint.value, id);
  for (const auto& label : *labels) postings_[label.name].add(label.value, id);
  return id;
}

std::shared_ptr<const Labels> StreamIndex::labels(StreamId id) const {
  const std::shared_lock lock(mutex_);
  return streams_[id].labels;
}

std::vector<std::shared_ptr<const Labels>> StreamIndex::labels(std::span<const StreamId> ids) const {
  const std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<const Labels>> found;
  found.reserve(ids.size());
  for (const StreamId id : ids) found.push_back(streams_[id].labels);
  return found;
}

Fingerprint StreamIndex::fingerprint(StreamId id) const {
  const std::shared_lock lock(mutex_);
  return streams_[id].fingerprint;
}

std::size_t StreamIndex::size() const {
  const std::shared_lock lock(mutex_);
  return streams_.size();
}

void StreamIndex::note_data(StreamId id, TimestampNs first, TimestampNs last) {
  const std::unique_lock lock(mutex_);
  auto& days = streams_[id].days;
  const bool is_first = with_days_ == 0;
  with_days_ += days.empty() ? 1 : 0;
  first_day_ = is_first ? day_of(first) : std::min(first_day_, day_of(first));
  last_day_ = is_first ? day_of(last) : std::max(last_day_, day_of(last));
  for (std::int32_t day = day_of(first); day <= day_of(last); ++day) days.add(day);
}

void StreamIndex::forget_data() {
  const std::unique_lock lock(mutex_);
  for (auto& stream : streams_) stream.days.clear();
  with_days_ = 0;
}

bool StreamIndex::all_within(std::int32_t first, std::int32_t last) const {
  return with_days_ == streams_.size() && first <= first_day_ && last >= last_day_;
}

std::vector<StreamId> StreamIndex::all_locked() const {
  Ids all(streams_.size());
  std::iota(all.begin(), all.end(), StreamId{0});
  return all;
}

std::vector<StreamId> StreamIndex::matching(const LabelMatcher& matcher) const {
  const auto values = postings_.find(matcher.name());
  const bool with_absent = matcher.matches_empty();
  if (values == postings_.end()) return with_absent ? all_locked() : Ids();
  if (matcher.op() == MatchOp::kEqual && !with_absent) {
    const Ids* ids = values->second.find(matcher.value());
    return ids == nullptr ? Ids() : *ids;
  }
  // Streams without the label follow `with_absent`: then collect those that do not match, and turn the set around.
  Ids collected;
  for (const auto& [text, first, ids] : values->second.all()) {
    if (matcher.matches(text) != with_absent) collected.insert(collected.end(), ids->begin(), ids->end());
  }
  std::sort(collected.begin(), collected.end());
  if (!with_absent) return collected;
  const Ids all = all_locked();
  Ids rest;
  std::set_difference(all.begin(), all.end(), collected.begin(), collected.end(), std::back_inserter(rest));
  return rest;
}

std::vector<StreamId> StreamIndex::select_locked(std::span<const LabelMatcher> matchers) const {
  std::vector<const LabelMatcher*> order;
  for (const auto& matcher : matchers) order.push_back(&matcher);
  const auto cost = [](const LabelMatcher* m) {
    if (m->op() == MatchOp::kEqual && !m->value().empty()) return 0;
    return m->matches_empty() ? 2 : 1;
  };
  std::stable_sort(order.begin(), order.end(), [&](auto* a, auto* b) { return cost(a) < cost(b); });
  if (order.empty()) return all_locked();
  Ids ids = matching(*order.front());
  for (std::size_t i = 1; i < order.size() && !ids.empty(); ++i) {
    if (ids.size() > kTryEachMax) {
      ids = intersect(ids, matching(*order[i]));
    } else {
      std::erase_if(ids, [&](StreamId id) { return !order[i]->matches(*streams_[id].labels); });
    }
  }
  return ids;
}

std::vector<StreamId> StreamIndex::select(std::span<const LabelMatcher> matchers) const {
  const std::shared_lock lock(mutex_);
  return select_locked(matchers);
}

std::vector<StreamId> StreamIndex::with_data(std::vector<StreamId> ids, TimeRange range) const {
  const DayRange days(range);
  const std::shared_lock lock(mutex_);
  std::erase_if(ids, [&](StreamId id) { return !days.any_of(streams_[id].days); });
  return ids;
}

bool StreamIndex::has_label(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  return postings_.find(name) != postings_.end();
}

std::vector<std::string> StreamIndex::label_names(std::span<const LabelMatcher> matchers, TimeRange range) const {
  const DayRange days(range);
  const std::shared_lock lock(mutex_);
  std::vector<std::string> names;
  if (matchers.empty()) {
    const auto is_alive = [&](StreamId id) { return alive(id, days.first, days.last); };
    for (const auto& [name, values] : postings_) {
      const auto listed = values.all();
      const bool used = std::any_of(listed.begin(), listed.end(), [&](const LabelValues::Value& value) {
        return std::any_of(value.ids->begin(), value.ids->end(), is_alive);
      });
      if (used) names.push_back(name);
    }
  } else {
    for (const StreamId id : select_locked(matchers)) {
      if (!days.any_of(streams_[id].days)) continue;
      for (const auto& label : *streams_[id].labels) {
        if (std::find(names.begin(), names.end(), label.name) == names.end()) names.push_back(label.name);
      }
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string_view> StreamIndex::label_values(std::string_view name, std::span<const LabelMatcher> matchers,
                                                        TimeRange range) const {
  const DayRange days(range);
  for (;;) {
    {
      const std::shared_lock lock(mutex_);
      const auto values = postings_.find(name);
      if (values == postings_.end()) return {};
      if (values->second.in_order()) return values_of(*values, matchers, days.first, days.last);
    }
    const std::unique_lock lock(mutex_);
    postings_.find(name)->second.put_in_order();
  }
}

std::vector<std::string_view> StreamIndex::values_of_each(std::string_view name, std::span<const StreamId> ids,
                                                          std::int32_t first_day, std::int32_t last_day) const {
  std::vector<std::string_view> found;
  for (const StreamId id : ids) {
    const auto value = alive(id, first_day, last_day) ? streams_[id].labels->get(name) : std::nullopt;
    if (value) found.push_back(*value);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

/// REQUIRES: the values are in order.
std::vector<std::string_view> StreamIndex::values_of(const Postings::value_type& label,
                                                     std::span<const LabelMatcher> matchers, std::int32_t first_day,
                                                     std::int32_t last_day) const {
  const auto& [name, values] = label;
  std::vector<std::string_view> found;
  const auto add_values = [&](const auto& wanted) {
    for (const auto& [text, first, ids] : values.all()) {
      if (wanted(first) || std::any_of(ids->begin() + 1, ids->end(), wanted)) found.push_back(text);
    }
  };
  if (matchers.empty()) {
    found.reserve(values.all().size());
    if (all_within(first_day, last_day)) {
      for (const auto& value : values.all()) found.push_back(value.text);
    } else {
      add_values([&](StreamId id) { return alive(id, first_day, last_day); });
    }
    return found;
  }
  const Ids selected = select_locked(matchers);
  if (selected.size() <= kTryEachMax) return values_of_each(name, selected, first_day, last_day);
  std::vector<bool> marked(streams_.size());
  std::size_t count = 0;
  for (const StreamId id : selected) {
    marked[id] = alive(id, first_day, last_day);
    count += marked[id] ? 1 : 0;
  }
  if (count > 0) add_values([&](StreamId id) { return marked[id]; });
  return found;
}

}  // namespace kvasir::index
