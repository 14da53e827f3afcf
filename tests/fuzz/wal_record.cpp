// Bytes as a write-ahead log behind its file header, and as the payload of each kind of record (the checksum would
// otherwise keep the fuzzer out). What can be read must not reach outside the bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "ingest/wal_record.h"

namespace {

using namespace kvasir;
using namespace kvasir::ingest;

void read_batch(std::string_view payload) {
  auto reader = BatchReader::open(payload);
  BatchStream rows;
  std::uint64_t sum = 0;
  for (Result<bool> more = reader.has_value(); more && *more;) {
    more = reader->next(rows);
    if (!more || !*more) break;
    std::uint64_t bytes = 0;
    for (const std::uint32_t length : rows.lengths) bytes += length;
    if (bytes != rows.lines.size() || rows.lengths.size() != rows.size()) std::abort();
    for (const std::uint32_t set : rows.sets) {
      if (set > 0) sum += rows.metadata[set - 1].size();
    }
    for (const char c : rows.lines) sum += static_cast<unsigned char>(c);
  }
  volatile std::uint64_t sink = sum;
  (void)sink;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (std::string_view rest = bytes;;) {
    const auto record = next_wal_record(rest);
    if (!record || !*record) break;
    if ((*record)->type == WalRecordType::kBatch) read_batch((*record)->payload);
  }
  read_batch(bytes);
  (void)read_stream_definition(bytes).has_value();
  (void)read_origin_mark(bytes).has_value();
  return 0;
}
