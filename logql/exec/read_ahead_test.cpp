// How many blocks a query holds open at once: what its memory and its reading ahead depend on.
#include <doctest/doctest.h>

#include <atomic>

#include "common/clock.h"
#include "logql/engine.h"
#include "logql/exec/memory_source.h"

namespace kvasir::logql {
namespace {

struct OpenCount {
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  std::atomic<int> total{0};

  void add() {
    ++total;
    const int open = ++now;
    for (int seen = most; open > seen && !most.compare_exchange_weak(seen, open);) {
    }
  }
};

class CountedBlock final : public LogBlock {
 public:
  CountedBlock(std::unique_ptr<LogBlock> inner, OpenCount& count) : inner_(std::move(inner)), count_(count) {
    count_.add();
  }
  ~CountedBlock() override { --count_.now; }

  const std::shared_ptr<const StreamIdentity>& stream() const override { return inner_->stream(); }
  std::size_t rows() const override { return inner_->rows(); }
  std::span<const std::int64_t> timestamps() const override { return inner_->timestamps(); }
  std::uint64_t sequence(std::size_t row) const override { return inner_->sequence(row); }
  Result<void> lines(const RowSet& rows, std::span<std::string_view> out) override { return inner_->lines(rows, out); }
  std::span<const std::uint32_t> line_lengths() override { return inner_->line_lengths(); }
  bool has_metadata() const override { return inner_->has_metadata(); }
  std::span<const LabelView> metadata(std::size_t row) override { return inner_->metadata(row); }

 private:
  std::unique_ptr<LogBlock> inner_;
  OpenCount& count_;
};

class CountedHandle final : public BlockHandle {
 public:
  CountedHandle(std::unique_ptr<BlockHandle> inner, OpenCount& count) : inner_(std::move(inner)), count_(count) {}
  const std::shared_ptr<const StreamIdentity>& stream() const override { return inner_->stream(); }
  TimestampNs first() const override { return inner_->first(); }
  TimestampNs last() const override { return inner_->last(); }
  std::uint64_t rows() const override { return inner_->rows(); }
  std::uint64_t line_bytes() const override { return inner_->line_bytes(); }
  bool exact() const override { return inner_->exact(); }
  Result<std::unique_ptr<LogBlock>> open() const override {
    KVASIR_TRY(auto block, inner_->open());
    return std::make_unique<CountedBlock>(std::move(block), count_);
  }

 private:
  std::unique_ptr<BlockHandle> inner_;
  OpenCount& count_;
};

/// 500 blocks of ten rows in five streams.
class CountedSource final : public LogSource {
 public:
  explicit CountedSource(bool exact) : rows_({.rows_per_block = 10, .exact = exact}) {
    for (int i = 0; i < 5000; ++i) {
      rows_.add(Labels{{"s", std::to_string(i % 5)}}, {i * 1'000'000LL}, "line " + std::to_string(i));
    }
  }
  Result<std::vector<std::unique_ptr<BlockHandle>>> select(const SelectRequest& request,
                                                           QueryContext& context) override {
    KVASIR_TRY(auto handles, rows_.select(request, context));
    for (auto& handle : handles) handle = std::make_unique<CountedHandle>(std::move(handle), count_);
    return handles;
  }
  bool has_stream_label(std::string_view tenant, std::string_view name) override {
    return rows_.has_stream_label(tenant, name);
  }
  const OpenCount& count() const { return count_; }

 private:
  MemorySource rows_;
  OpenCount count_;
};

constexpr int kWorkers = 3;

void run(CountedSource& source, const std::string& query, Direction direction, std::uint32_t limit) {
  SystemClock clock;
  MemoryBudget budget("test", 0);
  QueryContext context(clock, Duration::max(), {}, budget, {.series_max = 0, .parallelism = kWorkers});
  QueryParams params{.query = query,
                     .start = {0},
                     .end = {5'000'000'000},
                     .step = std::chrono::seconds(1),
                     .limit = limit,
                     .direction = direction};
  REQUIRE(run_query(params, source, context));
}

TEST_CASE("a worker holds one block open at a time") {
  for (const char* query : {"sum(count_over_time({s=~\".+\"} |= \"7\" [1s]))", "{s=~\".+\"} |= \"7\"",
                            "sum_over_time({s=~\".+\"} | pattern `line <n>` | unwrap n [1s])"}) {
    CAPTURE(query);
    for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
      CountedSource source(true);
      run(source, query, direction, 5000);
      CHECK(source.count().total == 500);
      CHECK(source.count().most <= kWorkers);
      CHECK(source.count().now == 0);
    }
  }
}

TEST_CASE("a worker holds a few blocks open that may repeat each other") {
  CountedSource source(false);
  run(source, "sum(count_over_time({s=~\".+\"} |= \"7\" [1s]))", Direction::kForward, 5000);
  CHECK(source.count().most <= kWorkers * 16);
  CHECK(source.count().now == 0);
}

TEST_CASE("a limit stops the reading in either direction") {
  for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
    CountedSource source(true);
    run(source, "{s=~\".+\"}", direction, 20);
    CHECK(source.count().total <= 5 + 2 * kWorkers);
  }
}

}  // namespace
}  // namespace kvasir::logql
