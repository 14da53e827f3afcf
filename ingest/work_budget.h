// work_budget.h -- how much of the machine background work may take: a share of one core, and bytes a second.
//
// Use:      after each piece of work, wait for pause_due(). Over a while the work then keeps to the budget, whatever
//           the pieces are.
// Threads:  values.
#pragma once

#include <cstdint>

#include "common/time.h"

namespace kvasir::ingest {

struct WorkBudget {
  std::uint32_t cpu_percent = 50;               // of one core; 0: any
  std::uint64_t bytes_per_second = 64u << 20;   // of lines read and written again; 0: any
};

/// What was done since some moment.
struct WorkDone {
  Duration wall{0};
  Duration cpu{0};
  std::uint64_t bytes = 0;
};

/// How long to wait so that the work since that moment is within the budget.
Duration pause_due(const WorkBudget& budget, const WorkDone& done);

}  // namespace kvasir::ingest
