// The engine against the naive evaluator: random rows, random queries, every way of running them.
#include <cmath>
#include <initializer_list>
#include <random>

#include <doctest/doctest.h>

#include "logql/exec/testing_query.h"
#include "logql/syntax/parser.h"
#include "tests/property/naive_evaluator.h"

using namespace kvasir;
using namespace kvasir::logql;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kSpanSeconds = 60;

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::string pick(std::initializer_list<const char*> items) { return *(items.begin() + below(items.size())); }
  std::string number(std::size_t n) { return std::to_string(below(n)); }

  std::vector<NaiveRow> rows() {
    std::vector<NaiveRow> out;
    const std::size_t count = below(120);
    for (std::size_t i = 0; i < count; ++i) {
      NaiveRow row;
      row.stream = Labels{{"app", pick({"a", "b"})}, {"env", pick({"p", "q"})}};
      row.timestamp = {static_cast<std::int64_t>(below(kSpanSeconds + 1)) * kSecond + (one_in(3) ? static_cast<std::int64_t>(below(kSecond)) : 0)};
      row.line = line();
      if (one_in(3)) row.metadata.push_back({"trace", number(3)});
      if (one_in(5)) row.metadata.insert(row.metadata.begin(), Label{"k", "meta"});
      out.push_back(std::move(row));
      if (one_in(15)) out.push_back(out.back());  // sent twice
    }
    for (std::size_t i = 0; i < out.size(); ++i) out[i].sequence = i;
    return out;
  }

  std::string line() {
    switch (below(6)) {
      case 0:
      case 1: return "{\"k\":\"" + word() + "\",\"v\":" + number(20) + ",\"o\":{\"d\":\"" + number(9) + "ms\"}}";
      case 2:
      case 3: return "k=" + word() + " v=" + number(20) + " d=" + number(9) + "ms msg=\"" + word() + " " + word() + "\"";
      case 4: return word() + " " + word();
      default: return one_in(2) ? "" : "{\"k\":\"" + word();
    }
  }
  std::string word() { return pick({"red", "blue", "err", "x1", "\xc3\xa9t\xc3\xa9"}); }

  std::string selector() { return pick({"{app=\"a\"}", "{app=~\".+\"}", "{app=~\"a|b\", env=\"p\"}", "{env!=\"\"}"}); }

  std::string pipeline() {
    std::string out;
    if (one_in(2)) out += line_filter();
    const std::size_t parser = below(4);
    if (parser == 1) out += " | json";
    if (parser == 2) out += " | logfmt";
    if (parser == 3) out += " | pattern `<k> <w>`";
    if (one_in(2)) out += label_filter();
    if (one_in(5)) out += pick({" | label_format k=`{{.k}}-{{.env}}`", " | label_format z=k", " | drop k", " | keep app, k, v", " | line_format `{{.k}} {{.v}}`"});
    if (one_in(4)) out += line_filter();
    if (!one_in(6)) out += " | __error__=``";
    return out;
  }
  std::string line_filter() {
    return pick({" |= `red`", " != `blue`", " |~ `k.*v`", " |= `red` or `err`", " !~ `x[0-9]`", " |> `<_>red<_>`", " |~ `(?i)RED`", " |= `v=1`"});
  }
  std::string label_filter() {
    return pick({" | k=`red`", " | v > 9", " | v >= 5 and v < 15", " | k=~`r.*|blue`", " | trace=`1`", " | d > 3ms", " | o_d <= 5ms", " | k!=`` or v=3", " | env=`p`"});
  }

  std::string range() {
    const std::string window = "[" + pick({"1s", "7s", "20s", "90s"}) + "]" + (one_in(5) ? " offset " + pick({"5s", "-5s"}) : "");
    if (one_in(2)) {
      const std::string op = pick({"count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time"});
      return op + "(" + selector() + pipeline() + " " + window + ")";
    }
    const std::string unwrap = pick({" | json | unwrap v", " | logfmt | unwrap v", " | logfmt | unwrap duration(d)", " | json | unwrap v | v > 3"});
    const std::string errors = one_in(8) ? "" : " | __error__=``";
    const std::string inner = selector() + (one_in(3) ? line_filter() : "") + unwrap + errors + " " + window + ")";
    switch (below(4)) {
      case 0: return pick({"sum_over_time", "rate", "rate_counter"}) + "(" + inner;
      case 1: return "quantile_over_time(0." + number(10) + ", " + inner + grouping(true);
      default:
        return pick({"avg_over_time", "min_over_time", "max_over_time", "stddev_over_time", "stdvar_over_time", "first_over_time",
                     "last_over_time"}) + "(" + inner + grouping(true);
    }
  }
  std::string grouping(bool optional) {
    if (optional && one_in(2)) return "";
    return pick({" by (app)", " by (k)", " by ()", " without (k, msg)", " by (app, k, trace)", " without (app, env)"});
  }
  std::string metric() {
    switch (below(6)) {
      case 0: return range();
      case 1: return "(" + aggregate("app") + ") " + pick({"+", "-", "*", "/", ">", "<= bool", "and", "or", "unless"}) + " (" + aggregate("app") + ")";
      case 2: return aggregate("") + " " + pick({"* 2", "> 3", "!= bool 1", "/ 0", "^ 2"});
      default: return aggregate("");
    }
  }
  std::string aggregate(const std::string& by) {
    const std::string op = pick({"sum", "avg", "count", "max", "min", "stddev"});
    return op + (by.empty() ? grouping(true) : " by (" + by + ")") + " (" + range() + ")";
  }

 private:
  std::mt19937_64 random_;
};

