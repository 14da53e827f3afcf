// The framing of gRPC messages, and its texts.
#include <cstdint>
#include <string_view>

#include "common/assert.h"
#include "common/net/grpc_message.h"
#include "common/net/http_types.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir::net;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto message = read_grpc_message(body, 1000);
  if (message) {
    KVASIR_ASSERT(message->payload.size() == declared_grpc_bytes(body) && message->payload.size() <= 1000,
                  "a length is not what it says");
    if (!message->compressed) KVASIR_ASSERT(frame_grpc_message(message->payload) == body, "a frame does not come back");
  }
  const auto text = percent_decode(encode_grpc_text(body));
  KVASIR_ASSERT(text.has_value() && *text == body, "a text does not come back");
  return 0;
}
