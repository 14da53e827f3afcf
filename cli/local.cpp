#include "cli/local.h"

#include <glob.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>
#include <unordered_map>

#include "cli/line_stamp.h"
#include "cli/query_shape.h"
#include "common/net/content_encoding.h"
#include "common/number.h"
#include "logql/engine.h"
#include "logql/syntax/error_hint.h"

namespace kvasir::cli {
namespace {

constexpr auto kLocalDeadline = std::chrono::hours(24);

Result<std::vector<std::string>> expand(const std::vector<std::string>& patterns) {
  std::vector<std::string> paths;
  for (const auto& pattern : patterns) {
    glob_t found{};
    const int outcome = ::glob(pattern.c_str(), 0, nullptr, &found);
    for (std::size_t i = 0; outcome == 0 && i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
    ::globfree(&found);
    if (outcome != 0) return fail(ErrorCode::kNotFound, "no file matches " + pattern);
  }
  return paths;
}

Result<std::string> read_file(const std::string& path) {
  KVASIR_TRY(auto bytes, posix_filesystem().read_all(path, kLocalFileBytesMax));
  const bool gzip = path.ends_with(".gz");
  if (!gzip && !path.ends_with(".zst")) return bytes;
  auto plain =
      net::decompress(gzip ? net::ContentEncoding::kGzip : net::ContentEncoding::kZstd, bytes, kLocalFileBytesMax);
  if (!plain) return fail(plain.error().with_context(path));
  return plain;
}

Result<void> load(const LocalFlags& local, logql::MemorySource& source, TimeRange& range) {
  if (local.standard_input) {
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    add_lines(source, Labels{{"source", "stdin"}}, text, system_clock().now(), range);
  }
  KVASIR_TRY(const auto paths, expand(local.patterns));
  for (const auto& path : paths) {
    KVASIR_TRY(const auto status, posix_filesystem().status(path));
    KVASIR_TRY(const auto text, read_file(path));
    const TimestampNs modified{status ? status->modified_ns : system_clock().now().value};
    add_lines(source, Labels{{"filename", path}}, text, modified, range);
  }
  return {};
}

// What the user asked for, or all there is.
Result<TimeRange> query_range(const QueryFlags& flags, TimeRange all) {
  const bool asked = !flags.times.from.empty() || !flags.times.to.empty();
  if (asked) return resolve_times(flags.times, system_clock());
  if (all.empty()) return TimeRange{{0}, {1}};
  return all;
}

// A query that begins with a pipe reads everything.
std::string with_selector(const std::string& query) {
  std::size_t at = query.find_first_not_of(" \t\r\n");
  while (at != std::string::npos && query[at] == '#') {
    at = query.find('\n', at);
    at = query.find_first_not_of(" \t\r\n", at);
  }
  const bool begins_with_pipe = at != std::string::npos && (query[at] == '|' || query[at] == '!');
  return begins_with_pipe ? "{} " + query.substr(at) : query;
}

Duration default_step(TimeRange range) {
  return std::max<Duration>(std::chrono::seconds(1),
                            std::chrono::duration_cast<std::chrono::seconds>((range.end - range.begin) / 250));
}

}  // namespace

void add_lines(logql::MemorySource& source, const Labels& stream, std::string_view text, TimestampNs fallback,
               TimeRange& range) {
  TimestampNs time = fallback;
  std::unordered_map<std::int64_t, std::int64_t> lines_at;  // equal lines of equal time would be one
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    time = find_line_stamp(line, fallback).value_or(time);
    const TimestampNs own = time + Duration(lines_at[time.value]++);
    source.add(stream, own, line);
    range.begin = range.empty() ? own : std::min(range.begin, own);
    range.end = std::max(range.end, own + Duration(1));
  }
}

Result<void> run_local_query(const LocalFlags& local, const QueryFlags& asked) {
  QueryFlags flags = asked;
  flags.query = with_selector(asked.query);
  flags = fitted_to_query(flags);
  logql::MemorySource source({.exact = false});
  TimeRange all;
  KVASIR_CHECK_OK(load(local, source, all));
  logql::QueryParams params;
  params.query = flags.query;
  KVASIR_TRY(const auto range, query_range(flags, all));
  params.start = local.instant ? range.end : range.begin;
  params.end = range.end;
  params.instant = local.instant;
  params.step = flags.step.empty() ? default_step(range) : parse_duration(flags.step).value_or(default_step(range));
  params.limit = flags.limit == 0 ? std::numeric_limits<std::uint32_t>::max() : flags.limit;
  params.direction = flags.forward ? logql::Direction::kForward : logql::Direction::kBackward;
  params.as_table = flags.step.empty();
  MemoryBudget budget("query", 0);
  logql::QueryContext context(system_clock(), system_clock().steady() + kLocalDeadline, std::stop_token(), budget,
                              logql::QueryLimits{.series_max = 0, .multi_variant_queries = true});
  auto answer = logql::run_query(params, source, context);
  if (!answer) {
    return fail(answer.error().code(), logql::explain_query_error(params.query, answer.error().message()));
  }
  const auto& result = *answer;
  const auto* streams = std::get_if<logql::Streams>(&result);
  if (streams == nullptr) {
    print_metric(result, flags.print, std::cout);
    return {};
  }
  EntryPrinter printer(flags.print, std::cout);
  printer.set_common_labels(streams->streams, std::cerr);
  for (const auto& item : in_order(streams->streams, flags)) printer.print(item);
  return {};
}

}  // namespace kvasir::cli
