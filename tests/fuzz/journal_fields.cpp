// Journal entries and matches of any bytes; and a Docker log stream, which is as untrusted.
#include <cstdint>
#include <string_view>

#include "promtail-agent/targets/docker_stream.h"
#include "promtail-agent/targets/journal_fields.h"

using namespace kvasir;
using namespace kvasir::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  JournalFields fields;
  for (std::size_t at = 0; at < size; at += 16) add_journal_field(bytes.substr(at, 16), fields);
  (void)journal_labels(fields);
  (void)journal_json(fields);
  (void)parse_journal_matches(bytes);
  for (const bool tty : {false, true}) {
    DockerStream stream(tty, 64);
    stream.feed(bytes.substr(0, size / 2), [](const DockerLine&) {});
    stream.feed(bytes.substr(size / 2), [](const DockerLine&) {});
  }
  return 0;
}
