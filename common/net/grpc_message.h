// grpc_message.h -- the framing of gRPC: one message in a body, and statuses as HTTP has them.
//
// Shape:    flag (1 byte: 1 = compressed) | length (4 bytes, big endian) | message.
// Threads:  free functions.
// Errors:   invalid_argument (cut, more than one message, unknown flag), limit_exceeded (the declared length, before it
//           is believed).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace kvasir::net {

inline constexpr std::size_t kGrpcPrefixBytes = 5;

enum class GrpcStatus {
  kOk = 0, kInvalidArgument = 3, kDeadlineExceeded = 4, kNotFound = 5, kPermissionDenied = 7, kResourceExhausted = 8,
  kUnimplemented = 12, kInternal = 13, kUnavailable = 14, kUnauthenticated = 16,
};

struct GrpcMessage {
  bool compressed = false;
  std::string_view payload;   // into the body
};

/// The only message of a unary call's body.
Result<GrpcMessage> read_grpc_message(std::string_view body, std::uint64_t payload_bytes_max);
/// The declared length of the message that `body` begins with, once five bytes are there.
std::uint64_t declared_grpc_bytes(std::string_view body);
/// A message that is not compressed.
std::string frame_grpc_message(std::string_view payload);
/// For grpc-message: what is not printable ASCII, and %, becomes %XX.
std::string encode_grpc_text(std::string_view text);
/// What a client of OTLP should do decides: 429 and 5xx are worth a retry (UNAVAILABLE), other errors are not.
GrpcStatus grpc_status_of_http(int status);

}  // namespace kvasir::net
