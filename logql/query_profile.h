// query_profile.h -- what each operator of one query did: rows in and out, blocks, bytes, CPU time. For `explain`.
//
// Use:      a context that has a profile gets a ScanProfile for every place at which the query reads logs. Without one
//           nothing is counted and no clock is read.
// Shape:    a block takes one way: it is pruned by its filters, answered from its footer, answered from its times, or
//           opened; rows of an opened block are answered from columns or go through the pipeline.
// Units:    CPU time of threads in ns, summed over workers.
// Threads:  counters may be added to from any worker; read them when the query is done.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "common/cpu_time.h"
#include "common/mutex.h"

namespace kvasir::logql {

struct OperatorCounts {
  std::atomic<std::uint64_t> blocks_in{0}, blocks_out{0};
  std::atomic<std::uint64_t> rows_in{0}, rows_out{0};
  std::atomic<std::uint64_t> rows_left{0};  // that it could not decide and leaves to the next operator
  std::atomic<std::uint64_t> bytes{0};  // of lines that it looked at
  std::atomic<std::uint64_t> cpu_ns{0};
};

/// One place at which a query reads logs.
struct ScanProfile {
  /// In the order in which a block meets them.
  enum Operator {
    kSelect,    // blocks that the index gives for the selector and the range -> those whose filters say "perhaps"
    kFooters,   // -> blocks answered from what is known of them unopened, and their rows
    kTimes,     // -> blocks answered from their column of times, and their rows
    kOpen,      // blocks opened -> rows in the range, duplicates removed
    kLiterals,  // leading line filters on templates and columns, without lines
    kFields,    // selectors by field
    kColumns,   // stages answered from columns of fields
    kLines,     // lines read
    kResult,    // what is made of the rows: groups, samples, the best rows
    kOperators,
  };
  static const char* name(Operator op);

  ScanProfile(std::string selector_text, std::vector<std::string> stage_texts)
      : selector(std::move(selector_text)), stage_names(std::move(stage_texts)), stages(stage_names.size()) {}

  std::string selector;
  std::vector<std::string> stage_names;
  std::array<OperatorCounts, kOperators> operators;
  std::deque<OperatorCounts> stages;  // of the pipeline, as far as lines go through it
};

class QueryProfile {
 public:
  ScanProfile& add_scan(std::string selector, std::vector<std::string> stages) {
    MutexLock lock(mutex_);
    return scans_.emplace_back(std::move(selector), std::move(stages));
  }
  /// REQUIRES: the query is done.
  const std::deque<ScanProfile>& scans() const { return scans_; }

 private:
  Mutex mutex_;
  std::deque<ScanProfile> scans_;
};

/// Adds the CPU time of its scope; nothing if there are no counts.
class OperatorTimer {
 public:
  explicit OperatorTimer(OperatorCounts* counts) : counts_(counts), begun_(counts == nullptr ? 0 : thread_cpu_ns()) {}
  ~OperatorTimer() {
    if (counts_ != nullptr) counts_->cpu_ns += thread_cpu_ns() - begun_;
  }
  OperatorTimer(const OperatorTimer&) = delete;
  OperatorTimer& operator=(const OperatorTimer&) = delete;

 private:
  OperatorCounts* counts_;
  std::uint64_t begun_;
};

/// Adds to a counter if there are counts.
inline void count_rows(OperatorCounts* counts, std::uint64_t in, std::uint64_t out, std::uint64_t left = 0) {
  if (counts == nullptr) return;
  counts->rows_in += in;
  counts->rows_out += out;
  counts->rows_left += left;
}
inline void count_blocks(OperatorCounts* counts, std::uint64_t in, std::uint64_t out) {
  if (counts == nullptr) return;
  counts->blocks_in += in;
  counts->blocks_out += out;
}

}  // namespace kvasir::logql
