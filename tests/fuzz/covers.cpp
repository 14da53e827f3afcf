// Bytes as what a push says about its files: what is accepted is written and read again the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "ingest/wire/covers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir::ingest;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto covers = decode_covers(bytes);
  if (covers && *decode_covers(encode_covers(*covers)) != *covers) std::abort();
  if (const auto ranges = ByteRanges::read(bytes)) {
    std::string again;
    ranges->append_to(again);
    if (*ByteRanges::read(again) != *ranges) std::abort();
  }
  return 0;
}
