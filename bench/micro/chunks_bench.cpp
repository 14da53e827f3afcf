// What the segment format costs and gives, over the seeded workload: encode, size, decode, searches, fields, ids.
//
// Every timed search is compared once with searching the lines. Bytes a second are of raw lines covered.
// KVASIR_BENCH_MB sets the raw size (default 32, so that it stays a quick test).
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "bench/data/workload.h"
#include "bench/micro/allocation_count.h"
#include "chunks/block_pruner.h"
#include "chunks/segment_reader.h"
#include "chunks/segment_writer.h"

namespace kvasir::chunks {
namespace {

struct StreamRows {
  Labels labels;
  std::string text;
  std::vector<EntryView> rows;  // views into text
};

struct Corpus {
  std::vector<StreamRows> streams;
  std::uint64_t raw_bytes = 0;  // lines with their newlines
  std::string segment;
  std::shared_ptr<const SegmentReader> reader;
  std::string trace_id;
};

std::uint64_t raw_bytes_wanted() {
  const char* const megabytes = std::getenv("KVASIR_BENCH_MB");
  return (megabytes == nullptr ? 32 : std::strtoull(megabytes, nullptr, 10)) << 20;
}

struct Place {
  std::int64_t ts;
  std::uint64_t sequence;
  std::size_t offset, bytes;
};

void fill(Corpus& corpus) {
  bench::Workload workload({.lines_expected = raw_bytes_wanted() / 203});
  corpus.streams.resize(workload.streams().size());
  std::vector<std::vector<Place>> places(corpus.streams.size());
  for (std::uint64_t sequence = 0; corpus.raw_bytes < raw_bytes_wanted(); ++sequence) {
    const bench::GeneratedLine line = workload.next();
    StreamRows& stream = corpus.streams[line.stream];
    places[line.stream].push_back({line.timestamp.value, sequence, stream.text.size(), line.line.size()});
    stream.text.append(line.line);
    corpus.raw_bytes += line.line.size() + 1;
  }
  for (std::size_t s = 0; s < corpus.streams.size(); ++s) {
    StreamRows& stream = corpus.streams[s];
    stream.labels = workload.streams()[s].labels;
    for (const Place& p : places[s]) {
      stream.rows.push_back({{p.ts}, p.sequence, std::string_view(stream.text).substr(p.offset, p.bytes), {}});
    }
  }
  corpus.trace_id = workload.sample_trace_id();
}

std::string write(const Corpus& corpus, SegmentWriterOptions options) {
  SegmentWriter writer(options);
  std::string bytes;
  for (const StreamRows& stream : corpus.streams) {
    if (!writer.add(stream.labels, stream.rows)) std::abort();
  }
  if (!writer.finish(bytes)) std::abort();
  return bytes;
}

const Corpus& corpus() {
  static const Corpus made = [] {
    Corpus corpus;
    fill(corpus);
    corpus.segment = write(corpus, {.block_bytes = 4 << 20});
    corpus.reader = *SegmentReader::open_bytes(corpus.segment);
    return corpus;
  }();
  return made;
}

std::vector<std::uint64_t> every_row(std::size_t rows) {
  std::vector<std::uint64_t> words((rows + 63) / 64, ~std::uint64_t{0});
  if (rows % 64 != 0) words.back() >>= 64 - rows % 64;
  return words;
}

void report(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<std::int64_t>(corpus().raw_bytes) *
                          static_cast<std::int64_t>(state.iterations()));
}

void encode(benchmark::State& state) {
  const SegmentWriterOptions options{.block_bytes = static_cast<std::uint32_t>(state.range(0)),
                                     .pressure = state.range(1) != 0};
  std::size_t stored = 0, rows = 0;
  const Corpus& data = corpus();
  for (const StreamRows& stream : data.streams) rows += stream.rows.size();
  const std::uint64_t before = bench::allocation_count();
  for (auto _ : state) stored = write(data, options).size();
  report(state);
  state.counters["stored/raw"] = static_cast<double>(stored) / static_cast<double>(data.raw_bytes);
  state.counters["allocations/line"] =
      static_cast<double>(bench::allocation_count() - before) / static_cast<double>(rows * state.iterations());
}
BENCHMARK(encode)->Args({1 << 20, 0})->Args({4 << 20, 0})->Args({1 << 20, 1})->Unit(benchmark::kMillisecond);

/// Every block into another segment as it is, as merging does with dense ones.
void copy_blocks(benchmark::State& state) {
  const auto& source = *corpus().reader;
  for (auto _ : state) {
    SegmentWriter writer;
    for (std::size_t b = 0; b < source.blocks().size(); ++b) {
      if (const auto copied = writer.copy(source, b); !copied || !*copied) std::abort();  // none is shared
    }
    std::string bytes;
    if (!writer.finish(bytes)) std::abort();
    benchmark::DoNotOptimize(bytes.size());
  }
  report(state);
}
BENCHMARK(copy_blocks)->Unit(benchmark::kMillisecond);

/// The streams of one format alone in a segment: `raw/stored` is what the format comes to.
void encode_format(benchmark::State& state, const std::string& format) {
  std::size_t stored = 0;
  std::uint64_t raw = 0;
  for (auto _ : state) {
    SegmentWriter writer({.block_bytes = 1 << 20});
    raw = 0;
    for (const StreamRows& stream : corpus().streams) {
      if (stream.labels.value_or_empty("format") != format) continue;
      if (!writer.add(stream.labels, stream.rows)) std::abort();
      raw += stream.text.size() + stream.rows.size();
    }
    std::string bytes;
    if (!writer.finish(bytes)) std::abort();
    stored = bytes.size();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(raw) * static_cast<std::int64_t>(state.iterations()));
  state.counters["raw/stored"] = static_cast<double>(raw) / static_cast<double>(stored);
}
BENCHMARK_CAPTURE(encode_format, json, "json")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode_format, logfmt, "logfmt")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode_format, nginx, "nginx")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode_format, plain, "plain")->Unit(benchmark::kMillisecond);