struct Setup {
  std::vector<NaiveRow> rows;
  MemorySourceOptions source;
  TestingOptions options;
};

Setup make_setup(Generator& generate) {
  Setup setup;
  setup.rows = generate.rows();
  const std::size_t block_sizes[] = {1, 3, 16, 64};
  setup.source.rows_per_block = block_sizes[generate.below(4)];
  setup.source.fast_paths = generate.one_in(2);
  setup.source.exact = false;  // rows may repeat
  const bool on = generate.one_in(2);
  setup.options.pushdowns = {on, on, on, on};
  setup.options.limits.parallelism = static_cast<std::uint32_t>(1 + generate.below(4));
  setup.options.limits.field_selectors = false;
  return setup;
}

void fill(TestingQueries& queries, const Setup& setup) {
  for (const NaiveRow& row : setup.rows) queries.source().add(row.stream, row.timestamp, row.line, row.metadata);
}

bool close(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::fabs(a - b) <= 1e-9 * std::max({1.0, std::fabs(a), std::fabs(b)});
}

using Points = std::map<std::pair<Labels, std::int64_t>, double>;

std::string text(const Points& points) {
  std::string out;
  for (const auto& [key, value] : points) {
    out += key.first.to_string() + " @" + std::to_string(key.second) + " " + std::to_string(value) + "\n";
  }
  return out;
}

bool same(const Points& a, const Points& b) {
  if (a.size() != b.size()) return false;
  for (auto i = a.begin(), j = b.begin(); i != a.end(); ++i, ++j) {
    if (i->first != j->first || !close(i->second, j->second)) return false;
  }
  return true;
}

void check_metric(std::uint64_t seed) {
  Generator generate(seed);
  Setup setup = make_setup(generate);
  const std::string query = generate.metric();
  CAPTURE(seed);
  CAPTURE(query);
  const auto expr = parse_query(query);
  REQUIRE_MESSAGE(expr.has_value(), (expr ? "" : expr.error().message()));
  setup.options.step = static_cast<double>(1 + generate.below(20));
  setup.options.start = 0;
  setup.options.end = setup.options.step * static_cast<double>(generate.below(8));

  const NaiveEvaluator naive(setup.rows);
  Points want;
  for (double t = 0; t <= setup.options.end; t += setup.options.step) {
    const auto vector = naive.evaluate(**expr, {static_cast<std::int64_t>(t) * kSecond});
    if (!vector) return;  // which errors a query notices depends on the labels it needs
    for (const auto& [labels, value] : *vector) want[{labels, static_cast<std::int64_t>(t) * 1000}] = value;
  }
  TestingQueries queries(setup.source);
  fill(queries, setup);
  const auto result = queries.run(query, setup.options, false);
  REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message()));
  Points got;
  for (const Series& series : std::get<Matrix>(*result).series) {
    for (const Point& point : series.points) got[{series.labels, point.timestamp_ms}] = point.value;
  }
  CHECK_MESSAGE(same(got, want), "want\n", text(want), "got\n", text(got));
}

void check_logs(std::uint64_t seed) {
  Generator generate(seed);
  Setup setup = make_setup(generate);
  const std::string query = generate.selector() + generate.pipeline();
  CAPTURE(seed);
  CAPTURE(query);
  const auto parsed = parse_log_query(query);
  REQUIRE(parsed);
  setup.options.start = static_cast<double>(generate.below(30));
  setup.options.end = setup.options.start + static_cast<double>(1 + generate.below(60));
  setup.options.limit = static_cast<std::uint32_t>(1 + generate.below(60));
  setup.options.direction = generate.one_in(2) ? Direction::kForward : Direction::kBackward;

  const TimeRange range{{static_cast<std::int64_t>(setup.options.start) * kSecond}, {static_cast<std::int64_t>(setup.options.end) * kSecond}};
  const NaiveEvaluator naive(setup.rows);
  const auto want = naive.entries(*parsed, range, setup.options.direction, setup.options.limit);
  REQUIRE(want);
  TestingQueries queries(setup.source);
  fill(queries, setup);
  const auto result = queries.run(query, setup.options, false);
  REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message()));
  std::map<Labels, std::vector<NaiveEntry>> wanted, got;
  for (const NaiveEntry& entry : *want) wanted[entry.labels].push_back(entry);
  for (const ResultStream& stream : std::get<Streams>(*result).streams) {
    for (const ResultEntry& entry : stream.entries) got[stream.labels].push_back({stream.labels, entry.timestamp, entry.line});
  }
  CHECK(got == wanted);
}

}  // namespace

TEST_CASE("metric queries give what the naive evaluator gives") {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) check_metric(seed);
}

TEST_CASE("log queries give what the naive evaluator gives") {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) check_logs(seed);
}
