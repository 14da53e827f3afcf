// The engine against the naive evaluator: random rows, random queries, every way of running them.
#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include <doctest/doctest.h>

#include "common/number.h"
#include "logql/exec/testing_query.h"
#include "logql/syntax/parser.h"
#include "logql/syntax/printer.h"
#include "tests/property/odd_lines.h"
#include "tests/property/query_generator.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

struct Setup {
  std::vector<NaiveRow> rows;
  MemorySourceOptions source;
  TestingOptions options;
};

/// Then blocks may be counted without looking at their rows.
void keep_distinct(std::vector<NaiveRow>& rows) {
  std::set<std::tuple<Labels, std::int64_t, std::string>> seen;
  std::erase_if(rows, [&](const NaiveRow& row) {
    return !seen.emplace(row.stream, row.timestamp.value, row.line).second;
  });
}

Setup make_setup(QueryGenerator& generate) {
  Setup setup;
  setup.rows = generate.rows();
  setup.source.exact = generate.one_in(2);
  if (setup.source.exact) keep_distinct(setup.rows);
  setup.options.limits.series_max = 0;
  setup.options.limits.multi_variant_queries = true;
  setup.options.limits.field_selectors = !generate.one_in(3);
  return setup;
}

/// The ways in which a query is run: everything at once, nothing pushed down, and one by chance.
std::vector<Setup> ways(const Setup& setup, QueryGenerator& generate) {
  const auto way = [&](std::size_t rows_per_block, std::uint32_t threads, Pushdowns pushdowns, bool fast_paths) {
    Setup out = setup;
    out.source.rows_per_block = rows_per_block;
    out.source.fast_paths = fast_paths;
    out.options.limits.parallelism = threads;
    out.options.pushdowns = pushdowns;
    return out;
  };
  const auto flip = [&] { return generate.one_in(2); };
  Pushdowns some;
  for (const auto& [name, flag] : kPushdowns) some.*flag = flip();
  return {way(64, 1, {}, true), way(2, 1, {}, true), way(16, 3, Pushdowns::none(), true),
          way(1 + generate.below(20), static_cast<std::uint32_t>(1 + generate.below(4)),
              some, flip())};
}

void fill(TestingQueries& queries, const Setup& setup) {
  for (const NaiveRow& row : setup.rows) queries.source().add(row.stream, row.timestamp, row.line, row.metadata);
}

Result<QueryResult> run(const Setup& setup, const std::string& query, bool instant, bool as_table = false) {
  TestingQueries queries(setup.source);
  fill(queries, setup);
  return queries.run(query, setup.options, instant, as_table);
}

// ---- metrics

struct Measured {
  Labels labels;
  std::int64_t timestamp_ms;
  double value;
};
using Points = std::vector<Measured>;

bool close(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::fabs(a - b) <= 1e-9 * std::max({1.0, std::fabs(a), std::fabs(b)});
}

void put_in_order(Points& points) {
  std::sort(points.begin(), points.end(), [](const Measured& a, const Measured& b) {
    if (a.labels != b.labels) return a.labels < b.labels;
    if (a.timestamp_ms != b.timestamp_ms) return a.timestamp_ms < b.timestamp_ms;
    return std::isnan(a.value) ? !std::isnan(b.value) : a.value < b.value;
  });
}

std::string text(const Points& points) {
  std::string out;
  for (const auto& p : points)
    out += p.labels.to_string() + " @" + std::to_string(p.timestamp_ms) + " " + std::to_string(p.value) + "\n";
  return out;
}

bool same(const Points& a, const Points& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Measured& x, const Measured& y) {
    return x.labels == y.labels && x.timestamp_ms == y.timestamp_ms && close(x.value, y.value);
  });
}

/// What the judge says: the points of every step, or the kinds of errors that it met.
struct Verdict {
  Points points;
  std::set<std::string> errors;
};

std::string kind_of(const Error& error) {
  const std::string text = error.message();
  for (const char* kind : {"pipeline error", "found duplicate series", "multiple matches for labels"}) {
    if (text.find(kind) != std::string::npos) return kind;
  }
  return text;
}

