// Lines of containers, JSON, logfmt and traces: any bytes through the parsers of pipeline stages.
#include <cstdint>
#include <string_view>

#include "common/utf8.h"
#include "promtail-agent/stages/arena.h"
#include "promtail-agent/stages/cri_line.h"
#include "promtail-agent/stages/json_tree.h"
#include "promtail-agent/stages/logfmt_parser.h"
#include "promtail-agent/stages/trace_ids.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir::agent;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto cri = split_cri_line(text)) {
    const std::size_t parts = cri->time.size() + cri->stream.size() + cri->flags.size() + cri->content.size();
    if (parts + 3 != text.size()) __builtin_trap();
  }
  Arena arena;
  LogfmtParser logfmt(text, arena);
  LogfmtPair pair;
  while (logfmt.next(pair)) {
    if (pair.key.empty()) __builtin_trap();
  }
  find_trace_ids(text);
  JsonPool pool;
  const JsonNode* node = parse_json(text, pool);
  if (node == nullptr) return 0;
  // What was written can be read, and is written the same way again; bytes that are not UTF-8 become U+FFFD the first
  // time.
  std::string once;
  append_json(once, *node);
  JsonPool second;
  const JsonNode* again = parse_json(once, second);
  if (again == nullptr) __builtin_trap();
  std::string twice;
  append_json(twice, *again);
  if (kvasir::is_valid_utf8(text) && once != twice) __builtin_trap();
  return 0;
}
