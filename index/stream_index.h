// stream_index.h -- the streams of one tenant in memory: numbers for label sets, postings, and when each stream had
// data.
//
// Shape:    a stream gets a dense StreamId once and keeps it while the process lives; label name -> value -> ids.
// Lifetime: names and values are never forgotten: views of them live as long as the index.
// Units:    when a stream had data is remembered per UTC day.
// Order:    ids, names and values come back ascending.
//           shared_ptr<const Labels> may be held for ever; ids are never reused.
// Threads:  any; readers share a lock, adding a stream takes it alone for a moment.
// Limits:   2^32 - 1 streams.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/labels.h"
#include "common/matcher.h"
#include "common/time.h"
#include "index/label_values.h"

namespace kvasir::index {

class StreamIndex {
 public:
  StreamIndex() = default;
  StreamIndex(const StreamIndex&) = delete;
  StreamIndex& operator=(const StreamIndex&) = delete;

  /// The id of this label set, or an empty optional. Compares labels, not only the fingerprint.
  std::optional<StreamId> find(Fingerprint fingerprint, const Labels& labels) const;
  /// The id, new if need be. `labels` is kept.
  StreamId find_or_add(Fingerprint fingerprint, const std::shared_ptr<const Labels>& labels);
  std::shared_ptr<const Labels> labels(StreamId id) const;
  std::vector<std::shared_ptr<const Labels>> labels(std::span<const StreamId> ids) const;
  Fingerprint fingerprint(StreamId id) const;
  /// Ids are 0 .. size() - 1.
  std::size_t size() const;

  /// The stream has entries somewhere in [first, last].
  void note_data(StreamId id, TimestampNs first, TimestampNs last);
  /// Forgets when streams had data (retention took segments away); note_data() then says it anew for what is left.
  void forget_data();

  /// Streams for which every matcher holds. An empty list selects all.
  std::vector<StreamId> select(std::span<const LabelMatcher> matchers) const;
  /// Streams of `ids` that had data on a day that the range touches.
  std::vector<StreamId> with_data(std::vector<StreamId> ids, TimeRange range) const;

  bool has_label(std::string_view name) const;
  /// Of the streams that match and may have data in the range.
  std::vector<std::string> label_names(std::span<const LabelMatcher> matchers, TimeRange range) const;
  std::vector<std::string_view> label_values(std::string_view name, std::span<const LabelMatcher> matchers,
                                             TimeRange range) const;

 private:
  using Ids = std::vector<StreamId>;
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Postings = std::unordered_map<std::string, LabelValues, TextHash, std::equal_to<>>;
  /// When a stream had data, as UTC days. Most had on each day between the first and the last: then there is no list.
  class Days {
   public:
    void add(std::int32_t day);
    void clear() { *this = {}; }
    bool empty() const { return last_ < first_; }
    bool any_in(std::int32_t first, std::int32_t last) const;

   private:
    bool is_whole() const { return list_.empty(); }
    std::int32_t first_ = 0, last_ = -1;  // last < first: no day
    std::vector<std::int32_t> list_;      // ascending, where days are missing between; else empty
  };
  struct Stream {
    std::shared_ptr<const Labels> labels;
    Fingerprint fingerprint;
    Days days;
  };

  std::optional<StreamId> find_locked(Fingerprint fingerprint, const Labels& labels) const;
  Ids matching(const LabelMatcher& matcher) const;
  Ids select_locked(std::span<const LabelMatcher> matchers) const;
  Ids all_locked() const;
  bool alive(StreamId id, std::int32_t first_day, std::int32_t last_day) const {
    return streams_[id].days.any_in(first_day, last_day);
  }
  std::vector<std::string_view> values_of(const Postings::value_type& label, std::span<const LabelMatcher> matchers,
                                          std::int32_t first_day, std::int32_t last_day) const;
  std::vector<std::string_view> values_of_each(std::string_view name, std::span<const StreamId> ids,
                                               std::int32_t first_day, std::int32_t last_day) const;
  /// Every stream has data in these days, by what is known of all.
  bool all_within(std::int32_t first, std::int32_t last) const;

  mutable std::shared_mutex mutex_;
  std::vector<Stream> streams_;
  std::size_t with_days_ = 0;                      // streams that had data
  std::int32_t first_day_ = 0, last_day_ = -1;     // of all of them
  std::unordered_multimap<std::uint64_t, StreamId> by_fingerprint_;
  mutable Postings postings_;  // put in order by readers
};

}  // namespace kvasir::index
