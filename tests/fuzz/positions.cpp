// What the agent reads back at its start: positions.yaml, the file state, spooled batches.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "promtail-agent/client/spool.h"
#include "promtail-agent/positions.h"

using namespace kvasir;
using namespace kvasir::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto values = parse_positions(bytes)) {
    bool plain = true;  // control bytes are no business of paths; YAML may fold them
    for (const auto& [key, value] : *values) {
      for (const unsigned char c : key + value) plain = plain && c >= 0x20 && c < 0x7f;
    }
    const auto again = parse_positions(print_positions(*values));
    if (plain && (!again || *again != *values)) std::abort();
  }
  (void)parse_state(bytes);
  (void)decode_spool_record(bytes);
  return 0;
}
