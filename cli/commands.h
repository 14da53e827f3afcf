// commands.h -- what each command of kvasirctl does, after its flags are read.
//
// Shape:    each returns the process's exit code by way of Result<void>: an error is printed as `error: message`, exit 1.
#pragma once

#include <string>
#include <vector>

#include "cli/connection.h"
#include "cli/print.h"
#include "common/clock.h"
#include "common/result.h"

namespace kvasir::cli {

/// --from, --to, --since as given; empty = not given.
struct TimeFlags {
  std::string from;
  std::string to;
  std::string since = "1h";
};

struct QueryFlags {
  std::string query;
  TimeFlags times;
  std::string now;            // instant-query --now
  std::uint32_t limit = 30;   // 0 = everything in the range
  std::uint32_t batch = 1000;
  std::string step;
  std::string interval;
  bool forward = false;
  bool tail = false;
  unsigned delay_for = 0;     // seconds, tail only
  bool statistics = false;
  PrintOptions print;
};

/// Errors: invalid_argument naming the flag and the value.
Result<TimeRange> resolve_times(const TimeFlags& flags, const Clock& clock);

Result<void> run_query(Connection& connection, const QueryFlags& flags);
Result<void> run_instant_query(Connection& connection, const QueryFlags& flags);
Result<void> run_tail(Connection& connection, const QueryFlags& flags);
/// Names of labels, or the values of one when `name` is not empty.
Result<void> run_labels(Connection& connection, const std::string& name, const TimeFlags& times);
Result<void> run_series(Connection& connection, const std::vector<std::string>& matchers, const TimeFlags& times,
                        bool analyse);
Result<void> run_stats(Connection& connection, const std::string& query, const TimeFlags& times);
Result<void> run_volume(Connection& connection, const QueryFlags& flags, bool range);

}  // namespace kvasir::cli
