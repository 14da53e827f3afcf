#include "logql/exec/memory_source.h"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "logql/pipeline/pipeline.h"

namespace kvasir::logql {
/// Rows of one block. Columns are made when they are first asked for and then kept, for all blocks opened on it.
class MemoryRows {
 public:
  using Row = MemorySource::Row;

  MemoryRows(std::shared_ptr<const StreamIdentity> stream, std::span<const Row> rows)
      : stream_(std::move(stream)), rows_(rows.begin(), rows.end()) {
    for (const auto& row : rows_) {
      timestamps_.push_back(row.timestamp.value);
      lengths_.push_back(static_cast<std::uint32_t>(row.line.size()));
      line_bytes_ += row.line.size();
      has_metadata_ |= !row.metadata.empty();
      count_level(row.metadata);
    }
  }

  std::optional<LevelStatistics> levels() const {
    if (!levels_known_) return std::nullopt;
    LevelStatistics out{.nothing_else = only_levels_};
    for (const auto& [level, rows] : levels_) out.rows.push_back({level, rows});
    return out;
  }

  const std::shared_ptr<const StreamIdentity>& stream() const { return stream_; }
  const std::vector<Row>& rows() const { return rows_; }
  std::span<const std::int64_t> timestamps() const { return timestamps_; }
  std::span<const std::uint32_t> lengths() const { return lengths_; }
  std::uint64_t line_bytes() const { return line_bytes_; }
  bool has_metadata() const { return has_metadata_; }

  const FieldColumn* field(FieldSyntax syntax, std::string_view name) {
    MutexLock lock(mutex_);
    return find_or_make(fields_[static_cast<std::size_t>(syntax)], name, [&] { return make_field(syntax, name); });
  }
  const FieldColumn* metadata_field(std::string_view name) {
    MutexLock lock(mutex_);
    return find_or_make(metadata_, name, [&] { return make_metadata_field(name); });
  }

 private:
  void count_level(const std::vector<Label>& metadata) {
    std::string level;
    for (const Label& label : metadata) {
      const bool is_level = label.name == "detected_level" && !label.value.empty();
      only_levels_ = only_levels_ && is_level && level.empty();
      levels_known_ = levels_known_ && (label.name != "detected_level" || (is_level && level.empty()));
      if (is_level) level = label.value;
    }
    ++levels_[level];
  }

  /// Owns the text that the values of a column point into.
  struct OwnedColumn : FieldColumn {
    std::vector<std::unique_ptr<const std::string>> texts;
    std::unordered_map<std::string_view, std::uint32_t> ids;

    void append(std::string_view value) {
      auto it = ids.find(value);
      if (it == ids.end()) {
        texts.push_back(std::make_unique<const std::string>(value));
        it = ids.emplace(*texts.back(), static_cast<std::uint32_t>(values.size())).first;
        values.push_back(*texts.back());
      }
      row_value.push_back(it->second);
    }
    void append_absent() { row_value.push_back(kAbsent); }
  };
  using Columns = std::unordered_map<std::string, std::unique_ptr<const OwnedColumn>>;

  template <class Make>
  static const FieldColumn* find_or_make(Columns& columns, std::string_view name, Make make) {
    auto it = columns.find(std::string(name));
    if (it == columns.end()) it = columns.emplace(name, make()).first;
    return it->second.get();
  }

  std::unique_ptr<const OwnedColumn> make_field(FieldSyntax syntax, std::string_view name) const {
    const Stage stage = syntax == FieldSyntax::kJson ? Stage(JsonParser{}) : Stage(LogfmtParser{});
    auto pipeline = Pipeline::compile(std::span(&stage, 1), nullptr, {});
    if (!pipeline) return nullptr;
    PipelineRunner runner(*pipeline);
    const Labels none;
    runner.bind(none);
    auto column = std::make_unique<OwnedColumn>();
    column->unknown = RowSet(rows_.size(), false);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const auto& row = rows_[i];
      const bool parsed = runner.process(row.timestamp, row.line, {}) && runner.error().empty();
      if (!parsed) column->unknown.set(i);
      const auto value = parsed ? runner.label(name) : std::nullopt;
      value ? column->append(*value) : column->append_absent();
    }
    return column;
  }

  std::unique_ptr<const OwnedColumn> make_metadata_field(std::string_view name) const {
    auto column = std::make_unique<OwnedColumn>();
    for (const auto& row : rows_) {
      const auto it =
          std::find_if(row.metadata.begin(), row.metadata.end(), [&](const Label& l) { return l.name == name; });
      it == row.metadata.end() ? column->append_absent() : column->append(it->value);
    }
    return column;
  }

  std::shared_ptr<const StreamIdentity> stream_;
  std::vector<Row> rows_;
  std::vector<std::int64_t> timestamps_;
  std::vector<std::uint32_t> lengths_;
  std::uint64_t line_bytes_ = 0;
  bool has_metadata_ = false;
  std::map<std::string, std::uint64_t> levels_;
  bool levels_known_ = true;
  bool only_levels_ = true;
  Mutex mutex_;
  std::array<Columns, 2> fields_ KVASIR_GUARDED_BY(mutex_);
  Columns metadata_ KVASIR_GUARDED_BY(mutex_);
};

