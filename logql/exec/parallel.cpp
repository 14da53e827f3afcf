#include "logql/exec/parallel.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <vector>

namespace kvasir::logql {

Result<void> run_workers(std::size_t count, const std::function<Result<void>(std::size_t)>& work) {
  std::vector<std::optional<Error>> errors(count);
  const auto run = [&](std::size_t index) {
    auto done = work(index);
    if (!done) errors[index] = std::move(done).error();
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < count; ++i) threads.emplace_back(run, i);
    run(0);
  }
  for (auto& error : errors) {
    if (error) return fail(std::move(*error));
  }
  return {};
}

std::size_t worker_count(std::size_t wanted, std::size_t units) {
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  return std::max<std::size_t>(1, std::min(wanted == 0 ? cores : wanted, units));
}

}  // namespace kvasir::logql
