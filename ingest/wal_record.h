// wal_record.h -- the bytes of one write-ahead log record, both ways.
//
// Shape:    header (20 bytes) + payload: a stream definition, a batch of entries by stream, or an origin mark.
// Order:    streams and entries stand in the order of the batch; sequences count up from the header's.
// Lifetime: decoded views point into the payload.
// Errors:   corruption (checksum, impossible length or count), unsupported (unknown type or codec).
// Source:   docs/formats/wal-v1.md
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/entry.h"
#include "common/labels.h"
#include "common/result.h"
#include "ingest/push_batch.h"

namespace kvasir::ingest {

inline constexpr std::string_view kWalMagic = "KVWL";
inline constexpr std::uint16_t kWalMajor = 1;
inline constexpr std::size_t kWalFileHeaderBytes = 8;
inline constexpr std::size_t kWalRecordHeaderBytes = 20;
inline constexpr std::uint64_t kWalPayloadBytesMax = std::uint64_t{256} << 20;

enum class WalRecordType : std::uint8_t { kStream = 1, kBatch = 2, kOriginMark = 3 };

std::string wal_file_header();

/// Room for the header at the front of a record that is being built.
inline void reserve_wal_header(std::string& record) { record.assign(kWalRecordHeaderBytes, '\0'); }
/// Fills the header in; the payload is what stands behind it.
void finish_wal_record(std::string& record, WalRecordType type, std::uint64_t first_sequence);

struct WalRecord {
  WalRecordType type{};
  std::uint64_t first_sequence = 0;
  std::string_view payload;
};
/// Takes the next record off `bytes`. An empty optional: nothing whole and sound is left (the end, or a torn record);
/// `bytes` then starts where it was found.
Result<std::optional<WalRecord>> next_wal_record(std::string_view& bytes);

struct StreamDefinition {
  std::uint64_t number = 0;
  std::string tenant;
  Labels labels;
};
void append_stream_definition(std::string& out, std::uint64_t number, std::string_view tenant, const Labels& labels);
Result<StreamDefinition> read_stream_definition(std::string_view payload);

struct OriginMark {
  std::string tenant;
  std::string source;
  std::uint64_t end_offset = 0;
};
void append_origin_mark(std::string& out, const OriginMark& mark);
Result<OriginMark> read_origin_mark(std::string_view payload);

/// Writes a batch: the head first, then so many streams as were announced. The tenant is written beside covers.
void append_batch_head(std::string& out, std::string_view tenant, const std::optional<PushOrigin>& origin,
                       std::size_t stream_count);
/// REQUIRES: entries is not empty.
void append_batch_stream(std::string& out, std::uint64_t number, std::span<const EntryView> entries);

/// One stream of a batch. Vectors are reused from stream to stream.
struct BatchStream {
  std::uint64_t number = 0;
  std::vector<std::int64_t> timestamps;
  std::vector<std::uint32_t> lengths;
  std::vector<std::uint32_t> sets;          // empty, or per entry: 0 = none, i = metadata[i - 1]
  std::vector<std::span<const LabelView>> metadata;
  std::vector<LabelView> labels;            // what `metadata` points into
  std::string_view lines;
  std::size_t size() const { return timestamps.size(); }
};

class BatchReader {
 public:
  /// Reads the head.
  static Result<BatchReader> open(std::string_view payload);
  const std::optional<PushOrigin>& origin() const { return origin_; }
  /// Of a batch with covers; else the streams tell.
  const std::string& tenant() const { return tenant_; }
  /// False at the end.
  Result<bool> next(BatchStream& stream);

 private:
  explicit BatchReader(std::string_view payload) : reader_(payload) {}

  ByteReader reader_;
  std::optional<PushOrigin> origin_;
  std::string tenant_;
  std::uint64_t streams_left_ = 0;
};

}  // namespace kvasir::ingest
