// Protobuf pushes: no input reads outside the body; what was understood encodes to what is understood the same.
#include <cstdint>
#include <memory>

#include "common/assert.h"
#include "ingest/wire/push_protobuf.h"

namespace {

using namespace kvasir::ingest;

std::string encoded(const DecodedPush& push) {
  std::vector<kvasir::EntryView> entries;
  for (const auto& entry : push.entries) entries.push_back({entry.timestamp, 0, entry.line, push.metadata_of(entry)});
  std::vector<WireStream> streams;
  for (const auto& stream : push.streams) {
    streams.push_back({stream.labels, std::span(entries).subspan(stream.entry_begin, stream.entry_count)});
  }
  return encode_push_protobuf(streams);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  DecodedPush packed;
  if (!decode_push_snappy(input, 1 << 20, packed)) packed.clear();
  DecodedPush push;
  push.body = input;
  if (!decode_push_protobuf(push)) return 0;
  const std::string once = encoded(push);
  DecodedPush again;
  again.body = once;
  KVASIR_ASSERT(decode_push_protobuf(again).has_value() && encoded(again) == once, "a push changed on the way");
  return 0;
}
