// JMESPath: the first line is the expression, the rest the document.
#include <cstdint>
#include <string_view>

#include "promtail-agent/stages/jmespath/expression.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir::agent;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  const auto expression = jmespath::Expression::compile(text.substr(0, end));
  if (!expression) return 0;
  JsonPool pool;
  const JsonNode* root = parse_json(text.substr(std::min(end + 1, text.size())), pool);
  if (root == nullptr) root = pool.null();
  const auto result = expression->evaluate(*root, pool);
  if (result) {
    std::string out;
    append_json(out, **result);
  }
  return 0;
}