Verdict judge(NaiveEvaluator& naive, const Expr& expr, const Setup& setup, bool instant, bool forgive) {
  const Duration step = std::chrono::seconds(static_cast<int>(setup.options.step));
  naive.set({.field_selectors = setup.options.limits.field_selectors,
             .forgive_parsers = forgive,
             .stats_window = instant ? Duration(std::chrono::hours(1)) : step});
  Verdict verdict;
  for (double t = setup.options.start; t <= setup.options.end; t += setup.options.step) {
    const auto at_ms = static_cast<std::int64_t>(t) * 1000;
    const auto value = naive.evaluate(expr, {static_cast<std::int64_t>(t) * kNsPerSecond});
    if (!value) {
      verdict.errors.insert(kind_of(value.error()));
    } else if (const auto* number = std::get_if<double>(&*value)) {
      verdict.points.push_back({{}, at_ms, *number});
    } else {
      for (const auto& sample : std::get<NaiveVector>(*value))
        verdict.points.push_back({sample.labels, at_ms, sample.value});
    }
  }
  return verdict;
}

Points points_of(const QueryResult& result) {
  Points out;
  const auto add = [&](const std::vector<Series>& all) {
    for (const auto& series : all) {
      for (const auto& point : series.points) out.push_back({series.labels, point.timestamp_ms, point.value});
    }
  };
  if (const auto* matrix = std::get_if<Matrix>(&result)) add(matrix->series);
  if (const auto* vector = std::get_if<Vector>(&result)) add(vector->series);
  if (const auto* scalar = std::get_if<Scalar>(&result))
    out.push_back({{}, scalar->point.timestamp_ms, scalar->point.value});
  return out;
}

/// Whether the samples of some range are grouped while they are read: then a line need not be read to its end.
bool may_skip_labels(const std::string& query) {
  return query.find("sum") != std::string::npos || query.find(" by ") != std::string::npos;
}

void check_result(const Result<QueryResult>& result, const Verdict& strict, const Verdict& lenient,
                  const std::string& query) {
  if (!result) {
    const std::string kind = kind_of(result.error());
    CHECK_MESSAGE((strict.errors.contains(kind) || lenient.errors.contains(kind)), "fails: ", result.error().message());
    return;
  }
  // A broken line that nothing was read of, or nothing behind what was needed, is no error of the query.
  const bool skipped = !strict.errors.empty();
  if (skipped)
    REQUIRE_MESSAGE((may_skip_labels(query) || query.find("absent") != std::string::npos),
                    "answers, but should fail: ", *strict.errors.begin());
  const Verdict& judged = skipped ? lenient : strict;
  REQUIRE_MESSAGE(judged.errors.empty(), "answers, but should fail: ", *judged.errors.begin());
  Points got = points_of(*result);
  Points want = judged.points;
  const bool sorted = query.starts_with("sort") && std::holds_alternative<Vector>(*result);
  if (!sorted) put_in_order(want);
  if (!sorted) put_in_order(got);
  CHECK_MESSAGE(same(got, want), "want\n", text(want), "got\n", text(got));
}

struct Tally {
  std::size_t answered = 0;
  std::size_t failed = 0;
  std::size_t points = 0;
};

/// Runs the query in several ways, each against the judge; of an instant query, the end of the options is its time.
void judge_metric(const Setup& setup, const std::string& query, bool instant, QueryGenerator& generate, Tally& tally) {
  CAPTURE(query);
  const auto expr = parse_query(query);
  REQUIRE_MESSAGE(expr.has_value(), (expr ? "" : expr.error().message()));
  const auto again = parse_query(print(**expr));
  REQUIRE(again);
  CHECK(print(**again) == print(**expr));

  NaiveEvaluator naive(setup.rows);
  const Verdict strict = judge(naive, **expr, setup, instant, false);
  const Verdict lenient = judge(naive, **expr, setup, instant, true);
  for (const Setup& way : ways(setup, generate)) {
    CAPTURE(way.source.rows_per_block);
    CAPTURE(way.options.limits.parallelism);
    const auto result = run(way, query, instant);
    check_result(result, strict, lenient, query);
    ++(result ? tally.answered : tally.failed);
    if (result) tally.points += points_of(*result).size();
  }
}

void check_metric(std::uint64_t seed, Tally& tally) {
  QueryGenerator generate(seed);
  Setup setup = make_setup(generate);
  const std::string query = generate.metric_query();
  const bool instant = generate.one_in(3);
  CAPTURE(seed);
  setup.options.step = static_cast<double>(1 + generate.below(20));
  setup.options.end = setup.options.step * static_cast<double>(generate.below(8));
  if (instant) setup.options.start = setup.options.end;
  judge_metric(setup, query, instant, generate, tally);
}

// ---- logs

using Entries = std::map<Labels, std::vector<NaiveEntry>>;

