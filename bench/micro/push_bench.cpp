// The push path up to the head: decode, validate, find the level. bytes_per_second counts raw line bytes.
#include <benchmark/benchmark.h>

#include <map>

#include "bench/data/workload.h"
#include "ingest/detected_level.h"
#include "ingest/validate.h"
#include "ingest/wire/push_json.h"
#include "ingest/wire/push_pool.h"
#include "ingest/wire/push_protobuf.h"

namespace kvasir::bench {
namespace {

constexpr std::size_t kBodyBytes = 1 << 20;  // of lines in one push
constexpr std::size_t kBodies = 16;

struct Bodies {
  std::vector<std::string> snappy, json;
  std::vector<std::string> lines;
  std::uint64_t line_bytes = 0;
  TimestampNs last;
};

void encode(const std::vector<WorkloadStream>& streams, const std::map<std::size_t, std::vector<EntryView>>& by_stream,
            Bodies& out) {
  std::vector<std::string> labels;
  labels.reserve(by_stream.size());
  std::vector<ingest::WireStream> wire;
  for (const auto& [index, entries] : by_stream) {
    labels.push_back(streams[index].labels.to_string());
    wire.push_back({labels.back(), entries});
  }
  out.snappy.push_back(ingest::encode_push_snappy(wire));
  out.json.push_back(ingest::encode_push_json(wire).value());
}

const Bodies& bodies() {
  static const Bodies kMade = [] {
    Bodies out;
    Workload workload({});
    for (std::size_t i = 0; i < kBodies; ++i) {
      std::map<std::size_t, std::vector<EntryView>> by_stream;
      std::vector<std::string> lines;
      lines.reserve(kBodyBytes / 16);  // views into it must stay
      for (std::size_t size = 0; size < kBodyBytes;) {
        const GeneratedLine made = workload.next();
        lines.emplace_back(made.line);
        by_stream[made.stream].push_back({made.timestamp, 0, lines.back(), {}});
        size += made.line.size();
        out.line_bytes += made.line.size();
        out.last = made.timestamp;
      }
      encode(workload.streams(), by_stream, out);
      for (auto& line : lines) out.lines.push_back(std::move(line));
    }
    return out;
  }();
  return kMade;
}

void report(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bodies().line_bytes));
  state.counters["lines"] = static_cast<double>(bodies().lines.size());
}

void decode_snappy(benchmark::State& state) {
  ingest::PushPool pool;
  for (auto _ : state) {
    for (const auto& body : bodies().snappy) {
      const auto push = pool.get();
      if (!ingest::decode_push_snappy(body, 1 << 24, *push)) state.SkipWithError("decode");
      benchmark::DoNotOptimize(push->entries.size());
    }
  }
  report(state);
}

void decode_json(benchmark::State& state) {
  for (auto _ : state) {
    for (const auto& body : bodies().json) {
      ingest::DecodedPush push;
      push.body = body;
      if (!ingest::decode_push_json(ingest::JsonForm::kV1, push)) state.SkipWithError("decode");
      benchmark::DoNotOptimize(push.entries.size());
    }
  }
  report(state);
}

void decode_and_validate(benchmark::State& state) {
  const ManualClock clock(bodies().last);
  ingest::PushValidator validator(clock);
  auto limits = std::make_shared<ingest::TenantLimits>();
  limits->ingestion_rate_mb = limits->ingestion_burst_size_mb = 1e12;
  limits->per_stream_rate_limit = limits->per_stream_rate_limit_burst = std::uint64_t{1} << 60;
  limits->discover_log_levels = state.range(0) != 0;
  ingest::PushPool pool;
  std::uint64_t taken = 0;
  for (auto _ : state) {
    taken = 0;
    for (const auto& body : bodies().snappy) {
      auto push = pool.get();
      if (!ingest::decode_push_snappy(body, 1 << 24, *push)) state.SkipWithError("decode");
      const auto result = validator.validate("bench", std::move(push), limits);
      taken += std::get<ingest::Validated>(result).batch.entry_count;
    }
  }
  if (taken != bodies().lines.size()) state.SkipWithError("entries were refused");
  report(state);
}

void detect_levels(benchmark::State& state) {
  const ingest::LevelDetector levels(ingest::TenantLimits::default_level_fields(), 2);
  std::uint64_t hash = 0;
  for (auto _ : state) {
    hash = 0;
    for (const auto& line : bodies().lines) hash = hash * 31 + static_cast<std::uint64_t>(levels.from_line(line));
  }
  state.SetLabel("hash " + std::to_string(hash));
  report(state);
}

BENCHMARK(decode_snappy)->Unit(benchmark::kMillisecond);
BENCHMARK(decode_json)->Unit(benchmark::kMillisecond);
BENCHMARK(decode_and_validate)->ArgName("levels")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);
BENCHMARK(detect_levels)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kvasir::bench
