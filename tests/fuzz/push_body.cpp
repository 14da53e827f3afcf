// Bodies of pushes as they come, by route, content type and content encoding, which the first byte chooses: gzip,
// deflate and zstd around JSON, snappy or OTLP.
#include <cstdint>

#include "common/assert.h"
#include "server/handlers/push_decoding.h"

namespace {

using namespace kvasir;
using namespace kvasir::server;

constexpr PushForm kForms[] = {PushForm::kV1, PushForm::kLegacy, PushForm::kOtlp, PushForm::kOtlpGrpc};
constexpr const char* kTypes[] = {"application/json", "application/x-protobuf"};
constexpr const char* kEncodings[] = {"", "gzip", "deflate", "zstd", "snappy", "lz4"};
constexpr PushBodyLimits kLimits{64 << 10, 256 << 10};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static ingest::PushPool pool;
  static const ingest::OtlpConfig otlp;
  const unsigned choice = data[0];
  net::HttpRequest request;
  request.headers = {{"Content-Type", kTypes[choice / 4 % 2]}, {"Content-Encoding", kEncodings[choice / 8 % 6]}};
  request.body.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto decoded = decode_push({kForms[choice % 4], kLimits, otlp, {1}, pool}, request);
  if (const auto* refusal = std::get_if<ingest::Refusal>(&decoded)) {
    KVASIR_ASSERT(refusal->status >= 400 && refusal->status < 500, "a broken body is our fault");
    return 0;
  }
  const auto& push = *std::get<0>(decoded);
  KVASIR_ASSERT(push.body.size() <= kLimits.decompressed_max, "a body is over its limit");
  std::size_t lines = 0;
  for (const auto& entry : push.entries) lines += entry.line.size();
  for (const auto& stream : push.streams) {
    KVASIR_ASSERT(stream.entry_begin + stream.entry_count <= push.entries.size(), "a stream without its entries");
  }
  KVASIR_ASSERT(lines <= 8 * kLimits.decompressed_max, "more lines than were sent");
  return 0;
}
