// push_verdicts.h -- says of every line of one push whether it was taken, was stored before, or is refused, for clients
// that ask (docs/http-extensions.md).
//
// Shape:    lines are named as the client sent them: (stream of the request, entry of that stream). Refused lines and
//           repeated ones are listed; all others are only counted.
// Lifetime: one push. Entries that the validator accepts keep their place in DecodedPush::accepted; that gives their
//           origin later.
// Threads:  one at a time: the validator, then admission, then the head, then the answer.
// Limits:   kListedMax lines of each kind are listed, refused ones with kMessageBytesMax of text each; the rest is
//           counted.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ingest/push_batch.h"

namespace kvasir::ingest {

class PushVerdicts {
 public:
  static constexpr std::size_t kListedMax = 10'000;
  static constexpr std::size_t kMessageBytesMax = 512;

  struct Place {
    std::uint32_t stream = 0;
    std::uint32_t entry = 0;
  };
  struct Verdict {
    Place place;
    DiscardReason reason{};
    int status = 400;
    std::string message;
  };

  void accept(Place place) { accepted_.push_back({place, false, false}); }
  void refuse(Place place, const Rejection& rejection);
  /// Lines that were accepted before and are refused after all. `first` is DecodedPush::accepted's first.
  void set_first(const EntryView* first) { first_ = first; }
  void refuse_accepted(std::span<const EntryView> entries, const Rejection& rejection);
  /// The number of an accepted entry, for repeat(). REQUIRES: the entry itself, not a copy.
  std::uint32_t number_of(const EntryView& accepted) const;
  /// An accepted line that was stored before. Saying it twice changes nothing.
  void repeat(std::uint32_t number);
  /// The whole push was stored before.
  void repeat_all();

  const std::vector<Verdict>& refused() const { return listed_; }
  /// Up to kListedMax, in the order sent.
  std::vector<Place> repeated() const;
  std::uint64_t refused_count() const { return refused_count_; }
  std::uint64_t repeated_count() const { return repeated_count_; }
  /// Lines that are stored by this push.
  std::uint64_t accepted_count() const { return accepted_.size() - taken_back_ - repeated_count_; }

 private:
  struct Accepted {
    Place place;
    bool repeated;
    bool taken_back;
  };

  const EntryView* first_ = nullptr;
  std::vector<Accepted> accepted_;   // parallel to DecodedPush::accepted
  std::vector<Verdict> listed_;
  std::uint64_t refused_count_ = 0;
  std::uint64_t repeated_count_ = 0;
  std::uint64_t taken_back_ = 0;
};

}  // namespace kvasir::ingest
