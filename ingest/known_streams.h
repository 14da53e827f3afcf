// known_streams.h -- what is worked out once for each label string of a tenant.
//
// Lifetime: a KnownStream lives as long as somebody holds it; clear() forgets them all.
// Threads:  the owner locks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/result.h"
#include "ingest/detected_level.h"
#include "ingest/limits.h"
#include "ingest/push_batch.h"
#include "ingest/rate_limit.h"

namespace kvasir::ingest {

struct KnownStream {
  std::shared_ptr<const StreamIdentity> identity;
  std::optional<Rejection> label_problem;   // entries and bytes are filled in per push
  std::optional<std::string> level;         // the level that the labels name, as it is stored
  std::optional<Level> known_level;         // the same, if it is one of ours
  std::string policy;
  TokenBucket rate;                         // the only part that changes; the owner's lock guards it
};

class KnownStreams {
 public:
  explicit KnownStreams(std::string tenant) : tenant_(std::move(tenant)) {}

  /// Errors: parse, for a label string that cannot be read.
  Result<std::shared_ptr<KnownStream>> find(std::string_view label_text, const TenantLimits& limits,
                                            const LevelDetector& levels);
  void clear() { streams_.clear(); }
  std::size_t size() const { return streams_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const;
  };

  Result<std::shared_ptr<KnownStream>> learn(std::string_view label_text, const TenantLimits& limits,
                                             const LevelDetector& levels) const;

  std::string tenant_;
  std::unordered_map<std::string, std::shared_ptr<KnownStream>, Hash, std::equal_to<>> streams_;
};

/// The label that Loki adds: `service_name` by discovery. No change where there is one or discovery is off.
void add_service_name(Labels& labels, const TenantLimits& limits);
/// Streams that Loki writes itself; they are not checked.
bool is_internal_stream(const Labels& labels);

}  // namespace kvasir::ingest
