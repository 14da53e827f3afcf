// push_request.h -- a push as its decoder left it: streams of entries as views, nothing checked yet.
//
// Shape:    entries of one stream are contiguous, in the order sent; so are the metadata pairs of one entry.
// Lifetime: views point into `body` or `text` of the same object, which therefore is never moved: it is made on the
//           heap.
// Threads:  one at a time.
// Limits:   made_bytes_max: a few bytes of body may stand for much (an empty entry, the attributes of a resource that
//           each of its records repeats), so decoders ask is_too_much() as they go and refuse.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/entry.h"
#include "common/labels.h"
#include "common/result.h"
#include "common/time.h"
#include "ingest/wire/text_arena.h"

namespace kvasir::ingest {

struct DecodedEntry {
  TimestampNs timestamp;
  std::string_view line;
  std::uint32_t metadata_begin = 0;
  std::uint32_t metadata_count = 0;
};

struct DecodedStream {
  std::string_view labels;  // `{app="shop"}`, not parsed yet
  std::uint32_t entry_begin = 0;
  std::uint32_t entry_count = 0;
};

/// Where the records of one OTLP scope begin, for those who must name a record as it was sent.
struct OtlpScopePlace {
  std::uint32_t resource = 0;  // of the request
  std::uint32_t scope = 0;     // of the resource
  std::uint32_t entry_begin = 0;
};

struct DecodedPush {
  DecodedPush() = default;
  DecodedPush(const DecodedPush&) = delete;
  DecodedPush& operator=(const DecodedPush&) = delete;

  std::string body;
  TextArena text;
  std::vector<DecodedStream> streams;
  std::vector<DecodedEntry> entries;
  std::vector<LabelView> metadata;
  std::vector<OtlpScopePlace> otlp_scopes;  // in order, those with records; OTLP only
  std::string covers;  // fields for decode_covers(), not checked yet

  // Filled by the validator: what a PushBatch points into. Here, so that one object owns and recycles all of it.
  std::vector<EntryView> accepted;
  std::vector<LabelView> accepted_metadata;

  /// For what is made of the body: lists and texts, those of the validator included.
  std::uint64_t made_bytes_max = UINT64_MAX;
  std::uint64_t made_bytes() const {
    return text.held_bytes() + streams.size() * sizeof(DecodedStream) +
           entries.size() * (sizeof(DecodedEntry) + sizeof(EntryView)) + metadata.size() * 2 * sizeof(LabelView) +
           otlp_scopes.size() * sizeof(OtlpScopePlace);
  }
  bool is_too_much() const { return made_bytes() > made_bytes_max; }
  Error too_much() const {
    return Error(ErrorCode::kLimitExceeded, "request body too large: what it holds takes more than " +
                                                std::to_string(made_bytes_max) + " bytes");
  }

  std::span<const DecodedEntry> entries_of(const DecodedStream& stream) const {
    return std::span(entries).subspan(stream.entry_begin, stream.entry_count);
  }
  std::span<const LabelView> metadata_of(const DecodedEntry& entry) const {
    return std::span(metadata).subspan(entry.metadata_begin, entry.metadata_count);
  }
  /// Empty again, memory kept.
  void clear() {
    body.clear();
    text.clear();
    streams.clear();
    entries.clear();
    metadata.clear();
    otlp_scopes.clear();
    covers.clear();
    accepted.clear();
    accepted_metadata.clear();
  }
  /// Memory held, for budgets.
  std::uint64_t held_bytes() const {
    return body.capacity() + text.held_bytes() + streams.capacity() * sizeof(DecodedStream) +
           entries.capacity() * sizeof(DecodedEntry) + otlp_scopes.capacity() * sizeof(OtlpScopePlace) +
           accepted.capacity() * sizeof(EntryView) +
           (metadata.capacity() + accepted_metadata.capacity()) * sizeof(LabelView);
  }
};

/// What an encoder takes: one stream with its entries (sequences are not sent).
struct WireStream {
  std::string_view labels;  // `{app="shop"}`
  std::span<const EntryView> entries;
};

}  // namespace kvasir::ingest
