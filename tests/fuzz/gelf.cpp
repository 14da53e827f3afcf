// GELF datagrams: chunks and payloads of any bytes.
#include <cstdint>
#include <string_view>

#include "promtail-agent/targets/gelf_message.h"

using namespace kvasir;
using namespace kvasir::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)parse_gelf(bytes);
  GelfAssembler assembler;
  for (std::size_t at = 0; at < size; at += 32) {
    const auto whole = assembler.add(bytes.substr(at, 32), Duration(static_cast<std::int64_t>(at)));
    if (whole && *whole) (void)parse_gelf(**whole);
  }
  return 0;
}
