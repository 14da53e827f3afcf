// push_decoding.h -- from the body of a push request to its streams, by content type and encoding.
//
// Threads:  any.
#pragma once

#include <memory>

#include "common/net/http_types.h"
#include "ingest/validate.h"
#include "ingest/wire/push_pool.h"

namespace kvasir::server {

enum class PushForm { kV1, kLegacy, kOtlp, kOtlpGrpc };

/// Of the distributor block, in bytes.
struct PushBodyLimits {
  std::uint64_t wire_max = 100 << 20;
  std::uint64_t decompressed_max = std::uint64_t{5000} << 20;
  std::uint64_t made_max = std::uint64_t{5000} << 20;  // of the lists and texts that are made of a body
};

struct PushDecoding {
  PushForm form;
  PushBodyLimits limits;
  const ingest::OtlpConfig& otlp;
  TimestampNs now;
  ingest::PushPool& pool;
};
using DecodedOrRefused = std::variant<std::shared_ptr<ingest::DecodedPush>, ingest::Refusal>;

/// What Content-Type says of the body.
bool is_json(const net::HttpRequest& request);

/// Takes the body out of the request. A refusal carries the status and text of the answer.
DecodedOrRefused decode_push(const PushDecoding& decoding, net::HttpRequest& request);

/// X-Kvasir-Source and X-Kvasir-Range. Errors: invalid_argument.
Result<std::optional<ingest::PushOrigin>> push_origin(const net::HttpHeaders& headers);

}  // namespace kvasir::server
