// cpu_time.h -- CPU time of a thread: unlike a clock's, it does not count what other threads and processes took.
#pragma once

#include <cstdint>

namespace kvasir {

/// Nanoseconds that the calling thread has used. A system call: a few hundred nanoseconds.
std::uint64_t thread_cpu_ns();

}  // namespace kvasir
