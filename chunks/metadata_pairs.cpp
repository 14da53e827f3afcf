#include "chunks/metadata_pairs.h"

#include "common/bytes.h"

namespace kvasir::chunks {

std::string join_pairs(std::span<const LabelView> pairs) {
  std::string text;
  ByteWriter writer(text);
  writer.varint(pairs.size());
  for (const LabelView& pair : pairs) {
    writer.sized(pair.name);
    writer.sized(pair.value);
  }
  return text;
}

bool split_pairs(std::string_view text, std::vector<LabelView>& pairs) {
  ByteReader reader(text);
  for (std::uint64_t n = reader.count(2); n > 0; --n) {
    const std::string_view name = reader.sized();
    pairs.push_back({name, reader.sized()});
  }
  return reader.ok() && reader.at_end();
}

}  // namespace kvasir::chunks
