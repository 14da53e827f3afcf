// The engine over the real store against the engine over plain lines in memory, which the naive evaluator judges:
// generated and damaged lines in segments that overlap and in the head, with each pushdown on and off, blocks fresh and
// blocks from the cache.
#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <random>

#include "chunks/test_lines.h"
#include "common/mem_filesystem.h"
#include "ingest/ingest_scenario.h"
#include "ingest/rewrite.h"
#include "logql/engine.h"
#include "logql/exec/memory_source.h"
#include "logql/exec/testing_query.h"
#include "server/store_source.h"
#include "tests/property/odd_lines.h"

namespace kvasir {
namespace {

using ingest::TestEntry;

constexpr const char* kTenant = "t";

/// The same entries in a store and in memory.
class Twin {
 public:
  Twin() {
    ingest::IngesterOptions options;
    options.background = false;
    store_ = ingest::Store::open(fs_, options).value();
    cache_ = std::make_shared<server::BlockCache>(64 << 20);
    source_ = std::make_unique<server::StoreSource>(store_->storage(), store_->ingester(), nullptr, cache_);
  }

  void push(const std::vector<TestEntry>& entries) {
    REQUIRE(store_->push(kTenant, entries));
    for (const TestEntry& entry : entries) {
      std::vector<Label> metadata;
      if (!entry.level.empty()) metadata.push_back({"detected_level", entry.level});
      if (!entry.trace.empty()) metadata.push_back({"trace_id", entry.trace});
      plain_.add(Labels{{"s", entry.stream}, {"service_name", "test"}}, {entry.timestamp}, entry.line,
                 std::move(metadata));
      first_ = std::min(first_, entry.timestamp);
      last_ = std::max(last_, entry.timestamp);
    }
  }
  void flush() { REQUIRE(store_->ingester().flush()); }
  /// All segments become one; blocks that overlap no other of their stream are copied. Gives their rows.
  std::uint64_t merge() {
    auto& tenant = *store_->storage().find(kTenant);
    ingest::RewriteOptions options;
    options.dense_bytes_min = 1;
    const auto outcome = ingest::rewrite_segments(tenant, tenant.segments()->segments, fs_, options);
    REQUIRE(outcome);
    return outcome->rows_copied;
  }
  /// Of the queries from now on: their step, and how far their start is behind the first entry.
  void set_steps(std::int64_t step, std::int64_t shift) {
    step_ = step;
    shift_ = shift;
  }

  /// Runs the query over memory without any fast path, then over the store in every way, each way twice.
  void check(const std::string& query, bool instant = false) {
    CAPTURE(query);
    constexpr logql::Pushdowns none = logql::Pushdowns::none();
    const std::string expected = answer(plain_, query, none, instant);
    check_way("all", {}, query, instant, expected);
    check_way("none", none, query, instant, expected);
    for (const auto& [name, flag] : logql::kPushdowns) {
      logql::Pushdowns way;
      way.*flag = false;
      check_way("all but " + std::string(name), way, query, instant, expected);
    }
  }
  server::BlockCache::Counters cache() const { return cache_->counters(); }
  /// Blocks that the query opens in the store; at the last instant, or over all the time.
  std::uint64_t blocks_opened(const std::string& query, bool instant = false) {
    logql::QueryContext context(clock_, Duration::max(), {}, budget_, {.series_max = 0});
    logql::QueryParams params = params_of(query);
    params.instant = instant;
    if (instant) params.start = params.end;
    REQUIRE(logql::run_query(params, *source_, context));
    return context.stats().blocks_opened;
  }

  /// Whether the query ends well within so many bytes; none of them may be kept behind it.
  bool fits_memory(const std::string& query, std::uint64_t bytes) {
    MemoryBudget budget("query", bytes);
    bool fits = false;
    {
      logql::QueryContext context(clock_, Duration::max(), {}, budget, {.series_max = 0});
      const auto result = logql::run_query(params_of(query), *source_, context);
      fits = result.has_value();
      if (!fits) CHECK(result.error().code() == ErrorCode::kLimitExceeded);
    }
    CHECK(budget.used_bytes() == 0);
    return fits;
  }

