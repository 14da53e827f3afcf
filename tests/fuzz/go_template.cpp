// A template from untrusted text, run over two labels: it must end, with output or with an error, and say the same
// twice.
#include <cstdlib>

#include "logql/pipeline/template/template.h"

using namespace kvasir;
using namespace kvasir::gotemplate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
  const auto parsed = Template::parse("line", text, logql_functions());
  if (!parsed) return 0;
  OwnedMap labels;
  labels.set("a", Value::string("alpha"));
  labels.set("n", Value::string("42"));
  Environment environment;
  environment.line = R"({"list":[1,"x"],"map":{"k":true}})";
  environment.now = TimestampNs{1768032060000000000};
  environment.zone = TimeZone::utc();
  std::string first, second;
  const bool done = parsed->execute(Value::map(&labels), environment, first).has_value();
  environment.heap.reset();
  const bool again = parsed->execute(Value::map(&labels), environment, second).has_value();
  if (done != again || first != second) std::abort();
  return 0;
}
