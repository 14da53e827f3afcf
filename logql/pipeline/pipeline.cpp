#include "logql/pipeline/pipeline.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/cpu_time.h"
#include "logql/pipeline/pipeline_compiler.h"

namespace kvasir::logql {

namespace {

using Kind = ResultGrouping::Kind;

// A hash of one label; a set's hash is the sum over its labels, so the order does not matter.
std::uint64_t pair_hash(std::uint64_t name_hash, std::string_view value) {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15ULL;
  std::uint64_t hash = (XXH3_64bits(value.data(), value.size()) ^ name_hash) * kOdd;
  hash = (hash ^ hash >> 32) + name_hash;
  return hash * kOdd ^ hash >> 29;
}

std::optional<std::string_view> final_value(const LabelState& labels, NameId id) {
  if (id == kErrorName && !labels.error().empty()) return labels.error();
  if (id == kErrorDetailsName && !labels.error_details().empty()) return labels.error_details();
  return labels.get_final(id);
}

// Calls f(id, value, category) for every final label.
template <class F>
void for_each_final(const LabelState& labels, F&& f) {
  const bool has_error = !labels.error().empty();
  const bool has_details = !labels.error_details().empty();
  labels.for_each([&](NameId id, std::string_view value, LabelCategory category) {
    if ((id == kErrorName && has_error) || (id == kErrorDetailsName && has_details)) return;
    f(id, value, category);
  });
  if (has_error) f(kErrorName, labels.error(), LabelCategory::kParsed);
  if (has_details) f(kErrorDetailsName, labels.error_details(), LabelCategory::kParsed);
}

bool contains(const std::vector<NameId>& ids, NameId id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); }

// Calls f(id, value) for every label of the result.
template <class F>
void for_each_result(const CompiledPipeline& pipeline, const LabelState& labels, F&& f) {
  const Kind kind = pipeline.options.grouping.kind;
  if (kind == Kind::kBy) {
    for (const NameId id : pipeline.grouping) {
      if (const auto value = final_value(labels, id)) f(id, *value);
    }
    return;
  }
  for_each_final(labels, [&](NameId id, std::string_view value, LabelCategory category) {
    if (kind == Kind::kStream && category != LabelCategory::kStream) return;
    if (id == pipeline.unwrap_label) return;
    if (kind == Kind::kWithout && contains(pipeline.grouping, id)) return;
    f(id, value);
  });
}

Labels to_labels(std::vector<Label> pairs) { return Labels::from_unsorted(std::move(pairs)); }

}  // namespace

Pipeline::Pipeline(std::unique_ptr<const CompiledPipeline> compiled) : compiled_(std::move(compiled)) {}
Pipeline::~Pipeline() = default;

Result<std::shared_ptr<const Pipeline>> Pipeline::compile(std::span<const Stage> stages, const Unwrap* unwrap,
                                                          PipelineOptions options) {
  KVASIR_TRY(auto compiled, compile_pipeline(stages, unwrap, std::move(options)));
  return std::make_shared<const Pipeline>(std::move(compiled));
}

bool Pipeline::empty() const { return compiled_->steps.empty(); }
bool Pipeline::reads_line() const { return compiled_->reads_line; }
bool Pipeline::changes_line() const { return compiled_->changes_line; }
bool Pipeline::reads_metadata() const { return compiled_->reads_metadata; }
std::size_t Pipeline::counted_stages() const { return compiled_->stages + 1; }
bool Pipeline::has_unwrap() const { return compiled_->unwrap_label != kNoName; }

PipelineRunner::PipelineRunner(std::shared_ptr<const Pipeline> pipeline) : pipeline_(std::move(pipeline)) {
  start_afresh();
}
PipelineRunner::~PipelineRunner() = default;
PipelineRunner::PipelineRunner(PipelineRunner&&) noexcept = default;
PipelineRunner& PipelineRunner::operator=(PipelineRunner&&) noexcept = default;

void PipelineRunner::start_afresh() {
  const CompiledPipeline& compiled = *pipeline_->compiled_;
  state_ = std::make_unique<EntryState>(compiled.names, compiled.needed, compiled.options.preserve_errors);
  state_->environment.now = compiled.options.now;
  state_->labels.want(compiled.wanted);
  if (stream_ != nullptr) state_->labels.bind(*stream_);
}

void PipelineRunner::bind(const Labels& stream) {
  stream_ = &stream;
  stream_hash_.reset();
  state_->labels.bind(stream);
}

bool PipelineRunner::apply(std::size_t begin, std::size_t end) {
  if (!counts_.empty()) return apply_counted(begin, end);
  const auto& steps = pipeline_->compiled_->steps;
  for (std::size_t i = begin; i < end; ++i) {
    if (!steps[i]->apply(*state_)) return false;
  }
  return true;
}