std::string text(const std::vector<NaiveEntry>& entries) {
  std::string out;
  for (const auto& entry : entries)
    out += entry.labels.to_string() + " @" + std::to_string(entry.timestamp.value) + " " + entry.line + "\n";
  return out;
}

void set_range(Setup& setup, QueryGenerator& generate) {
  setup.options.start = static_cast<double>(generate.below(30));
  setup.options.end = setup.options.start + static_cast<double>(1 + generate.below(60));
  setup.options.limit = static_cast<std::uint32_t>(1 + generate.below(60));
  setup.options.direction = generate.one_in(2) ? Direction::kForward : Direction::kBackward;
}

TimeRange range_of(const Setup& setup) {
  return {{static_cast<std::int64_t>(setup.options.start) * kNsPerSecond},
          {static_cast<std::int64_t>(setup.options.end) * kNsPerSecond}};
}

void judge_logs(const Setup& setup, const std::string& query, QueryGenerator& generate) {
  CAPTURE(query);
  const auto parsed = parse_log_query(query);
  REQUIRE_MESSAGE(parsed.has_value(), (parsed ? "" : parsed.error().message()));
  NaiveEvaluator naive(setup.rows);
  naive.set({.field_selectors = setup.options.limits.field_selectors,
             .categorize = setup.options.categorize,
             .interval = std::chrono::seconds(static_cast<int>(setup.options.interval))});
  const auto want = naive.entries(*parsed, range_of(setup), setup.options.direction, setup.options.limit);
  REQUIRE(want);
  // Ordered by a field, the streams read one after the other are in order; else each stream is in order of time.
  std::vector<std::string> fields;
  for (const Pipe& pipe : parsed->pipes) {
    const auto* order = std::get_if<OrderBy>(&pipe);
    if (order != nullptr) for (const auto& key : order->keys) fields.push_back(key.field);
  }
  const bool by_field = !fields.empty() && fields != std::vector<std::string>{"timestamp"};
  Entries wanted;
  for (const NaiveEntry& entry : *want) wanted[entry.labels].push_back(entry);
  for (const Setup& way : ways(setup, generate)) {
    const auto result = run(way, query, false);
    REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message()));
    std::vector<NaiveEntry> read;
    Entries got;
    for (const ResultStream& stream : std::get<Streams>(*result).streams) {
      for (const ResultEntry& entry : stream.entries) {
        read.push_back({stream.labels, entry.timestamp, entry.line, entry.structured_metadata, entry.parsed});
        got[stream.labels].push_back(read.back());
      }
    }
    if (by_field) CHECK_MESSAGE(read == *want, "want\n", text(*want), "got\n", text(read));
    if (!by_field) CHECK_MESSAGE(got == wanted, "want\n", text(*want), "got\n", text(read));
  }
}

void check_logs(std::uint64_t seed, bool ordered) {
  QueryGenerator generate(seed);
  Setup setup = make_setup(generate);
  const std::string query = ordered ? generate.ordered_query() : generate.log_query();
  CAPTURE(seed);
  set_range(setup, generate);
  setup.options.categorize = generate.one_in(4);
  if (generate.one_in(5)) setup.options.interval = static_cast<double>(1 + generate.below(5));
  judge_logs(setup, query, generate);
}

void check_table(std::uint64_t seed) {
  QueryGenerator generate(seed);
  Setup setup = make_setup(generate);
  const std::string query = generate.stats_query();
  CAPTURE(seed);
  CAPTURE(query);
  const auto parsed = parse_query(query);
  REQUIRE_MESSAGE(parsed.has_value(), (parsed ? "" : parsed.error().message()));
  set_range(setup, generate);
  NaiveEvaluator naive(setup.rows);
  naive.set({.field_selectors = setup.options.limits.field_selectors});
  const auto want = naive.table(std::get<LogQuery>((*parsed)->node), range_of(setup));
  REQUIRE(want);
  for (const Setup& way : ways(setup, generate)) {
    const auto result = run(way, query, false, true);
    REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message()));
    const Table& got = std::get<Table>(*result);
    CHECK(got.columns == want->columns);
    REQUIRE(got.rows.size() == want->rows.size());
    for (std::size_t r = 0; r < got.rows.size(); ++r) {
      for (std::size_t c = 0; c < got.columns.size(); ++c) {
        const auto* number = std::get_if<double>(&want->rows[r][c]);
        if (number == nullptr) CHECK(got.rows[r][c] == std::get<std::string>(want->rows[r][c]));
        if (number != nullptr)
          CHECK_MESSAGE(close(parse_go_float(got.rows[r][c]).value_or(-1e300), *number), got.rows[r][c], " is not ",
                        *number);
      }
    }
  }
}

