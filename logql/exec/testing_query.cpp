#include "logql/exec/testing_query.h"

#include "common/number.h"

namespace kvasir::logql {
namespace {

constexpr double kNsPerSecond = 1e9;

TimestampNs at(double seconds) { return {static_cast<std::int64_t>(seconds * kNsPerSecond)}; }

struct Printer {
  std::string operator()(const Streams& result) const {
    std::string out;
    for (const auto& stream : result.streams) {
      out += (out.empty() ? "" : "\n") + stream.labels.to_string();
      for (const auto& entry : stream.entries) out += print(entry);
    }
    return out;
  }
  std::string operator()(const Vector& result) const { return print(result.series); }
  std::string operator()(const Matrix& result) const { return print(result.series); }
  std::string operator()(const Scalar& result) const { return "scalar " + format_sample_value(result.point.value); }
  std::string operator()(const Table& result) const {
    std::string out = join(result.columns);
    for (const auto& row : result.rows) out += "\n" + join(row);
    return out;
  }

  static std::string join(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts) out += (&text == texts.data() ? "" : ",") + text;
    return out;
  }
  static std::string print(const ResultEntry& entry) {
    std::string out = " " + format_sample_value(static_cast<double>(entry.timestamp.value) / kNsPerSecond) + ":";
    append_go_quoted(out, entry.line);
    if (!entry.structured_metadata.empty()) out += "/meta" + entry.structured_metadata.to_string();
    if (!entry.parsed.empty()) out += "/parsed" + entry.parsed.to_string();
    return out;
  }
  static std::string print(const std::vector<Series>& all) {
    std::string out;
    for (const auto& series : all) {
      out += (out.empty() ? "" : "\n") + series.labels.to_string();
      for (const auto& point : series.points) {
        out += " " + format_sample_value(static_cast<double>(point.timestamp_ms) / 1e3) + ":" +
               format_sample_value(point.value);
      }
    }
    return out;
  }
};

}  // namespace

std::string testing_text(const Result<QueryResult>& result) {
  if (!result) return "error: " + result.error().message();
  return std::visit(Printer{}, *result);
}

void TestingQueries::add(const Labels& stream, double seconds, std::string_view line, std::vector<Label> metadata) {
  source_.add(stream, at(seconds), line, std::move(metadata));
}

Result<QueryResult> TestingQueries::run(std::string_view query, const TestingOptions& options, bool instant,
                                        bool as_table) {
  QueryParams params{.query = std::string(query),
                     .tenant = "test",
                     .instant = instant,
                     .start = at(options.start),
                     .end = at(options.end),
                     .step = std::chrono::nanoseconds(at(options.step).value),
                     .interval = std::chrono::nanoseconds(at(options.interval).value),
                     .limit = options.limit,
                     .direction = options.direction,
                     .categorize_labels = options.categorize,
                     .as_table = as_table,
                     .pushdowns = options.pushdowns};
  MemoryBudget budget("test", options.memory);
  QueryContext context(clock_, clock_.steady() + std::chrono::minutes(1), {}, budget, options.limits);
  return run_query(params, source_, context);
}

std::string TestingQueries::range(std::string_view query, const TestingOptions& options) {
  return testing_text(run(query, options, false));
}

std::string TestingQueries::instant(std::string_view query, double time, TestingOptions options) {
  options.start = options.end = time;
  return testing_text(run(query, options, true));
}

std::string TestingQueries::logs(std::string_view query, const TestingOptions& options) {
  return testing_text(run(query, options, false));
}

std::string TestingQueries::table(std::string_view query, const TestingOptions& options) {
  return testing_text(run(query, options, false, true));
}

}  // namespace kvasir::logql
