// logql.cpp -- fuzzes the lexer, the parser and the printer of queries.
//
// Law:      any bytes give a tree or an error; the print of a tree parses, and prints the same again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "logql/syntax/parser.h"
#include "logql/syntax/printer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kvasir::logql;
  const auto parsed = parse_query(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!parsed) return 0;
  for (const std::string& text : {print(**parsed), format_query(**parsed)}) {
    if (text.size() >= kQueryBytesMax) continue;
    const auto again = parse_query(text);
    if (!again || print(**again) != print(**parsed)) std::abort();
  }
  return 0;
}
