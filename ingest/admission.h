// admission.h -- decides which streams and entries of a batch go on: the stream limit and the out-of-order window.
//
// Order:    the newest timestamp of a stream moves on entry by entry, so the order inside a batch matters.
// Lifetime: entries point into the batch, or into `kept` of the same Admission.
// Threads:  any.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ingest/push_batch.h"
#include "ingest/tenant_head.h"

namespace kvasir::ingest {

/// What admission needs to know of a tenant; asked once per push.
struct AdmitLimits {
  std::uint64_t streams_max = 0;        // streams with entries in the head; 0 = no limit
  Duration out_of_order_window{0};      // entries older than the stream's newest by more are refused; 0 = any age
  std::uint64_t stream_errors_max = 10; // refused entries that are named one by one in the answer
};

struct AdmittedStream {
  StreamSlot* slot = nullptr;
  std::span<const EntryView> entries;
  std::vector<std::uint32_t> numbers;  // of the entries, for PushVerdicts; only if the client asked for verdicts
};

struct Admission {
  std::vector<AdmittedStream> streams;
  std::vector<std::unique_ptr<std::vector<EntryView>>> kept;   // what is left of streams with refused entries
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  Rejections rejections;
};

Admission admit_streams(TenantHead& head, const PushBatch& batch, const AdmitLimits& limits);

}  // namespace kvasir::ingest
