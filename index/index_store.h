// index_store.h -- the part of the index that is on disk: label sets of streams and which of them each segment holds.
//
// Shape:    (tenant, segment) -> streams of the segment in its own order, each with labels and time range. LevelDB.
// Errors:   corruption, io. The caller then calls wipe() and fills it anew: nothing here is the only copy.
// Threads:  any.
// Source:   docs/formats/index-v1.md
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/filesystem.h"
#include "common/labels.h"
#include "common/result.h"
#include "common/time.h"

namespace kvasir::index {

/// A stream as one segment holds it.
struct CatalogueStream {
  std::shared_ptr<const Labels> labels;
  TimestampNs first;
  TimestampNs last;
};

class IndexStore {
 public:
  /// Opens or makes the database. A damaged one, or one of another version, is wiped and made anew.
  static Result<std::unique_ptr<IndexStore>> open(const Path& directory, Filesystem& filesystem);
  /// Keeps nothing: for a disk that has no room for the database. Everything is read from the segments then.
  static std::unique_ptr<IndexStore> none();
  virtual ~IndexStore() = default;

  /// Segments of the tenant that are known, ascending.
  virtual Result<std::vector<std::uint64_t>> segments(std::string_view tenant) = 0;
  /// The streams of a segment, or an empty optional if it is not known.
  virtual Result<std::optional<std::vector<CatalogueStream>>> streams(std::string_view tenant,
                                                                      std::uint64_t segment) = 0;
  virtual Result<void> put(std::string_view tenant, std::uint64_t segment,
                           std::span<const CatalogueStream> streams) = 0;
  virtual Result<void> remove(std::string_view tenant, std::span<const std::uint64_t> segments) = 0;
};

}  // namespace kvasir::index
