#include "common/net/grpc_message.h"

namespace kvasir::net {

std::uint64_t declared_grpc_bytes(std::string_view body) {
  std::uint64_t length = 0;
  for (std::size_t i = 1; i < kGrpcPrefixBytes; ++i) length = length << 8 | static_cast<unsigned char>(body[i]);
  return length;
}

Result<GrpcMessage> read_grpc_message(std::string_view body, std::uint64_t payload_bytes_max) {
  const auto bad = [](const char* text) { return fail(ErrorCode::kInvalidArgument, text); };
  if (body.size() < kGrpcPrefixBytes) return bad("the call has no message");
  const std::uint64_t length = declared_grpc_bytes(body);
  if (length > payload_bytes_max) {
    return fail(ErrorCode::kLimitExceeded, "message size too large than max (" + std::to_string(length) + " vs " +
                                               std::to_string(payload_bytes_max) + ")");
  }
  if (static_cast<unsigned char>(body[0]) > 1) return bad("unknown flag of a gRPC message");
  if (body.size() - kGrpcPrefixBytes < length) return bad("the gRPC message is cut");
  if (body.size() - kGrpcPrefixBytes > length) return bad("a unary call has one message");
  return GrpcMessage{body[0] == 1, body.substr(kGrpcPrefixBytes)};
}

std::string frame_grpc_message(std::string_view payload) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift & 0xff);
  return out.append(payload);
}

std::string encode_grpc_text(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '%') {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

GrpcStatus grpc_status_of_http(int status) {
  switch (status) {
    case 401: return GrpcStatus::kUnauthenticated;
    case 403: return GrpcStatus::kPermissionDenied;
    case 404: return GrpcStatus::kUnimplemented;
    case 429: return GrpcStatus::kUnavailable;
    case 504: return GrpcStatus::kDeadlineExceeded;
    default: break;
  }
  if (status < 300) return GrpcStatus::kOk;
  return status >= 500 ? GrpcStatus::kUnavailable : GrpcStatus::kInvalidArgument;
}

}  // namespace kvasir::net
