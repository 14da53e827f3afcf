// trace.cpp -- the lines of one trace over all services, with the time since the first.
#include <algorithm>
#include <iostream>

#include <fmt/format.h>

#include "cli/answer.h"
#include "cli/commands.h"

namespace kvasir::cli {
namespace {

// What a reader takes for the source of a line: the first of these labels that the stream has.
constexpr std::string_view kSourceLabels[] = {"service_name", "service", "app", "container", "job", "filename"};

std::string source_of(const Labels& labels) {
  for (const auto name : kSourceLabels) {
    if (const auto value = labels.get(name)) return std::string(*value);
  }
  return labels.to_string();
}

void print_with_offsets(const std::vector<PrintEntry>& entries, std::ostream& out) {
  std::size_t width = 0;
  for (const auto& item : entries) width = std::max(width, source_of(*item.labels).size());
  const std::int64_t first = entries.front().entry->timestamp.value;
  out << format_rfc3339(entries.front().entry->timestamp) << "\n";
  for (const auto& item : entries) {
    const double milliseconds = static_cast<double>(item.entry->timestamp.value - first) / 1e6;
    out << fmt::format("{:>+12.3f} ms  {:<{}}  {}\n", milliseconds, source_of(*item.labels), width, item.entry->line);
  }
}

}  // namespace

Result<void> run_trace(Connection& connection, const std::string& id, std::uint32_t limit, const PrintOptions& print) {
  net::HttpParams params;
  params.add("limit", std::to_string(limit));
  KVASIR_TRY(const auto body, connection.get("/api/v1/trace/" + net::percent_encode(id) + "/logs", params));
  KVASIR_TRY(const auto answer, read_query_answer(body));
  const auto* streams = std::get_if<logql::Streams>(&answer.result);
  if (streams == nullptr) return fail(ErrorCode::kCorruption, "the server's answer is malformed: lines were expected");
  const auto entries = in_time_order(streams->streams, true);
  if (entries.empty()) return fail(ErrorCode::kNotFound, "no line holds the trace id " + id);
  if (print.mode == OutputMode::kDefault || print.mode == OutputMode::kTable) {
    print_with_offsets(entries, std::cout);
    return {};
  }
  EntryPrinter printer(print, std::cout);
  for (const auto& item : entries) printer.print(item);
  return {};
}

}  // namespace kvasir::cli
