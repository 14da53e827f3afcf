// otlp.h -- ExportLogsServiceRequest (OpenTelemetry logs) to streams, from protobuf and from JSON.
//
// Shape:    one stream for each run of records with the same index labels. Label and metadata names are in stored form.
// Metadata: log attributes, observed_timestamp, severity_number, severity_text, dropped_attributes_count, flags,
//           trace_id, span_id, other resource attributes, scope attributes, scope_name, scope_version,
//           scope_dropped_attributes_count: of equal names the first counts.
// Lifetime: views of the result point into its own body and text.
// Errors:   invalid_argument (malformed, nested deeper than 32, an attribute without a name), parse (a rule's regex).
// Source:   opentelemetry-proto logs/v1
#pragma once

#include "common/result.h"
#include "common/time.h"
#include "ingest/wire/otlp_config.h"
#include "ingest/wire/push_request.h"

namespace kvasir::ingest {

/// Decodes push.body. REQUIRES: everything else of push is empty. `now` is the time of records that carry none.
Result<void> decode_otlp_protobuf(const OtlpConfig& config, TimestampNs now, DecodedPush& push);
Result<void> decode_otlp_json(const OtlpConfig& config, TimestampNs now, DecodedPush& push);

}  // namespace kvasir::ingest
