// Syslog bytes: framing in two pieces gives what framing in one gives; printing a parsed message parses again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "promtail-agent/targets/syslog_parser.h"

using namespace kvasir;
using namespace kvasir::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  SyslogFramer whole(1024), pieces(1024);
  std::vector<std::string> once, twice;
  const bool ok = whole.feed(bytes, once).has_value();
  const bool ok_again = pieces.feed(bytes.substr(0, size / 2), twice) && pieces.feed(bytes.substr(size / 2), twice);
  if (ok != ok_again || (ok && once != twice && bytes.size() < 1024)) std::abort();
  once.emplace_back(bytes);
  for (const std::string& text : once) {
    (void)parse_rfc3164(text, TimeZone::utc(), TimestampNs{1'767'225'600'000'000'000});
    const auto message = parse_rfc5424(text);
    if (message && !parse_rfc5424(print_rfc5424(*message))) std::abort();
  }
  return 0;
}