// ---- lines that nobody expects

constexpr const char* kOddMetrics[] = {
    R"(sum by (app) (count_over_time({app=~".+"} [30s])))",
    R"(sum(bytes_over_time({app=~".+"} |= "error" [30s])))",
    R"(sum by (level) (count_over_time({app=~".+"} | json | status >= 500 [30s])))",
    R"(sum by (level) (count_over_time({app=~".+"} | logfmt | drop __error__, __error_details__ [30s])))",
    R"(max_over_time({app=~".+"} | json | unwrap status | __error__="" [30s]))",
    R"(sum by (path) (count_over_time({app=~".+"} | pattern `<_> "<method> <path> <_>"` [30s])))",
    R"(count_over_time({app=~".+"} !~ `err.r\s` [30s]))"};

constexpr const char* kOddLogs[] = {R"({app=~".+"})",
                                    R"({app=~".+"} |= "error" != "crlf")",
                                    R"({app=~".+"} |~ "(?i)ERROR$")",
                                    R"({app=~".+"} |= "\x00")",
                                    R"({app=~".+"} | json | line_format "{{.level}}/{{.status}}")",
                                    R"({app=~".+"} | logfmt | duration > 1s)",
                                    R"({trace_id="0123456789abcdef"} |= "x error y")"};

void judge_odd(std::vector<NaiveRow> rows) {
  QueryGenerator generate(1);
  Setup setup;
  for (NaiveRow& row : rows) row.sequence = setup.rows.size(), setup.rows.push_back(std::move(row));
  setup.source.exact = false;  // some lines are there twice
  setup.options.limits.series_max = 0;
  setup.options.limits.field_selectors = true;
  setup.options.start = 0;
  setup.options.end = 60;
  setup.options.step = 30;
  setup.options.limit = 5'000;
  Tally tally;
  for (const char* query : kOddMetrics) judge_metric(setup, query, false, generate, tally);
  CHECK(tally.answered > 4 * std::size(kOddMetrics) / 2);
  CHECK(tally.points > 0);
  for (const char* query : kOddLogs) judge_logs(setup, query, generate);
}

NaiveRow odd_row(std::int64_t ns, std::string line) {
  return {Labels{{"app", "a"}}, {ns}, 0, std::move(line), {{"trace_id", "0123456789abcdef"}}};
}

}  // namespace

TEST_CASE("invalid UTF-8, NUL, CRLF, empty and half-parsable lines give what the naive evaluator gives") {
  std::vector<NaiveRow> rows;
  const auto lines = odd_lines();
  for (std::size_t i = 0; i < 200; ++i) {
    rows.push_back(odd_row(static_cast<std::int64_t>(i) * 250'000'000, lines[i % lines.size()]));
  }
  judge_odd(std::move(rows));
}

TEST_CASE("a line of 10 MiB gives what the naive evaluator gives") {
  judge_odd({odd_row(1, std::string(10 << 20, 'x') + " error " + std::string(1 << 20, 'y')), odd_row(2, "error"),
             odd_row(3, ""), odd_row(4, "{\"status\":503,\"level\":\"" + std::string(1 << 20, 'z') + "\"}")});
}

TEST_CASE("many lines of one instant give what the naive evaluator gives") {
  std::vector<NaiveRow> rows;
  for (std::size_t i = 0; i < 2'000; ++i) {
    rows.push_back(odd_row(20 * kNsPerSecond, "error level=l" + std::to_string(i % 3) + " n=" + std::to_string(i % 1'800)));
  }
  judge_odd(std::move(rows));
}

TEST_CASE("metric queries give what the naive evaluator gives") {
  Tally tally;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) check_metric(seed, tally);
  // The queries are worth something: most answer, some fail, and the answers hold points.
  CHECK(tally.answered > 5000);
  CHECK(tally.failed > 100);
  CHECK(tally.points > 15000);
}

TEST_CASE("log queries give what the naive evaluator gives") {
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) check_logs(seed, false);
}

TEST_CASE("ordered log queries give what the naive evaluator gives") {
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) check_logs(seed, true);
}

TEST_CASE("tables of stats are what the naive evaluator gives") {
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) check_table(seed);
}
