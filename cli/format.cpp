// format.cpp -- fmt: a query as the server would write it.
#include <iostream>
#include <iterator>

#include "cli/commands.h"
#include "logql/syntax/parser.h"
#include "logql/syntax/printer.h"

namespace kvasir::cli {

Result<void> run_format(const std::string& query) {
  std::string text = query;
  if (text.empty()) text.assign(std::istreambuf_iterator<char>(std::cin), {});
  KVASIR_TRY(const auto expr, logql::parse_query(text));
  std::cout << logql::format_query(*expr) << "\n";
  return {};
}

}  // namespace kvasir::cli
