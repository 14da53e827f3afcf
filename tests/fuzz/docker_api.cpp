// Answers of the Docker API: the list of containers, and a log stream that is cut at the place the first byte names.
#include <cstdint>
#include <string>
#include <string_view>

#include "promtail-agent/discovery/docker_containers.h"
#include "promtail-agent/targets/docker_stream.h"

namespace {

std::string read_stream(std::string_view bytes, std::size_t cut, bool tty) {
  kvasir::agent::DockerStream stream(tty, 1 << 10);
  std::string lines;
  const auto sink = [&](const kvasir::agent::DockerLine& line) {
    if (line.text.size() > 1 << 10) __builtin_trap();
    lines += line.error_stream ? 'E' : 'O';
    lines += line.text;
    lines += '\n';
  };
  stream.feed(bytes.substr(0, cut), sink);
  stream.feed(bytes.substr(cut), sink);
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto networks = kvasir::agent::parse_networks(text);
  (void)kvasir::agent::parse_containers(text, networks.value_or(kvasir::agent::DockerNetworks()), {});
  const std::size_t cut = text.empty() ? 0 : data[0] % (text.size() + 1);
  for (const bool tty : {false, true}) {
    if (read_stream(text, cut, tty) != read_stream(text, 0, tty)) __builtin_trap();
  }
  return 0;
}
