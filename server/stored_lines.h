// stored_lines.h -- which lines of a push are stored already, for clients that ask for a verdict on each.
//
// Shape:    the head finds repeats of what a stream still appends to; this looks into everything older, sealed and in
//           segments.
// Cost:     the blocks whose time holds one of the lines are opened, and read where an instant is met. Only pushes that
//           ask for verdicts pay for it.
// Threads:  any; blocks while it reads.
// Errors:   those of the store and of the context; some lines are marked then, others are not.
#pragma once

#include "common/result.h"
#include "ingest/push_batch.h"
#include "logql/log_source.h"

namespace kvasir::server {

/// Marks the entries of the batch that have the stream, time, line and metadata of a stored one.
/// REQUIRES: batch.verdicts is not null.
Result<void> mark_stored_lines(const ingest::PushBatch& batch, logql::LogSource& source, logql::QueryContext& context);

}  // namespace kvasir::server
