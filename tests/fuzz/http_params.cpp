// What parse() takes, encode() gives back in a form that parses to the same pairs.
#include <cstdint>

#include "common/assert.h"
#include "common/net/http_types.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto params = kvasir::net::HttpParams::parse({reinterpret_cast<const char*>(data), size});
  if (!params) return 0;
  const auto again = kvasir::net::HttpParams::parse(params->encode());
  KVASIR_ASSERT(again.has_value() && again->encode() == params->encode(), "params changed on the way");
  return 0;
}
