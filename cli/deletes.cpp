// deletes.cpp -- delete create, list and cancel.
#include <iostream>

#include "cli/answer.h"
#include "cli/commands.h"

namespace kvasir::cli {
namespace {

constexpr std::string_view kPath = "/loki/api/v1/delete";
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// The server takes whole seconds; a range is never made smaller than what was asked for.
std::int64_t seconds_up(TimestampNs time) { return (time.value + kNsPerSecond - 1) / kNsPerSecond; }

}  // namespace

Result<void> run_delete_create(Connection& connection, const DeleteFlags& flags) {
  if (flags.times.from.empty())
    return fail(ErrorCode::kInvalidArgument, "--from is required: lines are deleted from that time on");
  KVASIR_TRY(const auto range, resolve_times(flags.times, system_clock()));
  net::HttpParams params;
  params.add("query", flags.query);
  params.add("start", std::to_string(range.begin.value / kNsPerSecond));
  if (!flags.times.to.empty()) params.add("end", std::to_string(seconds_up(range.end)));
  if (!flags.max_interval.empty()) params.add("max_interval", flags.max_interval);
  KVASIR_TRY(const auto answer, connection.exchange("POST", kPath, params));
  std::cout << "delete request " << answer.headers.value_or_empty("X-Delete-Request-Id") << "\n";
  return {};
}

Result<void> run_delete_list(Connection& connection, const PrintOptions& print) {
  KVASIR_TRY(const auto body, connection.get(kPath, {}));
  if (print.mode == OutputMode::kRaw || print.mode == OutputMode::kJsonl) {
    std::cout << body << (body.ends_with('\n') ? "" : "\n");
    return {};
  }
  KVASIR_TRY(const auto requests, read_delete_requests(body));
  Rows rows;
  for (const DeleteRequest& request : requests) {
    rows.push_back(
        {request.id, format_rfc3339(request.start), format_rfc3339(request.end), request.status, request.query});
  }
  print_columns({"id", "from", "to", "status", "query"}, rows, std::cout);
  return {};
}

Result<void> run_delete_cancel(Connection& connection, const DeleteFlags& flags) {
  net::HttpParams params;
  params.add("request_id", flags.request_id);
  if (flags.force) params.add("force", "true");
  KVASIR_TRY(const auto answer, connection.exchange("DELETE", kPath, params));
  std::cout << "delete request " << flags.request_id << " is cancelled\n";
  return {};
}

}  // namespace kvasir::cli