 private:
  logql::QueryParams params_of(const std::string& query) const {
    logql::QueryParams params;
    params.query = query;
    params.tenant = kTenant;
    params.start = {first_ + shift_};
    params.end = {last_ + 1};
    params.step = Duration(step_ != 0 ? step_ : (last_ - first_) / 7 + 1'000'000'000);
    params.limit = 1000;
    params.direction = query.size() % 2 == 0 ? logql::Direction::kForward : logql::Direction::kBackward;
    return params;
  }
  std::string answer(logql::LogSource& source, const std::string& query, const logql::Pushdowns& pushdowns,
                     bool instant) {
    logql::QueryParams params = params_of(query);
    params.instant = instant;
    if (instant) params.start = params.end;
    params.pushdowns = pushdowns;
    logql::QueryContext context(clock_, Duration::max(), {}, budget_, {.series_max = 0});
    std::string text = logql::testing_text(logql::run_query(params, source, context));
    // Which of the failing series is named depends on who finds it first.
    if (text.starts_with("error: pipeline error")) text.resize(text.find("for series"));
    return text;
  }

  void check_way(const std::string& pushdowns, const logql::Pushdowns& way, const std::string& query, bool instant,
                 const std::string& expected) {
    CAPTURE(pushdowns);
    CHECK(answer(*source_, query, way, instant) == expected);
    CHECK(answer(*source_, query, way, instant) == expected);
  }

  MemFilesystem fs_;
  ManualClock clock_{{1'000'000'000}};
  MemoryBudget budget_{"test", 0};
  std::unique_ptr<ingest::Store> store_;
  std::shared_ptr<server::BlockCache> cache_;
  std::unique_ptr<server::StoreSource> source_;
  logql::MemorySource plain_{{.fast_paths = false, .exact = false}};
  std::int64_t first_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t step_ = 0, shift_ = 0;
};

constexpr const char* kQueries[] = {
    "{s=~\".+\"}",
    "{s=~\".+\"} |= \"error\" != \"cache\"",
    "{s=\"a\"} |= \"miss\" |= \"id=1\"",
    "{s=~\".+\"} |~ \"took 8[0-9]ms|status.:500\"",
    "{s=~\".+\"} != \"a\"",
    "{s=~\".+\"} |= \"\\\"status\\\":500,\\\"dur\"",
    "{s=\"b\"} | json | level=\"error\"",
    "sum by (s) (count_over_time({s=~\".+\"}[1m]))",
    "sum(bytes_over_time({s=~\".+\"}[90s]))",
    "sum by (s) (rate({s=~\".+\"} |= \"error\" [1m]))",
    "sum by (level) (count_over_time({s=~\".+\"} | json | __error__=\"\" [2m]))",
    "sum by (level) (count_over_time({s=~\".+\"} | json | status >= 500 | __error__=\"\" [1m]))",
    "sum by (level) (count_over_time({s=~\".+\"} | json | status >= 500 [1m]))",
    "sum by (ok, a_b) (count_over_time({s=~\".+\"} | json | a_b != \"x\" | __error__=\"\" [1m]))",
    "quantile_over_time(0.9, {s=~\".+\"} | json | unwrap duration_ms | __error__=\"\" [70s]) by (s)",
    "quantile_over_time(0.2, {s=~\".+\"} | json | unwrap duration_ms | __error__=\"\" [70s]) by (level)",
    "max_over_time({s=~\".+\"} | json | unwrap duration_ms | __error__=\"\" [70s]) by (s)",
    "sum by (level) (count_over_time({s=~\".+\"} | logfmt | duration > 500ms | __error__=\"\" [1m]))",
    "sum by (level) (count_over_time({s=~\".+\"} | logfmt | duration > 500ms or n = 3 | __error__=\"\" [1m]))",
    "sum_over_time({s=~\".+\"} | logfmt | unwrap duration(duration) | __error__=\"\" [1m]) by (level)",
    "sum by (path) (count_over_time({s=~\".+\"} | pattern `<_> - - [<_>] \"<method> <path> <_>\" <status> <_>` [1m]))",
    "sum by (b) (count_over_time({s=~\".+\"} | pattern `<a> <b> <_>ms<c>` | c != \"\" [1m]))",
    "sum by (trace_id) (count_over_time({s=~\".+\"} |= \"warn\" [3m]))",
    "sum by (detected_level) (count_over_time({s=~\".+\"}[1m]))",
    "sum by (s, level, detected_level) (count_over_time({s=~\".+\"} | drop __error__ [1m]))",
    "sum by (detected_level) (rate({s=~\".+\"} | json | drop __error__ [1m]))",
    "sum(bytes_over_time({s=~\".+\"} | detected_level=~\"error|warn\" [1h]))",
    "count_over_time({s=~\".+\"} | detected_level!=\"info\" | drop trace_id [1h])",
    "{s=~\".+\"} | detected_level=\"error\"",
    "sum by (k) (count_over_time({s=~\".+\"} | pattern `{\"<k>\":<v>,<_>` | v > 3 [1m]))",
    "first_over_time({s=~\".+\"} | json | unwrap status | __error__=\"\" [1m]) by (s)",
    "absent_over_time({s=\"a\"} |= \"never\" [1m])",
};

std::vector<TestEntry> entries_of(const std::string& stream, std::mt19937_64& random) {
  std::vector<TestEntry> out;
  const chunks::TestRows rows = chunks::random_rows(random);
  for (const EntryView& row : rows.views) {
    if (row.timestamp.value < 0) continue;
    std::string trace;
    // Streams with all levels, with those that the index counts, and with none.
    const std::size_t levels = stream == "a" ? 4 : stream == "b" ? 3 : 1;
    const char* const level = std::array{"", "error", "info", "odd"}[random() % levels];
    for (const LabelView& label : row.metadata) {
      if (label.name == "trace_id" && random() % 2 == 0) trace = label.value;
    }
    out.push_back({stream, row.timestamp.value, std::string(row.line), std::move(trace), level});
  }
  return out;
}

void check_seed(std::uint64_t seed) {
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Twin twin;
  for (int part = 0; part < 4; ++part) {
    for (const char* stream : {"a", "b", "c"}) {
      auto entries = entries_of(stream, random);
      if (entries.empty()) continue;
      twin.push(entries);
      // Some of it arrives again, in a later segment or in the head.
      if (part < 3 && random() % 2 == 0) twin.flush();
      entries.resize(1 + entries.size() / 8);
      twin.push(entries);
    }
    if (part < 3) twin.flush();
    if (seed % 2 == 1 && part == 2) twin.merge();
  }
  for (const char* query : kQueries) twin.check(query);
  CHECK(twin.cache().hits > 0);
}

}  // namespace

TEST_CASE("the store answers as plain lines do, whatever is pushed down") {
  const char* const soak = std::getenv("KVASIR_SOAK");
  const std::uint64_t seeds = soak == nullptr ? 6 : std::strtoull(soak, nullptr, 10);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) check_seed(seed);
}

TEST_CASE("blocks that a merge copied answer as plain lines do") {
  std::mt19937_64 random(11);
  Twin twin;
  for (int segment = 0; segment < 3; ++segment) {
    std::vector<TestEntry> entries;
    for (int i = 0; i < 4000; ++i) {
      const std::int64_t time = 1'768'032'000'000'000'000 + (segment * 4000 + i) * 20'000'000LL;
      std::string line = R"({"level":")" + std::string(random() % 9 == 0 ? "error" : "info") + R"(","status":)" +
                         std::to_string(random() % 7 == 0 ? 500 : 200) + R"(,"duration_ms":)" +
                         std::to_string(random() % 900) + R"(,"msg":"took )" + std::to_string(random() % 100) + "ms\"}";
      const std::string name = i % 2 == 0 ? "a" : "own" + std::to_string(segment);
      entries.push_back({name, time, std::move(line), i % 5 == 0 ? std::to_string(random()) : "", "info"});
    }
    twin.push(entries);
    twin.flush();
  }
  CHECK(twin.merge() == 12'000);
  CHECK(twin.merge() == 12'000);  // a copy can be copied
  for (const char* query : kQueries) twin.check(query);
}

namespace {

constexpr std::int64_t kOddStart = 1'768'032'000'000'000'000;

/// Words that make a few hundred lines large enough for a stored block of their own.
std::string many_words() {
  std::string words;
  while (words.size() < 800) words += " and more";
  return words;
}

/// Damaged and unusual lines, all in one stream or spread over many.
std::vector<TestEntry> odd_entries(int count, int streams) {
  std::vector<TestEntry> odd;
  const std::vector<std::string> texts = odd_lines();
  for (int i = 0; i < count; ++i) {
    const std::string& line = texts[static_cast<std::size_t>(i) % texts.size()];
    const std::string stream = streams == 1 ? "a" : "a" + std::to_string(i / 7 % streams);
    odd.push_back({stream, kOddStart + i * 10'000'000LL, line, i % 5 == 0 ? "0123456789abcdef0123456789abcdef" : ""});
  }
  return odd;
}

void check_odd(Twin& twin) {
  for (const char* query : kQueries) twin.check(query);
  twin.check("{trace_id=\"0123456789abcdef0123456789abcdef\"}");
  twin.check("{s=\"b\"} |= \"x error y\"");
}

const std::vector<TestEntry> kLongLines{
    {"b", kOddStart, std::string(10 << 20, 'x') + " error " + std::string(1 << 20, 'y'), ""},
    {"b", kOddStart + 1, "short error", ""}};

}  // namespace

TEST_CASE("a repeated count over steps opens no block, although segments overlap") {
  for (const bool repeats : {false, true}) {
    CAPTURE(repeats);
    Twin twin;
    for (int segment = 0; segment < 3; ++segment) {
      std::vector<TestEntry> entries;
      for (int i = 0; i < 3000; ++i) {
        const std::int64_t time = kOddStart + (segment * 2900 + i) * 20'000'000LL;
        const int told = repeats ? 2900 * segment + i : segment * 10'000 + i;
        entries.push_back({i % 2 == 0 ? "a" : "b", time, "error " + std::to_string(told) + many_words(), ""});
      }
      twin.push(entries);
      twin.flush();
    }
    const std::string count = "sum by (s) (count_over_time({s=~\".+\"}[1m]))";
    constexpr std::int64_t kMinute = 60'000'000'000, kSpan = (2 * 2900 + 2999) * 20'000'000LL + 1;
    twin.set_steps(kMinute, kSpan % kMinute);  // the last step ends behind the last entry
    CHECK(twin.blocks_opened(count) > 0);
    twin.check(count);
    if (!repeats) CHECK(twin.blocks_opened(count) == 0);
    for (const char* query : kQueries) twin.check(query);
    twin.push({{"a", kOddStart + 7, "error in the head", ""}});
    twin.check(count);
    twin.flush();
    twin.check(count);
    twin.merge();
    twin.check(count);
  }
}

TEST_CASE("odd and long lines are ordinary: sealed") {
  Twin twin;
  twin.push(odd_entries(2000, 1));
  twin.push(kLongLines);
  twin.flush();
  twin.push({{"a", kOddStart + 5, "newest error, not sealed", ""}});
  check_odd(twin);
}

TEST_CASE("odd and long lines are ordinary: not sealed yet") {
  Twin twin;
  twin.push(odd_entries(600, 1));
  twin.push(kLongLines);
  check_odd(twin);
}

TEST_CASE("odd lines are ordinary: many small streams in segments that overlap, and in the head") {
  Twin twin;
  const auto odd = odd_entries(2000, 60);
  for (const std::size_t from : {0, 1000, 500}) {
    const auto begin = odd.begin() + static_cast<std::ptrdiff_t>(from);
    twin.push({begin, begin + 900});
    twin.flush();
  }
  twin.push({odd.begin() + 1800, odd.end()});
  check_odd(twin);
}

TEST_CASE("100,000 lines of one instant are ordinary: sealed, and not sealed yet") {
  for (const bool sealed : {true, false}) {
    CAPTURE(sealed);
    Twin twin;
    std::vector<TestEntry> same;
    for (int i = 0; i < 100'000; ++i) same.push_back({"a", kOddStart, "error " + std::to_string(i), ""});
    for (int i = 0; i < 1000; ++i) same.push_back({"a", kOddStart, "error " + std::to_string(i), ""});
    twin.push(same);
    if (sealed) {
      twin.flush();
      twin.push({same.begin(), same.begin() + 500});
      twin.push({{"a", kOddStart, "error in the head", ""}});
    }
    twin.check("sum by (s) (count_over_time({s=~\".+\"}[1m]))");
    twin.check("sum(count_over_time({s=\"a\"} |= \"error 99\" [1m]))");
    twin.check("{s=\"a\"} |= \"7777\"");
    twin.check("{s=\"a\"}");
  }
}

TEST_CASE("ends of steps that rest with a block are those of the query's own steps") {
  Twin twin;
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::mt19937_64 random(5);
  for (int segment = 0; segment < 3; ++segment) {
    std::vector<TestEntry> entries;
    std::int64_t time = kOddStart + segment * 900 * kSecond;  // segments overlap
    for (int i = 0; i < 3000; ++i) {
      time += static_cast<std::int64_t>(random() % (i % 100 == 0 ? 90 * kSecond : kSecond / 2));
      entries.push_back({i % 2 == 0 ? "a" : "b", time, i % 3 == 0 ? "error" : "line" + many_words(), ""});
    }
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.timestamp < b.timestamp; });
    twin.push(entries);
    twin.flush();
  }
  for (const std::int64_t step : {60 * kSecond, 300 * kSecond, 20 * kSecond, kSecond}) {
    for (const std::int64_t shift : {std::int64_t{0}, kSecond / 3, 400 * kSecond, -77 * kSecond}) {
      twin.set_steps(step, shift);
      const std::string range = "[" + std::to_string(step / kSecond) + "s]";
      twin.check("sum by (s) (count_over_time({s=~\".+\"}" + range + "))");
      twin.check("sum(rate({s=~\".+\"} |= \"error\" [5m]))");
    }
  }
}

TEST_CASE("small streams that share a stored block have it opened once, and it counts whole") {
  Twin twin;
  std::uint64_t line_bytes = 0;
  for (int segment = 0; segment < 3; ++segment) {
    std::vector<TestEntry> entries;
    for (int i = 0; i < 12'000; ++i) {
      entries.push_back({"s" + std::to_string(i % 400), kOddStart + (segment * 12'000 + i) * 1'000'000LL,
                         "request " + std::to_string(i * 7919 % 1000) + " took 8" + std::to_string(i % 90) + "ms", ""});
      line_bytes += entries.back().line.size();
    }
    twin.push(entries);
    twin.flush();
  }
  const char* const queries[] = {"sum by (s) (count_over_time({s=~\".+\"}[5s]))",
                                 "sum(rate({s=~\".+\"} |= \"took 81\" [5s]))",
                                 "sum(count_over_time({s=~\".+\"} |~ \"t[a-z]ok\" [5s]))"};
  for (const char* query : queries) CHECK(twin.blocks_opened(query) == 3 * 400);
  const auto counters = twin.cache();
  CHECK(counters.misses <= 30);  // stored blocks, not slices
  CHECK(counters.blocks == counters.misses);
  CHECK(counters.hits + counters.misses == 3 * 3 * 400);
  // Times alone are 8 bytes a row; the rest are columns, and no views of lines any more.
  CHECK(counters.bytes > 3 * 12'000 * sizeof(std::int64_t));
  CHECK(counters.bytes < line_bytes + 3 * 12'000 * 64);
  for (const char* query : queries) twin.check(query);
}

TEST_CASE("open blocks count in the query's memory") {
  Twin twin;
  constexpr std::int64_t kStart = 1'768'032'000'000'000'000;
  std::vector<TestEntry> entries;
  for (int i = 0; i < 5000; ++i)
    entries.push_back({"a", kStart + i, "line " + std::to_string(i) + std::string(100, 'x'), ""});
  twin.push(entries);
  // Not sealed yet, the lines are the head's; what is made of the rows is the query's.
  CHECK(twin.fits_memory("sum(count_over_time({s=\"a\"} |= \"line 7\" [1m]))", 2 << 20));
  CHECK_FALSE(twin.fits_memory("sum(count_over_time({s=\"a\"} |= \"line 7\" [1m]))", 100 << 10));
  twin.flush();
  CHECK(twin.fits_memory("sum(count_over_time({s=\"a\"} |= \"line 7\" [1m]))", 2 << 20));
  CHECK_FALSE(twin.fits_memory("sum(count_over_time({s=\"a\"} |= \"line 7\" [1m]))", 100 << 10));
}

TEST_CASE("levels are counted without opening a block") {
  Twin twin;
  constexpr std::int64_t kStart = 1'768'032'000'000'000'000;
  for (int segment = 0; segment < 3; ++segment) {
    for (const char* stream : {"a", "b"}) {
      std::vector<TestEntry> entries;
      for (int i = 0; i < 200; ++i) {
        // Of stream b some rows have other metadata too.
        const std::string trace = stream[0] == 'b' && i % 7 == 0 ? "7" : "";
        const char* const level = std::array{"error", "info", "info", ""}[static_cast<std::size_t>(i) % 4];
        const std::int64_t time = kStart + (segment * 200 + i) * 1'000'000'000LL + stream[0];
        entries.push_back({stream, time, "line " + std::to_string(i), trace, level});
      }
      twin.push(entries);
    }
    twin.flush();
  }
  const struct {
    const char* query;
    std::uint64_t opened;
  } cases[] = {
      {"sum by (s) (count_over_time({s=~\".+\"}[1h]))", 0},
      {"sum by (detected_level) (count_over_time({s=~\".+\"}[1h]))", 0},
      {"sum by (s, detected_level) (rate({s=~\".+\"} | drop __error__ [1h]))", 0},
      {"sum by (level, detected_level) (count_over_time({s=\"a\"} | drop __error__ [1h]))", 0},
      {"sum by (level, detected_level) (count_over_time({s=\"b\"} | drop __error__ [1h]))", 3},
      {"sum(count_over_time({s=\"a\"} | detected_level=\"error\" [1h]))", 0},
      {"count_over_time({s=\"a\"}[1h])", 0},
      {"count_over_time({s=\"b\"}[1h])", 3},
      {"sum by (s) (bytes_over_time({s=~\".+\"}[1h]))", 0},
      {"sum by (detected_level) (bytes_over_time({s=\"a\"}[1h]))", 3},
      {"sum by (detected_level) (count_over_time({s=~\".+\"}[250s]))", 2},
  };
  for (const auto& c : cases) {
    CAPTURE(c.query);
    CHECK(twin.blocks_opened(c.query, true) == c.opened);
    twin.check(c.query);
    twin.check(c.query, true);
  }
}

namespace {

constexpr std::int64_t kIdsStart = 1'768'032'000'000'000'000;

/// Two streams in four segments; the id is in a line of one block and in the metadata of another one.
void fill_with_ids(Twin& twin, const std::string& id) {
  std::mt19937_64 random(11);
  for (int segment = 0; segment < 4; ++segment) {
    for (const char* stream : {"a", "b"}) {
      std::vector<TestEntry> entries;
      for (int i = 0; i < 200; ++i) {
        // No longer than the id: in a longer run of digits a shorter one may stand anywhere.
        const std::string other = std::to_string(1'000'000'000'000'000 + random() % 8'000'000'000'000'000);
        const std::int64_t time = kIdsStart + (segment * 200 + i) * 1'000'000'000LL + stream[0];
        entries.push_back({stream, time, "handled request=" + other + many_words(), other});
      }
      if (stream[0] == 'a' && segment == 1) entries[9].line = "handled request=" + id;
      if (stream[0] == 'b' && segment == 2) entries[9].trace = id;
      twin.push(entries);
    }
    twin.flush();
  }
}

}  // namespace

TEST_CASE("an id of any form opens only the blocks that hold it") {
  for (const std::string id :
       {"4bf92f3577b34da6", "0123456789abcdef0123456789abcdef", "123e4567-e89b-12d3-a456-426614174000",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV", "1234567890123456789", "1234567890123456"}) {
    CAPTURE(id);
    Twin twin;
    fill_with_ids(twin, id);
    CHECK(twin.blocks_opened("{trace_id=\"" + id + "\"}") == 2);
    // What stands in metadata alone is no hit of a line filter, but the filters of a block do not tell them apart.
    CHECK(twin.blocks_opened("{s=~\".+\"} |= \"" + id + "\"") <= 2);
    CHECK(twin.blocks_opened("{s=~\".+\"} |= \"request=" + id + "\"") <= 2);
    twin.check("{trace_id=\"" + id + "\"}");
    twin.check("{s=~\".+\"} |= \"" + id + "\"");
    // What is not sealed yet is found at once.
    const std::int64_t newest = kIdsStart + 5'000'000'000'000;
    twin.push({{"a", newest, "newest " + id, ""}, {"b", newest + 1, "newest", id}});
    CHECK(twin.blocks_opened("{trace_id=\"" + id + "\"}") == 4);
    twin.check("{trace_id=\"" + id + "\"}");
    twin.check("{s=\"a\"} |= \"" + id + "\"");
  }
}

TEST_CASE("an id opens only the blocks that hold it") {
  Twin twin;
  const std::string ids[] = {"0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"};
  constexpr std::int64_t kStart = 1'768'032'000'000'000'000;
  std::mt19937_64 random(7);
  const auto other_id = [&] {
    std::string text;
    for (int i = 0; i < 32; ++i) text += "0123456789abcdef"[random() % 16];
    return text;
  };
  for (int segment = 0; segment < 8; ++segment) {
    for (const char* stream : {"a", "b", "c"}) {
      std::vector<TestEntry> entries;
      for (int i = 0; i < 300; ++i) {
        const std::int64_t time = kStart + (segment * 300 + i) * 1'000'000'000LL + stream[0];
        const std::string line = "{\"msg\":\"request" + many_words() + "\",\"trace_id\":\"" + other_id() + "\"}";
        entries.push_back({stream, time, line, ""});
      }
      // In a line of one block, and in the metadata of another one.
      if (segment == 3 && stream[0] == 'b') entries[10].line = "{\"msg\":\"found\",\"trace_id\":\"" + ids[0] + "\"}";
      if (segment == 5 && stream[0] == 'c') entries[20].trace = ids[0];
      twin.push(entries);
    }
    twin.flush();
  }
  CHECK(twin.blocks_opened("sum(count_over_time({s=~\".+\"} |= \"msg\" [2h]))") >= 24);
  CHECK(twin.blocks_opened("{trace_id=\"" + ids[0] + "\"}") == 2);
  CHECK(twin.blocks_opened("{s=~\".+\"} |= \"" + ids[0] + "\"") <= 2);
  CHECK(twin.blocks_opened("{trace_id=\"" + ids[1] + "\"}") == 0);
  twin.check("{trace_id=\"" + ids[0] + "\"}");
  // What is not sealed yet is found at once.
  twin.push({{"a", kStart + 5'000'000'000'000, "newest " + ids[1], ids[1]}});
  twin.check("{trace_id=\"" + ids[1] + "\"}");
  twin.check("{s=\"a\"} |= \"" + ids[1] + "\"");
}

}  // namespace kvasir
