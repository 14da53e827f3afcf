// A label string that parses prints in a form that parses to the same labels.
#include <cstdint>

#include "common/assert.h"
#include "ingest/wire/label_string.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = kvasir::ingest::parse_label_string({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  const auto again = kvasir::ingest::parse_label_string(parsed->labels.to_string());
  KVASIR_ASSERT(again.has_value() && again->labels == parsed->labels, "labels changed on the way");
  return 0;
}
