// push_verdicts.h -- says of every line of one push whether it was taken, for clients that ask
// (docs/http-extensions.md).
//
// Shape:    lines are named as the client sent them: (stream of the request, entry of that stream). Only refused lines
//           are kept.
// Lifetime: one push. Entries that the validator accepts keep their place in DecodedPush::accepted; that gives their
//           origin later.
// Threads:  one at a time: the validator, then admission, then the answer.
// Limits:   kListedMax refused lines are listed, with kMessageBytesMax of text each; the rest is counted.
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

  void accept(Place place) { accepted_.push_back(place); }
  void refuse(Place place, const Rejection& rejection);
  /// Lines that were accepted before and are refused after all. `first` is DecodedPush::accepted's first.
  void set_first(const EntryView* first) { first_ = first; }
  void refuse_accepted(std::span<const EntryView> entries, const Rejection& rejection);

  const std::vector<Verdict>& refused() const { return listed_; }
  std::uint64_t refused_count() const { return refused_count_; }
  std::uint64_t accepted_count() const { return accepted_.size() - taken_back_; }

 private:
  const EntryView* first_ = nullptr;
  std::vector<Place> accepted_;   // parallel to DecodedPush::accepted
  std::vector<Verdict> listed_;
  std::uint64_t refused_count_ = 0;
  std::uint64_t taken_back_ = 0;
};

}  // namespace kvasir::ingest
