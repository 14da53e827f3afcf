#include "ingest/work_budget.h"

#include <algorithm>

namespace kvasir::ingest {

Duration pause_due(const WorkBudget& budget, const WorkDone& done) {
  double least = 0;  // nanoseconds that so much work is to take
  if (budget.cpu_percent > 0) least = static_cast<double>(done.cpu.count()) * 100 / budget.cpu_percent;
  if (budget.bytes_per_second > 0) {
    least = std::max(least, static_cast<double>(done.bytes) * 1e9 / static_cast<double>(budget.bytes_per_second));
  }
  const double missing = least - static_cast<double>(done.wall.count());
  return Duration(missing > 0 ? static_cast<Duration::rep>(missing) : 0);
}

}  // namespace kvasir::ingest
