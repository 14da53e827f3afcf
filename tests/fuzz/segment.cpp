// Reads a damaged segment in every way there is, or (input without the magic) a block whose META is the input.
// Checksums are mended first, or the fuzzer would never get past them.
#include <cstring>

#include "chunks/block_pruner.h"
#include "chunks/compression.h"
#include "chunks/segment_index.h"
#include "chunks/segment_inspect.h"
#include "chunks/stored_block.h"
#include "common/bytes.h"
#include "common/crc32c.h"

namespace kvasir::chunks {
namespace {

void use_block(Block& block) {
  const std::size_t rows = block.rows();
  std::vector<std::uint64_t> all((rows + 63) / 64, ~std::uint64_t{0});
  if (rows % 64 != 0) all.back() >>= 64 - rows % 64;
  for (const std::string_view literal : {"a", "error", "\"status\": 5", "0123456789abcdef", "=1"}) {
    auto words = all;
    block.narrow_literal(literal, false, {words, rows});
  }
  FieldValues values;
  FieldNumbers numbers;
  for (const FieldSyntax syntax : {FieldSyntax::kJson, FieldSyntax::kLogfmt}) {
    for (const std::string_view name : {"level", "status", "n", "a_b"}) {
      block.field(syntax, name, values);
      block.number_field(syntax, name, numbers);
    }
  }
  std::vector<std::string_view> lines(rows);
  (void)block.lines({all, rows}, lines);
  (void)block.sequences();
  (void)block.line_lengths();
  for (std::size_t row = 0; row < rows; row += 97) (void)block.metadata(row);
}

void use_segment(std::string_view bytes) {
  const auto reader = SegmentReader::open_bytes(bytes);
  if (!reader) return;
  (void)describe_segment(**reader);
  (void)verify_segment(**reader);
  const BlockPruner pruner(
      **reader,
      {{TimestampNs::min(), TimestampNs::max()}, {"error id 0123456789abcdef0123456789abcdef"}, {"0123456789abcdef"}});
  for (std::size_t b = 0; b < (*reader)->blocks().size(); ++b) {
    (void)pruner.cannot_match(b);
    if (auto block = (*reader)->open_block(b)) use_block(**block);
  }
}

/// Ids of any slot, so that only META decides.
class MetaIds final : public IdSource {
  Result<void> read_slot(std::uint32_t, std::uint32_t width, std::size_t count, char* out) const override {
    std::memset(out, 0x5a, width * count);
    return {};
  }
  Result<std::vector<std::uint32_t>> find_in_slot(std::uint32_t, std::size_t count, std::string_view) const override {
    return std::vector<std::uint32_t>{static_cast<std::uint32_t>(count - 1)};
  }
};

void use_meta(std::uint8_t encoding, std::uint16_t rows, std::string_view meta) {
  std::string head, frame, stored;
  zstd_append(meta, frame);
  ByteWriter writer(head);
  writer.fixed(encoding);
  writer.varint(rows);
  writer.varint(meta.size());
  writer.varint(frame.size());
  writer.varint(0);
  writer.varint(0);
  head.append(frame);
  ByteWriter(stored).fixed(crc32c(head));
  stored.append(head);
  const MetaIds ids;
  if (auto block = StoredBlock::open(stored, ids, nullptr)) use_block(**block);
}

void mend_footer(std::string& file) {
  if (file.size() < kHeaderBytes + kFooterBytes) return;
  char* const footer = file.data() + file.size() - kFooterBytes;
  std::uint64_t offset, bytes;
  std::memcpy(&offset, footer, 8);
  std::memcpy(&bytes, footer + 8, 8);
  if (offset > file.size() || bytes > file.size() - offset) return;
  const std::uint32_t index_crc = crc32c(std::string_view(file).substr(offset, bytes));
  std::memcpy(footer + 24, &index_crc, 4);
  const std::uint32_t footer_crc = crc32c(std::string_view(footer, kFooterBytes - 12));
  std::memcpy(footer + kFooterBytes - 12, &footer_crc, 4);
}

}  // namespace
}  // namespace kvasir::chunks

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir::chunks;
  if (size < 4) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.starts_with("KVSG")) {
    std::string file(input);
    mend_footer(file);
    use_segment(file);
  } else {
    use_meta(data[0] & 1, static_cast<std::uint16_t>(1 + (data[1] | data[2] << 8) % 2000), input.substr(3));
  }
  return 0;
}
