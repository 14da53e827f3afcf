// workload.h -- the one seeded workload that every benchmark of this tree uses.
//
// Shape:    160 streams of 40 services; by bytes about half JSON services, a fifth logfmt, the rest nginx and plain
//           text; trace ids shared by about six lines across services; about 200 bytes a line. One line at a time,
//           ascending in time.
// Units:    timestamps in nanoseconds; the lines of one Workload spread evenly over `span`.
// Lifetime: the view in GeneratedLine lives until the next call of next().
// Threads:  one per thread.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/labels.h"
#include "common/time.h"

namespace kvasir::bench {

enum class LineKind { kJsonPython, kJsonGo, kLogfmt, kNginx, kPlain };

struct WorkloadStream {
  Labels labels;
  LineKind kind;
};

struct GeneratedLine {
  std::size_t stream = 0;  // index into streams()
  TimestampNs timestamp;
  std::string_view line;
};

struct WorkloadOptions {
  std::uint64_t seed = 1;
  std::uint64_t lines_expected = 5'300'000;  // sets the distance between lines
  TimestampNs start{1'767'225'600'000'000'000};
  Duration span = std::chrono::hours(2);
  std::size_t pods_per_service = 4;          // 160 streams; raise it for many-stream tables
};

class Workload {
 public:
  explicit Workload(WorkloadOptions options);

  const std::vector<WorkloadStream>& streams() const { return streams_; }
  GeneratedLine next();
  /// The trace id of some line generated so far; a needle that is there.
  const std::string& sample_trace_id() const { return sample_trace_id_; }

 private:
  struct Trace {
    std::string id;
    int lines_left = 0;
  };

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  const std::string& trace_id();
  void append_hex(std::size_t digits);
  void append_message();
  std::string_view level();
  void append_json_python(const WorkloadStream& stream);
  void append_json_go(const WorkloadStream& stream);
  void append_logfmt(const WorkloadStream& stream);
  void append_nginx();
  void append_plain();
  void append_line(const WorkloadStream& stream);

  WorkloadOptions options_;
  std::mt19937_64 random_;
  std::vector<WorkloadStream> streams_;
  std::vector<std::vector<std::size_t>> streams_by_kind_;
  std::vector<Trace> traces_;
  std::string sample_trace_id_;
  std::string line_;
  TimestampNs now_;
};

}  // namespace kvasir::bench
