#include "common/assert.h"

#include <cstdio>
#include <cstdlib>

namespace kvasir {

void bug(const char* file, int line, std::string_view text) {
  std::fprintf(stderr, "BUG: %.*s (%s:%d)\n", static_cast<int>(text.size()), text.data(), file, line);
  std::abort();
}

void fatal(std::string_view text) {
  std::fprintf(stderr, "FATAL: %.*s\n", static_cast<int>(text.size()), text.data());
  std::_Exit(70);
}

}  // namespace kvasir