void open_blocks(benchmark::State& state) {
  for (auto _ : state) {
    for (std::size_t b = 0; b < corpus().reader->blocks().size(); ++b)
      benchmark::DoNotOptimize(corpus().reader->open_block(b));
  }
  report(state);
}
BENCHMARK(open_blocks)->Unit(benchmark::kMillisecond);

void read_lines(benchmark::State& state) {
  for (auto _ : state) {
    for (std::size_t b = 0; b < corpus().reader->blocks().size(); ++b) {
      auto block = corpus().reader->open_block(b);
      const std::size_t rows = (*block)->rows();
      const auto words = every_row(rows);
      std::vector<std::string_view> lines(rows);
      if (!(*block)->lines({words, rows}, lines)) std::abort();
      benchmark::DoNotOptimize(lines.data());
    }
  }
  report(state);
}
BENCHMARK(read_lines)->Unit(benchmark::kMillisecond);

std::uint64_t count_rows(std::string_view literal) {
  const SegmentReader& reader = *corpus().reader;
  const BlockPruner pruner(reader, {{TimestampNs::min(), TimestampNs::max()}, {std::string(literal)}, {}});
  std::uint64_t found = 0;
  for (std::size_t b = 0; b < reader.blocks().size(); ++b) {
    if (pruner.cannot_match(b)) continue;
    auto block = reader.open_block(b);
    auto words = every_row((*block)->rows());
    if (!(*block)->narrow_literal(literal, false, {words, (*block)->rows()})) std::abort();
    for (const auto word : words) found += static_cast<std::uint64_t>(__builtin_popcountll(word));
  }
  return found;
}

std::uint64_t count_by_lines(std::string_view literal) {
  std::uint64_t found = 0;
  for (const StreamRows& stream : corpus().streams) {
    for (const EntryView& row : stream.rows) found += row.line.find(literal) != std::string_view::npos;
  }
  return found;
}

void search(benchmark::State& state, const std::string& literal) {
  if (count_rows(literal) != count_by_lines(literal)) {
    state.SkipWithError("differs from searching the lines");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(count_rows(literal));
  report(state);
  state.counters["rows"] = static_cast<double>(count_rows(literal));
}
BENCHMARK_CAPTURE(search, absent_word, "zzqqy")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(search, rare_word, "OOMKilled")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(search, error, "error")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(search, message, "cache miss")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(search, over_a_border, "\"status\": 500")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(search, took_8, "took 8")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(search, absent_id, "0123456789abcdef0123456789abcdef")->Unit(benchmark::kMicrosecond);

void search_trace(benchmark::State& state) { search(state, corpus().trace_id); }
BENCHMARK(search_trace)->Unit(benchmark::kMicrosecond);

void id_blocks(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(corpus().reader->blocks_with_id(corpus().trace_id));
}
BENCHMARK(id_blocks)->Unit(benchmark::kMicrosecond);

void number_field(benchmark::State& state, FieldSyntax syntax, const std::string& name) {
  std::uint64_t present = 0;
  for (auto _ : state) {
    present = 0;
    for (std::size_t b = 0; b < corpus().reader->blocks().size(); ++b) {
      auto block = corpus().reader->open_block(b);
      FieldNumbers numbers;
      if (!(*block)->number_field(syntax, name, numbers)) continue;
      for (const auto word : numbers.present) present += static_cast<std::uint64_t>(__builtin_popcountll(word));
    }
  }
  report(state);
  state.counters["rows"] = static_cast<double>(present);
}
BENCHMARK_CAPTURE(number_field, json_status, FieldSyntax::kJson, "status")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(number_field, json_duration_ms, FieldSyntax::kJson, "duration_ms")->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace kvasir::chunks
