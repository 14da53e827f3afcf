// kvasir-bench-data: writes the workload as raw lines and as ready push bodies (protobuf, snappy).
//
//   kvasir-bench-data --out DIR [--bytes N] [--seed N] [--pods N] [--start NS] [--stream]
//
// DIR/raw.log holds every line; DIR/bodies/NNNNN.pb.snappy one push of about 1 MiB raw each; DIR/facts.json what was
// made. With --stream there are no raw.log and no bodies: each body goes to standard output behind its length (u32,
// little-endian), and facts.json is written when all are out; for more data than a disk has room for.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <protozero/pbf_writer.hpp>
#include <snappy.h>

#include "bench/data/workload.h"

namespace kvasir::bench {
namespace {

constexpr std::uint64_t kBodyBytes = 1 << 20;

struct Arguments {
  std::string out;
  std::uint64_t bytes = 1 << 30;
  std::uint64_t seed = 1;
  std::uint64_t pods = 4;
  std::int64_t start_ns = WorkloadOptions{}.start.value;
  bool stream = false;
};

// One push request in the making: the entries of each stream, already encoded.
class Body {
 public:
  void add(const GeneratedLine& generated) {
    std::string& stream = streams_[generated.stream];
    std::string entry;
    protozero::pbf_writer writer(entry);
    {
      protozero::pbf_writer time(writer, 1);
      time.add_int64(1, generated.timestamp.value / 1'000'000'000);
      time.add_int32(2, static_cast<std::int32_t>(generated.timestamp.value % 1'000'000'000));
    }
    writer.add_string(2, generated.line.data(), generated.line.size());
    protozero::pbf_writer(stream).add_message(2, entry);
    raw_bytes_ += generated.line.size() + 1;
  }
  bool full() const { return raw_bytes_ >= kBodyBytes; }
  bool empty() const { return streams_.empty(); }

  /// Packed; empties the body.
  std::string take(const std::vector<WorkloadStream>& all) {
    std::string request;
    for (const auto& [index, entries] : streams_) {
      std::string stream;
      protozero::pbf_writer(stream).add_string(1, all[index].labels.to_string());
      stream += entries;
      protozero::pbf_writer(request).add_message(1, stream);
    }
    std::string compressed;
    snappy::Compress(request.data(), request.size(), &compressed);
    streams_.clear();
    raw_bytes_ = 0;
    return compressed;
  }

 private:
  std::map<std::size_t, std::string> streams_;
  std::uint64_t raw_bytes_ = 0;
};

int generate(const Arguments& arguments) {
  Workload workload(
      {.seed = arguments.seed,
       .lines_expected = arguments.bytes / 188,  // a little over what is made, so that all lie within the span
       .start = {arguments.start_ns},
       .pods_per_service = arguments.pods});
  std::filesystem::create_directories(arguments.out + (arguments.stream ? "" : "/bodies"));
  std::ofstream raw;
  if (!arguments.stream) raw.open(arguments.out + "/raw.log", std::ios::binary);
  Body body;
  std::uint64_t bytes = 0, lines = 0, bodies = 0;
  TimestampNs last;
  const auto flush = [&] {
    const std::string packed = body.take(workload.streams());
    if (arguments.stream) {
      const auto size = static_cast<std::uint32_t>(packed.size());
      std::cout.write(reinterpret_cast<const char*>(&size), sizeof size) << packed;
    } else {
      std::ofstream(fmt::format("{}/bodies/{:05}.pb.snappy", arguments.out, bodies), std::ios::binary) << packed;
    }
    ++bodies;
  };
  while (bytes < arguments.bytes) {
    const auto generated = workload.next();
    if (!arguments.stream) raw << generated.line << '\n';
    bytes += generated.line.size() + 1;
    ++lines;
    last = generated.timestamp;
    body.add(generated);
    if (body.full()) flush();
  }
  if (!body.empty()) flush();
  std::ofstream(arguments.out + "/facts.json") << fmt::format(
      R"({{"raw_bytes":{},"lines":{},"bodies":{},"streams":{},"start_ns":{},"end_ns":{},"trace_id":"{}","seed":{}}})",
      bytes, lines, bodies, workload.streams().size(), arguments.start_ns, last.value + 1, workload.sample_trace_id(),
      arguments.seed);
  return raw.good() && std::cout.flush().good() ? 0 : 1;
}

}  // namespace
}  // namespace kvasir::bench

int main(int argc, char** argv) {
  kvasir::bench::Arguments arguments;
  CLI::App app{"writes the benchmark workload"};
  app.add_option("--out", arguments.out, "folder to write to")->required();
  app.add_option("--bytes", arguments.bytes, "raw bytes to make");
  app.add_option("--seed", arguments.seed, "seed of the generator");
  app.add_option("--pods", arguments.pods, "streams for each of the 40 services");
  app.add_option("--start", arguments.start_ns, "time of the first line, ns since the epoch");
  app.add_flag("--stream", arguments.stream, "write the bodies to standard output, and no files but facts.json");
  CLI11_PARSE(app, argc, argv);
  return kvasir::bench::generate(arguments);
}
