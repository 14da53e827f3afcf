// JSON pushes of both forms; label strings that decoding builds can be read.
#include <cstdint>

#include "common/assert.h"
#include "ingest/wire/push_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir::ingest;
  std::uint64_t sum = 0;
  for (const JsonForm form : {JsonForm::kV1, JsonForm::kLegacy}) {
    DecodedPush push;
    push.body.assign(reinterpret_cast<const char*>(data), size);
    if (!decode_push_json(form, push)) continue;
    for (const auto& stream : push.streams) {
      for (const auto& entry : push.entries_of(stream)) {
        for (const char c : entry.line) sum += static_cast<unsigned char>(c);
        for (const auto& pair : push.metadata_of(entry)) sum += pair.name.size() + pair.value.size();
      }
    }
  }
  KVASIR_ASSERT(sum <= 300 * 2 * (size + 1), "more text came out than went in");
  return 0;
}
