// gelf_message.h -- GELF datagrams: chunks put together, decompressed, read.
//
// Errors:   parse, corruption.
// Threads:  one.
// Limits:   kGelfChunksMax chunks per message, kGelfPendingMax messages waiting for chunks, forgotten after
//           kGelfPendingTime; kGelfBytesMax decompressed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/time.h"

namespace kvasir::agent {

inline constexpr std::size_t kGelfChunksMax = 128;
inline constexpr std::size_t kGelfPendingMax = 1000;
inline constexpr Duration kGelfPendingTime = std::chrono::seconds(5);
inline constexpr std::uint64_t kGelfBytesMax = 16 << 20;

struct GelfMessage {
  std::string version, host, facility;
  std::optional<int> level;
  std::optional<double> timestamp_seconds;
  std::string json;  // the whole message
};

/// One datagram or chunk payload, decompressed if needed.
Result<GelfMessage> parse_gelf(std::string_view payload);

class GelfAssembler {
 public:
  /// The payload that is complete with this datagram, if any. Errors: parse for a chunk that contradicts itself.
  Result<std::optional<std::string>> add(std::string_view datagram, Duration now);

 private:
  struct Pending {
    std::vector<std::optional<std::string>> chunks;
    std::size_t have = 0;
    Duration since{0};
  };
  std::map<std::string, Pending> pending_;  // by message id
};

}  // namespace kvasir::agent
