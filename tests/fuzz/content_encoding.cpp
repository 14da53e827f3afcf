// Content encodings: the first byte chooses one, the rest is the body. What comes out keeps the limit; what is
// compressed, whole or in pieces, comes back.
#include "common/net/content_encoding.h"

#include <cstdint>

#include "common/assert.h"

namespace {

using namespace kvasir::net;

constexpr std::uint64_t kLimit = 1 << 20;
constexpr ContentEncoding kAll[] = {ContentEncoding::kGzip, ContentEncoding::kDeflate, ContentEncoding::kZstd,
                                    ContentEncoding::kLz4, ContentEncoding::kIdentity};

void check_round_trip(ContentEncoding encoding, std::string_view body) {
  const auto whole = decompress(encoding, compress(encoding, body), kLimit);
  KVASIR_ASSERT(whole.has_value() && *whole == body, "a body does not come back");
  StreamCompressor stream(encoding);
  std::string packed;
  stream.add(body.substr(0, body.size() / 3), packed);
  stream.add(body.substr(body.size() / 3), packed);
  stream.finish(packed);
  const auto pieces = decompress(encoding, packed, kLimit);
  KVASIR_ASSERT(pieces.has_value() && *pieces == body, "a body in pieces does not come back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const ContentEncoding encoding = kAll[data[0] % std::size(kAll)];
  const auto plain = decompress(encoding, body, kLimit);
  if (plain) KVASIR_ASSERT(plain->size() <= kLimit, "a body is over its limit");
  (void)choose_response_encoding(body);
  (void)parse_content_encoding(body);
  if (size < kLimit && (data[0] & 0x80) != 0) {
    check_round_trip(ContentEncoding::kGzip, body);
    check_round_trip(ContentEncoding::kZstd, body);
  }
  return 0;
}
