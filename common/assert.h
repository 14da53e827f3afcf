// assert.h -- checks of our own invariants, never of user input.
//
// KVASIR_ASSERT is always on; KVASIR_DASSERT only in builds without NDEBUG. Both end the process with `BUG:` and the
// place. KVASIR_FATAL ends it with `FATAL:` for an environment we cannot go on in (failed fsync, unreadable manifest).
#pragma once

#include <string_view>

namespace kvasir {

[[noreturn]] void bug(const char* file, int line, std::string_view text);
[[noreturn]] void fatal(std::string_view text);

}  // namespace kvasir

#define KVASIR_ASSERT(condition, text) \
  do {                                 \
    if (!(condition)) [[unlikely]]     \
      ::kvasir::bug(__FILE__, __LINE__, text); \
  } while (false)

#ifdef NDEBUG
#define KVASIR_DASSERT(condition, text) \
  do {                                  \
  } while (false)
#else
#define KVASIR_DASSERT(condition, text) KVASIR_ASSERT(condition, text)
#endif

#define KVASIR_FATAL(text) ::kvasir::fatal(text)
