// push_batch.h -- what the validator hands to the head: good entries by stream, and what was refused and why.
//
// Shape:    PushBatch: one tenant; per stream its identity and a run of entries. Entries keep the order in which they
//           were sent. Metadata of an entry is sorted by name, names are unique, values are not empty, and
//           `detected_level` is among them when level discovery is on.
// Units:    timestamps ns since the Unix epoch; sizes bytes.
// Lifetime: every view of a batch points into what `owner` holds (request body, arenas) or into static text; moving the
//           batch keeps them valid. StreamIdentity is shared with the validator's cache: for a known stream the same
//           pointer comes each time, so pointer equality proves label equality (the reverse does not hold).
// Threads:  values; StreamIdentity is immutable.
// Notes:    EntryView::sequence is 0 here; the head gives it at admission.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/entry.h"
#include "common/labels.h"

namespace kvasir::ingest {

/// Why entries are refused; discard_reason_name() gives the `reason` label of the discard metrics.
enum class DiscardReason : std::uint8_t {
  kInvalidLabels,
  kMissingLabels,
  kRateLimited,
  kLineTooLong,
  kStreamLimit,
  kPerStreamRateLimit,
  kOutOfOrder,
  kTooFarBehind,
  kGreaterThanMaxSampleAge,
  kTooFarInFuture,
  kMaxLabelNamesPerSeries,
  kLabelNameTooLong,
  kLabelValueTooLong,
  kDuplicateLabelNames,
  kDisallowedStructuredMetadata,
  kStructuredMetadataTooLarge,
  kStructuredMetadataTooMany,
  kBlockedIngestion,
  kBlockedIngestionPolicy,
  kMissingEnforcedLabels,
  kRequestBodyTooLarge,
  kCount,
};
std::string_view discard_reason_name(DiscardReason reason);

/// A stream's labels with what is computed from them once.
struct StreamIdentity {
  Labels labels;            // with service_name
  Fingerprint fingerprint;
  std::string text;         // labels.to_string()
};

struct PushStream {
  std::shared_ptr<const StreamIdentity> identity;
  std::span<const EntryView> entries;   // never empty
  std::uint64_t bytes = 0;              // lines + metadata names and values
};

/// From X-Kvasir-Source and X-Kvasir-Range: makes a repeated push recognisable. Ranges of one source are half-open and
/// a batch whose range ends at or before what is already durable for that source is acknowledged without being stored
/// again.
struct PushOrigin {
  std::string source;             // at most 256 bytes, chosen by the agent: stable for one file of one host
  std::uint64_t begin_offset = 0;
  std::uint64_t end_offset = 0;
  std::string covers = {};        // which bytes of which files the push was made of (ingest/wire/covers.h), or ""
};

class PushVerdicts;  // ingest/push_verdicts.h

struct PushBatch {
  std::string tenant;
  std::vector<PushStream> streams;
  std::optional<PushOrigin> origin;
  std::uint64_t entry_count = 0;
  std::uint64_t bytes = 0;              // sum of the streams' bytes
  std::shared_ptr<const void> owner;    // keeps the bytes under every view alive
  std::uint64_t owner_bytes = 0;        // memory held by owner, for budgets
  std::shared_ptr<PushVerdicts> verdicts;  // null unless the client asked for them

  bool empty() const { return streams.empty(); }
};

struct Rejection {
  DiscardReason reason{};
  int status = 400;
  std::string message;          // whole text for the client, without a final newline
  std::uint64_t entries = 0;    // entries refused by this
  std::uint64_t bytes = 0;
};

/// What was refused, by the validator or by the head (stream limit and so on). Empty: everything is in.
class Rejections {
 public:
  struct Counts {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
  };
  using ByReason = std::array<Counts, static_cast<std::size_t>(DiscardReason::kCount)>;

  void add(Rejection rejection);
  /// Counts what was dropped without telling the client (a line that was cut).
  void count(DiscardReason reason, std::uint64_t entries, std::uint64_t bytes);
  bool empty() const { return groups_.empty(); }
  /// How many entries were refused; cut ones do not count.
  std::uint64_t refused_entries() const { return refused_entries_; }
  /// For the discard metrics.
  const ByReason& by_reason() const { return by_reason_; }
  /// The status and text of the answer: groups of equal text as `2 errors like: ...`, joined with "; "; one error alone
  /// is bare.
  /// REQUIRES: not empty.
  int status() const;
  std::string text() const;
  /// The first text alone. REQUIRES: not empty.
  const std::string& first_message() const { return groups_.front().message; }

 private:
  struct Group {
    std::string message;
    int status = 400;
    std::uint64_t count = 0;
  };
  static constexpr std::size_t kGroupsMax = 1000;  // of different texts; more are only counted

  std::vector<Group> groups_;
  std::unordered_map<std::size_t, std::size_t> by_text_;  // hash of a message -> its group
  std::uint64_t unlisted_ = 0;
  std::uint64_t refused_entries_ = 0;
  ByReason by_reason_{};
};

}  // namespace kvasir::ingest
