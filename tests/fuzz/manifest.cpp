// Bytes as a whole manifest, and as the payload of one edit. What decodes must encode and decode to the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "ingest/manifest.h"

using namespace kvasir;
using namespace kvasir::ingest;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)read_manifest(bytes).has_value();
  const auto decoded = decode_manifest_edit(bytes);
  if (!decoded) return 0;
  const std::string again = encode_manifest_edit(decoded->edit, decoded->next_segment_id);
  const auto twice = decode_manifest_edit(again);
  if (!twice || twice->edit.added != decoded->edit.added || twice->edit.deletes != decoded->edit.deletes) std::abort();
  return 0;
}
