// commands.h -- what each command of kvasirctl does, after its flags are read.
//
// Shape:    each returns the process's exit code by way of Result<void>: an error is printed as `error: message`, exit
//           1.
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
  bool answer_order = false;  // entries are printed in the order of the answer, not of time
  bool tail = false;
  unsigned delay_for = 0;     // seconds, tail only
  bool statistics = false;
  PrintOptions print;
};

/// Errors: invalid_argument naming the flag and the value.
Result<TimeRange> resolve_times(const TimeFlags& flags, const Clock& clock);
/// `start` and `end` in nanoseconds. Errors: as resolve_times.
Result<net::HttpParams> time_params(const TimeFlags& times);

Result<void> run_query(Connection& connection, const QueryFlags& flags);
Result<void> run_instant_query(Connection& connection, const QueryFlags& flags);
Result<void> run_tail(Connection& connection, const QueryFlags& flags);
/// Names of labels, or the values of one when `name` is not empty.
Result<void> run_labels(Connection& connection, const std::string& name, const TimeFlags& times);
Result<void> run_series(Connection& connection, const std::vector<std::string>& matchers, const TimeFlags& times,
                        bool analyse);
Result<void> run_stats(Connection& connection, const std::string& query, const TimeFlags& times);

struct VolumeFlags {
  std::string query;
  TimeFlags times;
  std::uint32_t limit = 30;
  std::string step;                        // volume_range only
  std::vector<std::string> target_labels;  // sum by these instead of by the selector's
  bool by_labels = false;                  // a sum for each label name instead of for each stream
};
Result<void> run_volume(Connection& connection, const VolumeFlags& flags, const PrintOptions& print, bool range);

struct FieldFlags {
  std::string query;
  std::string field;           // empty: the fields themselves
  TimeFlags times;
  std::uint32_t limit = 100;
  std::uint32_t line_limit = 1000;
};
Result<void> run_detected_fields(Connection& connection, const FieldFlags& flags, const PrintOptions& print);

struct DeleteFlags {
  std::string query;
  TimeFlags times;             // create: --from is required
  std::string max_interval;
  std::string request_id;
  bool force = false;          // cancel what is partly done, too
};
Result<void> run_delete_create(Connection& connection, const DeleteFlags& flags);
Result<void> run_delete_list(Connection& connection, const PrintOptions& print);
Result<void> run_delete_cancel(Connection& connection, const DeleteFlags& flags);

/// The lines of one trace over all services, oldest first, with the time since the first.
Result<void> run_trace(Connection& connection, const std::string& id, std::uint32_t limit, const PrintOptions& print);

/// Prints `query`, or standard input where it is empty, as the server's format_query does. Errors: parse.
Result<void> run_format(const std::string& query);

}  // namespace kvasir::cli
