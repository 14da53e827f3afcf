// loopback.h -- what fuzz targets of servers share: bytes of a hostile peer sent over a socket of this machine.
//
// Shape:    the input is cut where it holds kCut, and its pieces are sent one after the other, so that readers are
//           woken in the middle of things. Then the peer says that nothing more is coming and reads to the end.
// Errors:   a connection that is still open after kPatience is a bug: the process aborts.
// Threads:  one.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/assert.h"
#include "common/net/raw_client_test.h"

namespace kvasir::fuzz {

inline constexpr char kCut = '\x1f';
inline constexpr auto kPatience = std::chrono::seconds(8);

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// What the server on that port answers to these bytes until it closes.
inline std::string answer_to(std::uint16_t port, std::string_view head, std::string_view input) {
  const auto begun = std::chrono::steady_clock::now();
  net::RawClient client(port);
  bool open = client.connected() && client.send(head);
  while (open && !input.empty()) {
    const std::size_t end = std::min(input.find(kCut), input.size());
    open = client.send(input.substr(0, end));
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  client.half_close();
  std::string answer = client.read_to_end();
  client.reset();  // no port is left waiting
  KVASIR_ASSERT(std::chrono::steady_clock::now() - begun < kPatience, "a connection stays open");
  return answer;
}

}  // namespace kvasir::fuzz