namespace {

class MemoryBlock final : public LogBlock {
 public:
  MemoryBlock(std::shared_ptr<MemoryRows> data, bool fast_paths) : data_(std::move(data)), fast_paths_(fast_paths) {}

  const std::shared_ptr<const StreamIdentity>& stream() const override { return data_->stream(); }
  std::size_t rows() const override { return data_->rows().size(); }
  std::span<const std::int64_t> timestamps() const override { return data_->timestamps(); }
  std::uint64_t sequence(std::size_t row) const override { return data_->rows()[row].sequence; }
  Result<void> lines(const RowSet& rows, std::span<std::string_view> out) override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (rows.test(i)) out[i] = data_->rows()[i].line;
    }
    return {};
  }
  std::span<const std::uint32_t> line_lengths() override { return data_->lengths(); }
  bool has_metadata() const override { return data_->has_metadata(); }
  std::span<const LabelView> metadata(std::size_t row) override {
    scratch_.clear();
    for (const auto& [name, value] : data_->rows()[row].metadata) scratch_.push_back({name, value});
    return scratch_;
  }

  bool narrow_literal(std::string_view literal, bool negated, RowSet& rows) override {
    if (!fast_paths_) return false;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows.test(i) && (data_->rows()[i].line.find(literal) != std::string::npos) == negated) rows.clear(i);
    }
    return true;
  }
  const FieldColumn* field(FieldSyntax syntax, std::string_view name) override {
    return fast_paths_ ? data_->field(syntax, name) : nullptr;
  }
  bool may_have_metadata(std::string_view name) override {
    if (!fast_paths_ || !data_->has_metadata()) return data_->has_metadata();
    return !data_->metadata_field(name)->values.empty();
  }
  const FieldColumn* metadata_field(std::string_view name) override {
    return fast_paths_ ? data_->metadata_field(name) : nullptr;
  }

 private:
  std::shared_ptr<MemoryRows> data_;
  bool fast_paths_;
  std::vector<LabelView> scratch_;
};

class MemoryHandle final : public BlockHandle {
 public:
  MemoryHandle(std::shared_ptr<MemoryRows> data, const MemorySourceOptions& options)
      : data_(std::move(data)), options_(options) {}

  const std::shared_ptr<const StreamIdentity>& stream() const override { return data_->stream(); }
  TimestampNs first() const override { return data_->rows().front().timestamp; }
  TimestampNs last() const override { return data_->rows().back().timestamp; }
  std::uint64_t rows() const override { return data_->rows().size(); }
  std::uint64_t line_bytes() const override { return data_->line_bytes(); }
  bool exact() const override { return options_.exact; }
  std::optional<LevelStatistics> levels() const override {
    return options_.fast_paths ? data_->levels() : std::nullopt;
  }
  Result<std::unique_ptr<LogBlock>> open() const override {
    return std::make_unique<MemoryBlock>(data_, options_.fast_paths);
  }

 private:
  std::shared_ptr<MemoryRows> data_;
  MemorySourceOptions options_;
};

}  // namespace

MemorySource::~MemorySource() = default;

void MemorySource::add(const Labels& stream, TimestampNs timestamp, std::string_view line,
                       std::vector<Label> metadata) {
  auto& target = streams_[stream];
  if (!target.identity) {
    target.identity = std::make_shared<const StreamIdentity>(StreamIdentity{stream, stream.fingerprint()});
  }
  target.sealed = false;
  target.rows.push_back({timestamp, next_sequence_++, std::string(line), std::move(metadata)});
}

void MemorySource::seal(Stream& stream) {
  if (stream.sealed) return;
  stream.blocks.clear();
  std::stable_sort(stream.rows.begin(), stream.rows.end(),
                   [](const Row& a, const Row& b) { return a.timestamp < b.timestamp; });
  for (std::size_t i = 0; i < stream.rows.size(); i += options_.rows_per_block) {
    const std::size_t count = std::min(stream.rows.size() - i, options_.rows_per_block);
    stream.blocks.push_back(std::make_shared<MemoryRows>(stream.identity, std::span(stream.rows).subspan(i, count)));
  }
  stream.sealed = true;
}

Result<std::vector<std::unique_ptr<BlockHandle>>> MemorySource::select(const SelectRequest& request,
                                                                       QueryContext& context) {
  KVASIR_CHECK_OK(context.check());
  MutexLock lock(mutex_);
  std::vector<std::unique_ptr<BlockHandle>> handles;
  for (auto& [labels, stream] : streams_) {
    const bool wanted =
        std::all_of(request.matchers.begin(), request.matchers.end(),
                    [&labels = labels](const LabelMatcher& matcher) { return matcher.matches(labels); });
    if (!wanted) continue;
    seal(stream);
    for (const auto& block : stream.blocks) {
      const auto& rows = block->rows();
      if (!request.range.overlaps(rows.front().timestamp, rows.back().timestamp)) continue;
      handles.push_back(std::make_unique<MemoryHandle>(block, options_));
    }
  }
  return handles;
}

bool MemorySource::has_stream_label(std::string_view, std::string_view name) {
  return std::any_of(streams_.begin(), streams_.end(), [&](const auto& item) { return item.first.has(name); });
}

}  // namespace kvasir::logql
