#include "chunks/id_filter.h"

#include <array>
#include <cstring>

namespace kvasir::chunks {
namespace {

constexpr std::size_t kBitsPerId = 12;
constexpr std::size_t kWords = kFilterBucketBytes / 4;
constexpr std::array<std::uint32_t, kWords> kSalts = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                                      0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

std::size_t bucket_of(std::uint64_t hash, std::size_t buckets) {
  return static_cast<std::size_t>(((hash >> 32) * buckets) >> 32);
}

std::uint32_t bit_of(std::uint64_t hash, std::size_t word) {
  return 1u << (static_cast<std::uint32_t>(hash) * kSalts[word] >> 27);
}

}  // namespace

void append_id_filter(std::span<const std::uint64_t> hashes, std::string& out) {
  if (hashes.empty()) return;
  const std::size_t buckets = (hashes.size() * kBitsPerId + kFilterBucketBytes * 8 - 1) / (kFilterBucketBytes * 8);
  const std::size_t begin = out.size();
  out.resize(begin + buckets * kFilterBucketBytes);
  for (const std::uint64_t hash : hashes) {
    char* const bucket = out.data() + begin + bucket_of(hash, buckets) * kFilterBucketBytes;
    for (std::size_t w = 0; w < kWords; ++w) {
      std::uint32_t word;
      std::memcpy(&word, bucket + w * 4, 4);
      word |= bit_of(hash, w);
      std::memcpy(bucket + w * 4, &word, 4);
    }
  }
}

bool id_filter_contains(std::string_view filter, std::uint64_t hash) {
  if (filter.empty()) return false;
  const char* const bucket = filter.data() + bucket_of(hash, filter.size() / kFilterBucketBytes) * kFilterBucketBytes;
  std::uint32_t missing = 0;
  for (std::size_t w = 0; w < kWords; ++w) {
    std::uint32_t word;
    std::memcpy(&word, bucket + w * 4, 4);
    missing |= ~word & bit_of(hash, w);
  }
  return missing == 0;
}

}  // namespace kvasir::chunks
