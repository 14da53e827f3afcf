// allocation_count.h -- how often the program has asked for memory, over all threads.
//
// Use:      link allocation_count.cpp into the one program that counts: it replaces operator new.
#pragma once

#include <cstdint>

namespace kvasir::bench {

/// operator new since the start.
std::uint64_t allocation_count();

}  // namespace kvasir::bench
