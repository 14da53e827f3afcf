// pipeline.h -- runs the stages of a query over entries: filters, parsers, label filters, formats, unwrap.
//
// Use:      Pipeline::compile once per query; one PipelineRunner per worker thread; bind() per stream; process() per
//           entry; then read line(), result_hash() and so on before the next process().
// Shape:    a Pipeline is immutable. A runner owns interned names and scratch memory, so the steady state allocates
//           nothing.
// Lifetime: what the accessors return lives until the next process() or bind(). The stream's labels must outlive the
//           binding.
// Threads:  share a Pipeline freely; a runner belongs to one thread.
// Errors:   compile: parse, `parse error : stage 'TEXT' : REASON` as Loki words it. A bad line is never an error of the
//           query: it sets __error__ and goes on.
// Source:   docs/logql.md; behaviour recorded in tests/conformance.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/labels.h"
#include "common/result.h"
#include "common/time.h"
#include "logql/pipeline/label_state.h"
#include "logql/syntax/stages.h"

namespace kvasir::logql {

/// Which labels make the result of an entry: what result_hash() covers and result_labels() builds.
struct ResultGrouping {
  enum class Kind {
    kAll,      // the final labels (metric queries: without the unwrapped one)
    kBy,       // only those in `labels` that exist
    kWithout,  // all but those in `labels` (and but the unwrapped one)
    kStream,   // stream labels that no stage removed or overrode: categorised answers
  };
  Kind kind = Kind::kAll;
  std::vector<std::string> labels;
};

struct PipelineOptions {
  ResultGrouping grouping;
  /// With kBy: parsers may skip whatever neither the grouping, a stage nor unwrap reads, and stop early. An empty `by`
  /// and no reading stage skips them altogether.
  bool only_needed_labels = false;
  /// False: nobody reads the final line (counts), so formats at the end need not run.
  bool needs_line = true;
  /// A parser error also sets __preserve_error__="true": the metric query counts error lines on purpose.
  bool preserve_errors = false;
  /// Line filters look for what a regex cannot match without before they run it.
  bool regex_literals = true;
  /// For `now` in templates; read from the real clock when absent.
  std::optional<TimestampNs> now;
};

struct CompiledPipeline;  // internal

class Pipeline {
 public:
  /// `unwrap` may be null.
  static Result<std::shared_ptr<const Pipeline>> compile(std::span<const Stage> stages, const Unwrap* unwrap,
                                                         PipelineOptions options);
  /// Internal; use compile().
  explicit Pipeline(std::unique_ptr<const CompiledPipeline> compiled);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  /// No stage at all: every entry passes with the labels it has.
  bool empty() const;
  /// Some stage reads the line, so process() must be given it; otherwise an empty one will do.
  bool reads_line() const;
  /// Some stage may replace the line.
  bool changes_line() const;
  /// Some stage or the result reads structured metadata; otherwise process() may be given none.
  bool reads_metadata() const;
  bool has_unwrap() const;
  /// The stages by which StageCounts are counted: those that were compiled, and one for unwrap and its filters.
  std::size_t counted_stages() const;

 private:
  friend class PipelineRunner;

  std::unique_ptr<const CompiledPipeline> compiled_;
};

struct EntryState;  // internal

/// The clock is read for one entry of so many while stages are counted.
inline constexpr std::uint64_t kStageSampledEvery = 7;

/// What one stage did with the entries that came to it; see PipelineRunner::count_stages().
struct StageCounts {
  std::uint64_t rows_in = 0;
  std::uint64_t rows_out = 0;
  std::uint64_t bytes_in = 0;    // of the lines as they came to the stage
  std::uint64_t sampled_ns = 0;  // of one entry in kStageSampledEvery
};

class PipelineRunner {
 public:
  explicit PipelineRunner(std::shared_ptr<const Pipeline> pipeline);
  ~PipelineRunner();
  PipelineRunner(PipelineRunner&&) noexcept;
  PipelineRunner& operator=(PipelineRunner&&) noexcept;

  void bind(const Labels& stream);

  /// False: the entry is dropped (or, with unwrap, gives no sample).
  bool process(TimestampNs timestamp, std::string_view line, std::span<const LabelView> metadata);
  /// From now on process() counts by stage. `counts` has counted_stages() items and outlives the runner or the next
  /// call; empty: no counting, as at first.
  void count_stages(std::span<StageCounts> counts) { counts_ = counts; }

  // ---- valid after process() gave true

  /// The line after all stages.
  std::string_view line() const;
  /// The unwrapped value. REQUIRES: the pipeline has an unwrap.
  double value() const;

  std::string_view error() const;
  std::string_view error_details() const;
  /// An error is set and __preserve_error__ is not: a metric query fails on it.
  bool fails_query() const;

  /// Order-independent hash of the result labels (see ResultGrouping): the key of a series or stream. Entries with
  /// equal labels have equal hashes; verify a hit with result_equals().
  std::uint64_t result_hash() const;
  bool result_equals(const Labels& labels) const;
  Labels result_labels() const;

  /// Every final label, errors included, whatever the grouping.
  Labels final_labels() const;
  /// The part of them that is of one category; errors count as parsed.
  Labels labels_of(LabelCategory category) const;
  /// One final label, errors included.
  std::optional<std::string_view> label(std::string_view name) const;

 private:
  void start_afresh();
  bool apply(std::size_t begin, std::size_t end);
  bool apply_counted(std::size_t begin, std::size_t end);
  std::uint64_t hash_result() const;

  std::shared_ptr<const Pipeline> pipeline_;
  std::unique_ptr<EntryState> state_;
  std::span<StageCounts> counts_;
  std::uint64_t processed_ = 0;  // while stages are counted
  const Labels* stream_ = nullptr;
  mutable std::optional<std::uint64_t> stream_hash_;  // of the stream's labels alone
};

}  // namespace kvasir::logql
