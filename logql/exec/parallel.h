// parallel.h -- the same function on several threads, each with its own index.
//
// Errors:   the first error by worker index; the others still run to their end (they check the context and stop early).
// Threads:  worker 0 is the calling thread.
#pragma once

#include <cstddef>
#include <functional>

#include "common/result.h"

namespace kvasir::logql {

Result<void> run_workers(std::size_t count, const std::function<Result<void>(std::size_t)>& work);

/// How many workers a query may have for so many units of work. `wanted` 0: all cores.
std::size_t worker_count(std::size_t wanted, std::size_t units);

}  // namespace kvasir::logql
