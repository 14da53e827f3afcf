// push_json.h -- the JSON forms of a push, both ways.
//
// v1:       {"streams":[{"stream":{"app":"shop"},"values":[["1795253222000000000","line",{"trace_id":"a"}], ...]}]}
// legacy:   {"streams":[{"labels":"{app=\"shop\"}","entries":[{"ts":"2026-11-21T09:00:00Z","line":"x"}]}]}
// Shape:    a line without escapes stays where it is in the body; one with escapes is rewritten into push.text.
// Lifetime: views of the result point into its own body and text.
// Errors:   invalid_argument for anything malformed: one bad element refuses the whole body. `EOF` for an empty body.
// Notes:    invalid UTF-8 becomes U+FFFD (JSON cannot carry other bytes).
#pragma once

#include <span>
#include <string>

#include "common/result.h"
#include "ingest/wire/push_request.h"

namespace kvasir::ingest {

enum class JsonForm { kV1, kLegacy };

/// Decodes push.body. REQUIRES: everything else of push is empty.
Result<void> decode_push_json(JsonForm form, DecodedPush& push);

/// The v1 form. Errors: parse, if a label string cannot be read.
Result<std::string> encode_push_json(std::span<const WireStream> streams);

}  // namespace kvasir::ingest
