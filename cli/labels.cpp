// labels.cpp -- labels, series, stats and volume: what is there, without reading a line.
#include <iostream>
#include <map>
#include <set>

#include <fmt/format.h>

#include "cli/answer.h"
#include "cli/commands.h"
#include "common/number.h"

namespace kvasir::cli {
namespace {

Result<TimestampNs> parse_time_flag(std::string_view flag, const std::string& text) {
  if (const auto instant = parse_rfc3339(text)) return *instant;
  if (const auto number = parse_int64(text)) {
    // As in query parameters: up to ten digits are seconds.
    return TimestampNs{text.size() <= 10 ? *number * 1'000'000'000 : *number};
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} is not a time: \"{}\" (RFC 3339, seconds or nanoseconds since the epoch)", flag, text));
}

void print_label_analysis(const std::vector<Labels>& all) {
  std::map<std::string, std::pair<std::set<std::string>, std::size_t>> by_name;
  for (const auto& labels : all) {
    for (const auto& label : labels) {
      auto& [values, streams] = by_name[label.name];
      values.insert(label.value);
      ++streams;
    }
  }
  std::cout << "Total Streams:  " << all.size() << "\nUnique Labels:  " << by_name.size() << "\n\n";
  std::cout << fmt::format("{:<30}  {:>13}  {:>16}\n", "Label Name", "Unique Values", "Found In Streams");
  for (const auto& [name, counts] : by_name) {
    std::cout << fmt::format("{:<30}  {:>13}  {:>16}\n", name, counts.first.size(), counts.second);
  }
}

}  // namespace

Result<TimeRange> resolve_times(const TimeFlags& flags, const Clock& clock) {
  TimeRange range;
  range.end = clock.now();
  if (!flags.to.empty()) {
    KVASIR_TRY(range.end, parse_time_flag("--to", flags.to));
  }
  const auto since = parse_duration(flags.since);
  if (!since) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--since is not a duration: \"{}\" (like 30m, 12h, 7d)", flags.since));
  }
  range.begin = range.end - *since;
  if (!flags.from.empty()) {
    KVASIR_TRY(range.begin, parse_time_flag("--from", flags.from));
  }
  if (range.begin > range.end) return fail(ErrorCode::kInvalidArgument, "--from is after --to");
  return range;
}

Result<net::HttpParams> time_params(const TimeFlags& times) {
  KVASIR_TRY(const auto range, resolve_times(times, system_clock()));
  net::HttpParams params;
  params.add("end", std::to_string(range.end.value));
  params.add("start", std::to_string(range.begin.value));
  return params;
}

Result<void> run_labels(Connection& connection, const std::string& name, const TimeFlags& times) {
  KVASIR_TRY(const auto params, time_params(times));
  const std::string path =
      name.empty() ? "/loki/api/v1/labels" : "/loki/api/v1/label/" + net::percent_encode(name) + "/values";
  KVASIR_TRY(const auto body, connection.get(path, params));
  KVASIR_TRY(const auto values, read_list_answer(body));
  for (const auto& value : values) std::cout << value << "\n";
  return {};
}

Result<void> run_series(Connection& connection, const std::vector<std::string>& matchers, const TimeFlags& times,
                        bool analyse) {
  KVASIR_TRY(auto params, time_params(times));
  for (const auto& matcher : matchers) params.add("match", matcher);
  KVASIR_TRY(const auto body, connection.get("/loki/api/v1/series", params));
  KVASIR_TRY(const auto all, read_series_answer(body));
  if (analyse) {
    print_label_analysis(all);
    return {};
  }
  for (const auto& labels : all) std::cout << labels.to_string() << "\n";
  return {};
}

Result<void> run_stats(Connection& connection, const std::string& query, const TimeFlags& times) {
  KVASIR_TRY(auto params, time_params(times));
  params.add("query", query);
  KVASIR_TRY(const auto body, connection.get("/loki/api/v1/index/stats", params));
  std::cout << body << (body.empty() || body.back() != '\n' ? "\n" : "");
  return {};
}

Result<void> run_volume(Connection& connection, const VolumeFlags& flags, const PrintOptions& print, bool range) {
  KVASIR_TRY(auto params, time_params(flags.times));
  params.add("query", flags.query);
  params.add("limit", std::to_string(flags.limit));
  if (range && !flags.step.empty()) params.add("step", flags.step);
  if (!flags.target_labels.empty()) params.add("targetLabels", fmt::format("{}", fmt::join(flags.target_labels, ",")));
  if (flags.by_labels) params.add("aggregateBy", "labels");
  KVASIR_TRY(const auto body,
             connection.get(range ? "/loki/api/v1/index/volume_range" : "/loki/api/v1/index/volume", params));
  KVASIR_TRY(const auto answer, read_query_answer(body));
  print_metric(answer.result, print, std::cout);
  return {};
}

}  // namespace kvasir::cli
