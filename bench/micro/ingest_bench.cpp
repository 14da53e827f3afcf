// ingest_bench.cpp -- the write path behind the decoder: admission, log record, log, head, and (second case) the flush
// to segments.
//
// Figures:  bytes_per_second counts raw line bytes against the CPU time of the whole process; ns_per_line likewise;
//           allocations per line over all threads. The log is written to a folder in /tmp with wal.sync never: the
//           figure is about CPU.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <cstdio>
#include <future>

#include "bench/data/workload.h"
#include "bench/micro/allocation_count.h"
#include "common/filesystem.h"
#include "ingest/ingester.h"

namespace kvasir::ingest {
namespace {

constexpr std::size_t kBatches = 128;
constexpr std::size_t kBatchBytes = 1 << 20;

/// What the validator would hand over: batches of about 1 MiB in the order of time, every entry with a level.
struct Batches {
  struct One {
    std::vector<std::string> lines;
    std::vector<std::vector<EntryView>> entries;  // by stream
    PushBatch batch;
  };

  Batches() {
    bench::Workload workload({});
    for (const auto& stream : workload.streams()) {
      const auto text = stream.labels.to_string();
      identities.push_back(
          std::make_shared<const StreamIdentity>(StreamIdentity{stream.labels, stream.labels.fingerprint(), text}));
    }
    for (std::size_t i = 0; i < kBatches; ++i) all.push_back(make(workload));
  }

  std::unique_ptr<One> make(bench::Workload& workload) {
    static const std::vector<LabelView> kInfo{{"detected_level", "info"}};
    static const std::vector<LabelView> kError{{"detected_level", "error"}};
    auto one = std::make_unique<One>();
    one->entries.resize(identities.size());
    std::vector<std::pair<std::size_t, TimestampNs>> places;
    for (std::size_t bytes = 0; bytes < kBatchBytes; bytes += one->lines.back().size()) {
      const auto line = workload.next();
      one->lines.emplace_back(line.line);
      places.emplace_back(line.stream, line.timestamp);
    }
    one->batch.tenant = "bench";
    for (std::size_t i = 0; i < places.size(); ++i) {
      const std::string_view line = one->lines[i];
      one->entries[places[i].first].push_back(
          {places[i].second, 0, line, line.find("rror") != line.npos ? kError : kInfo});
      line_bytes += line.size();
      ++lines;
    }
    for (std::size_t s = 0; s < identities.size(); ++s) {
      if (one->entries[s].empty()) continue;
      one->batch.streams.push_back({identities[s], one->entries[s], 0});
    }
    return one;
  }

  std::vector<std::shared_ptr<const StreamIdentity>> identities;
  std::vector<std::unique_ptr<One>> all;
  std::uint64_t line_bytes = 0;
  std::uint64_t lines = 0;
};

void push_all(Ingester& ingester, const Batches& batches) {
  std::vector<std::future<bool>> answers;
  for (const auto& one : batches.all) {
    auto answer = std::make_shared<std::promise<bool>>();
    answers.push_back(answer->get_future());
    ingester.push(PushBatch(one->batch),
                  [answer](Result<Rejections> result) { answer->set_value(result && result->empty()); });
    if (answers.size() >= 8 && !answers[answers.size() - 8].get()) std::abort();
  }
  for (std::size_t i = answers.size() - 7; i < answers.size(); ++i) {
    if (!answers[i].get()) std::abort();
  }
}

void run(benchmark::State& state, bool with_flush) {
  static const Batches batches;
  std::uint64_t allocated = 0;
  std::uint64_t rows = 0;
  std::uint64_t stored = 0;
  for (auto _ : state) {
    state.PauseTiming();
    char folder[] = "/tmp/kvasir_ingest_bench_XXXXXX";
    if (::mkdtemp(folder) == nullptr) std::abort();
    MemoryBudget budget("bench", 0);
    auto storage = Storage::open(folder, posix_filesystem()).value();
    IngesterOptions options;
    options.wal_directory = std::string(folder) + "/wal";
    options.wal_sync = WalSync::kNever;
    options.background = with_flush;
    if (!with_flush) options.head_bytes_max = std::uint64_t{4} << 30;
    auto ingester = Ingester::open(options, *storage, posix_filesystem(), system_clock(), budget).value();
    const std::uint64_t before = bench::allocation_count();
    state.ResumeTiming();
    push_all(*ingester, batches);
    if (with_flush && !ingester->flush()) std::abort();
    state.PauseTiming();
    allocated += bench::allocation_count() - before;
    rows += ingester->counters().entries;
    for (const auto& segment : storage->find_or_create("bench")->segments()->segments)
      stored += segment->info().file_bytes;
    ingester.reset();
    storage.reset();
    const std::string remove = std::string("rm -rf ") + folder;
    if (::system(remove.c_str()) != 0) std::abort();
    state.ResumeTiming();
  }
  if (rows != batches.lines * state.iterations()) std::abort();
  state.SetBytesProcessed(static_cast<std::int64_t>(batches.line_bytes * state.iterations()));
  state.counters["ns_per_line"] =
      benchmark::Counter(static_cast<double>(rows), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["allocations_per_line"] = static_cast<double>(allocated) / static_cast<double>(rows);
  state.counters["stored_per_raw"] =
      static_cast<double>(stored) / static_cast<double>(batches.line_bytes * state.iterations());
}

void push_to_head(benchmark::State& state) { run(state, false); }
void push_to_segments(benchmark::State& state) { run(state, true); }

BENCHMARK(push_to_head)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(push_to_segments)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kvasir::ingest
