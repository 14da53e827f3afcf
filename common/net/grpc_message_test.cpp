#include "common/net/grpc_message.h"

#include <doctest/doctest.h>

namespace kvasir::net {
namespace {

using namespace std::string_literals;

TEST_CASE("a gRPC message comes back out of its frame") {
  for (const auto& payload : {""s, "x"s, std::string(300, 'y'), "\0\1\2"s}) {
    const std::string frame = frame_grpc_message(payload);
    const auto message = read_grpc_message(frame, 1000);
    REQUIRE(message);
    CHECK(message->payload == payload);
    CHECK_FALSE(message->compressed);
  }
  CHECK(read_grpc_message("\1\0\0\0\1z"s, 10)->compressed);
}

TEST_CASE("broken gRPC frames") {
  for (const auto& body : {""s, "\0\0\0\0"s, "\0\0\0\0\2a"s, "\0\0\0\0\1ab"s, "\2\0\0\0\1a"s, "\0\xff\xff\xff\xff"s}) {
    CAPTURE(body);
    CHECK_FALSE(read_grpc_message(body, 1000));
  }
  CHECK(read_grpc_message("\0\0\0\0\5abcde"s, 4).error().code() == ErrorCode::kLimitExceeded);
}

TEST_CASE("gRPC texts and statuses") {
  CHECK(encode_grpc_text("50% of \"x\"\n\xc3\xbc") == "50%25 of \"x\"%0A%C3%BC");
  CHECK(grpc_status_of_http(204) == GrpcStatus::kOk);
  CHECK(grpc_status_of_http(400) == GrpcStatus::kInvalidArgument);
  CHECK(grpc_status_of_http(401) == GrpcStatus::kUnauthenticated);
  CHECK(grpc_status_of_http(429) == GrpcStatus::kUnavailable);
  CHECK(grpc_status_of_http(503) == GrpcStatus::kUnavailable);
}

}  // namespace
}  // namespace kvasir::net
