// OTLP logs in both encodings.
#include <cstdint>

#include "common/assert.h"
#include "ingest/wire/label_string.h"
#include "ingest/wire/otlp.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir::ingest;
  OtlpConfig config;
  config.severity_text_as_label = size % 2 == 1;
  for (const bool json : {false, true}) {
    DecodedPush push;
    push.body.assign(reinterpret_cast<const char*>(data), size);
    const auto result = json ? decode_otlp_json(config, {1}, push) : decode_otlp_protobuf(config, {1}, push);
    if (!result) continue;
    for (const auto& stream : push.streams) {
      KVASIR_ASSERT(parse_label_string(stream.labels).has_value(), "a built label string cannot be read");
    }
  }
  return 0;
}
