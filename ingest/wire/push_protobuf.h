// push_protobuf.h -- logproto.PushRequest in snappy's block form, both ways.
//
// Shape:    decoding touches the body once; entries and metadata go into vectors that keep their memory from push to
//           push.
// Lifetime: views of the result point into its own body.
// Errors:   limit_exceeded (more than `limit_bytes` declared: nothing was allocated), invalid_argument (`snappy:
//           corrupt input`, `unexpected EOF`, ...).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/result.h"
#include "ingest/wire/push_request.h"

namespace kvasir::ingest {

/// Undoes snappy into push.body, then decode_push_protobuf(). REQUIRES: push is empty.
Result<void> decode_push_snappy(std::string_view compressed, std::uint64_t limit_bytes, DecodedPush& push);
/// Decodes push.body. REQUIRES: everything else of push is empty.
Result<void> decode_push_protobuf(DecodedPush& push);

/// The message as it is, not compressed.
std::string encode_push_protobuf(std::span<const WireStream> streams);
/// What goes into the body of a push: snappy around the message.
std::string encode_push_snappy(std::span<const WireStream> streams);

}  // namespace kvasir::ingest