/// Reading the clock for every step of every entry would cost more than many steps do.
bool PipelineRunner::apply_counted(std::size_t begin, std::size_t end) {
  if (begin == 0) ++processed_;
  const bool sampled = processed_ % kStageSampledEvery == 0;
  const CompiledPipeline& compiled = *pipeline_->compiled_;
  for (std::size_t i = begin; i < end; ++i) {
    StageCounts& counts = counts_[compiled.stage_of[i]];
    // Unwrap's filters come behind its own step: what came to that came to all of them.
    const bool first = i == 0 || compiled.stage_of[i - 1] != compiled.stage_of[i];
    const bool last = i + 1 == compiled.steps.size() || compiled.stage_of[i + 1] != compiled.stage_of[i];
    if (first) ++counts.rows_in, counts.bytes_in += state_->line.size();
    const std::uint64_t asked = sampled ? thread_cpu_ns() : 0;
    const std::uint64_t begun = sampled ? thread_cpu_ns() : 0;
    const bool kept = compiled.steps[i]->apply(*state_);
    if (sampled) {
      const std::uint64_t asking = begun - asked;  // costs as much as some steps
      const std::uint64_t taken = thread_cpu_ns() - begun;
      counts.sampled_ns += taken - std::min(taken, asking);
    }
    if (!kept) return false;
    if (last) ++counts.rows_out;
  }
  return true;
}

bool PipelineRunner::process(TimestampNs timestamp, std::string_view line, std::span<const LabelView> metadata) {
  if (state_->names.size() > kNamesMax || state_->keys.size() > kKeysMax) start_afresh();
  EntryState& state = *state_;
  state.line = line;
  const CompiledPipeline& compiled = *pipeline_->compiled_;
  if (!apply(0, compiled.line_filters)) return false;
  state.arena.reset();
  state.environment.heap.reset();
  state.timestamp = timestamp;
  state.labels.start_entry(metadata);
  return apply(compiled.line_filters, compiled.steps.size());
}

std::string_view PipelineRunner::line() const { return state_->line; }
double PipelineRunner::value() const { return state_->value; }
std::string_view PipelineRunner::error() const { return state_->labels.error(); }
std::string_view PipelineRunner::error_details() const { return state_->labels.error_details(); }

bool PipelineRunner::fails_query() const {
  return !state_->labels.error().empty() && state_->labels.get(kPreserveErrorName).value_or("") != "true";
}

std::uint64_t PipelineRunner::result_hash() const {
  const LabelState& labels = state_->labels;
  if (labels.is_plain_stream()) {
    if (!stream_hash_) stream_hash_ = hash_result();
    return *stream_hash_;
  }
  return hash_result();
}

std::uint64_t PipelineRunner::hash_result() const {
  const LabelState& labels = state_->labels;
  std::uint64_t hash = 0;
  for_each_result(*pipeline_->compiled_, labels, [&](NameId id, std::string_view value) {
    hash += pair_hash(labels.names().hash(id), value);
  });
  return hash;
}

bool PipelineRunner::result_equals(const Labels& labels) const {
  std::size_t count = 0;
  bool equal = true;
  for_each_result(*pipeline_->compiled_, state_->labels, [&](NameId id, std::string_view value) {
    ++count;
    equal = equal && labels.get(state_->names.name(id)) == value;
  });
  return equal && count == labels.size();
}

Labels PipelineRunner::result_labels() const {
  std::vector<Label> pairs;
  for_each_result(*pipeline_->compiled_, state_->labels, [&](NameId id, std::string_view value) {
    pairs.push_back({std::string(state_->names.name(id)), std::string(value)});
  });
  return to_labels(std::move(pairs));
}

Labels PipelineRunner::final_labels() const {
  std::vector<Label> pairs;
  for_each_final(state_->labels, [&](NameId id, std::string_view value, LabelCategory) {
    pairs.push_back({std::string(state_->names.name(id)), std::string(value)});
  });
  return to_labels(std::move(pairs));
}

Labels PipelineRunner::labels_of(LabelCategory category) const {
  std::vector<Label> pairs;
  for_each_final(state_->labels, [&](NameId id, std::string_view value, LabelCategory of) {
    if (of == category) pairs.push_back({std::string(state_->names.name(id)), std::string(value)});
  });
  return to_labels(std::move(pairs));
}

std::optional<std::string_view> PipelineRunner::label(std::string_view name) const {
  const NameId id = state_->names.find(name);
  return id == kNoName ? std::nullopt : final_value(state_->labels, id);
}

}  // namespace kvasir::logql
