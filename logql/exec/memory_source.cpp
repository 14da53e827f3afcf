#include "logql/exec/memory_source.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "logql/pipeline/pipeline.h"

namespace kvasir::logql {
namespace {

using Rows = std::shared_ptr<const std::vector<MemorySource::Row>>;

class MemoryBlock final : public LogBlock {
 public:
  MemoryBlock(std::shared_ptr<const StreamIdentity> stream, Rows rows, bool fast_paths)
      : stream_(std::move(stream)), rows_(std::move(rows)), fast_paths_(fast_paths) {
    for (const auto& row : *rows_) {
      timestamps_.push_back(row.timestamp.value);
      lengths_.push_back(static_cast<std::uint32_t>(row.line.size()));
      has_metadata_ |= !row.metadata.empty();
    }
  }

  const std::shared_ptr<const StreamIdentity>& stream() const override { return stream_; }
  std::size_t rows() const override { return rows_->size(); }
  std::span<const std::int64_t> timestamps() const override { return timestamps_; }
  std::uint64_t sequence(std::size_t row) const override { return (*rows_)[row].sequence; }
  Result<void> lines(const RowSet& rows, std::span<std::string_view> out) override {
    for (std::size_t i = 0; i < rows_->size(); ++i) {
      if (rows.test(i)) out[i] = (*rows_)[i].line;
    }
    return {};
  }
  std::span<const std::uint32_t> line_lengths() override { return lengths_; }
  bool has_metadata() const override { return has_metadata_; }
  std::span<const LabelView> metadata(std::size_t row) override {
    scratch_.clear();
    for (const auto& [name, value] : (*rows_)[row].metadata) scratch_.push_back({name, value});
    return scratch_;
  }

  bool narrow_literal(std::string_view literal, bool negated, RowSet& rows) override {
    if (!fast_paths_) return false;
    for (std::size_t i = 0; i < rows_->size(); ++i) {
      const bool found = (*rows_)[i].line.find(literal) != std::string::npos;
      if (found == negated) rows.clear(i);
    }
    return true;
  }
  const FieldColumn* field(FieldSyntax syntax, std::string_view name) override {
    if (!fast_paths_) return nullptr;
    auto& known = fields_[static_cast<std::size_t>(syntax)];
    auto it = known.find(std::string(name));
    if (it == known.end()) it = known.emplace(name, make_field(syntax, name)).first;
    return it->second.get();
  }
  bool may_have_metadata(std::string_view name) override {
    if (!fast_paths_) return has_metadata_;
    const FieldColumn* column = metadata_field(name);
    return !column->values.empty();
  }
  const FieldColumn* metadata_field(std::string_view name) override {
    if (!fast_paths_) return nullptr;
    auto it = metadata_.find(std::string(name));
    if (it == metadata_.end()) it = metadata_.emplace(name, make_metadata_field(name)).first;
    return it->second.get();
  }

 private:
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

  std::unique_ptr<const OwnedColumn> make_field(FieldSyntax syntax, std::string_view name) const {
    const Stage stage = syntax == FieldSyntax::kJson ? Stage(JsonParser{}) : Stage(LogfmtParser{});
    auto pipeline = Pipeline::compile(std::span(&stage, 1), nullptr, {});
    if (!pipeline) return nullptr;
    PipelineRunner runner(*pipeline);
    const Labels none;
    runner.bind(none);
    auto column = std::make_unique<OwnedColumn>();
    for (const auto& row : *rows_) {
      if (!runner.process(row.timestamp, row.line, {}) || !runner.error().empty()) return nullptr;
      const auto value = runner.label(name);
      value ? column->append(*value) : column->append_absent();
    }
    return column;
  }

  std::unique_ptr<const OwnedColumn> make_metadata_field(std::string_view name) const {
    auto column = std::make_unique<OwnedColumn>();
    for (const auto& row : *rows_) {
      const auto it = std::find_if(row.metadata.begin(), row.metadata.end(), [&](const Label& l) { return l.name == name; });
      it == row.metadata.end() ? column->append_absent() : column->append(it->value);
    }
    return column;
  }

  std::shared_ptr<const StreamIdentity> stream_;
  Rows rows_;
  bool fast_paths_;
  bool has_metadata_ = false;
  std::vector<std::int64_t> timestamps_;
  std::vector<std::uint32_t> lengths_;
  std::vector<LabelView> scratch_;
  std::array<std::unordered_map<std::string, std::unique_ptr<const OwnedColumn>>, 2> fields_;
  std::unordered_map<std::string, std::unique_ptr<const OwnedColumn>> metadata_;
};

class MemoryHandle final : public BlockHandle {
 public:
  MemoryHandle(std::shared_ptr<const StreamIdentity> stream, Rows rows, const MemorySourceOptions& options)
      : stream_(std::move(stream)), rows_(std::move(rows)), options_(options) {
    for (const auto& row : *rows_) line_bytes_ += row.line.size();
  }

  const std::shared_ptr<const StreamIdentity>& stream() const override { return stream_; }
  TimestampNs first() const override { return rows_->front().timestamp; }
  TimestampNs last() const override { return rows_->back().timestamp; }
  std::uint64_t rows() const override { return rows_->size(); }
  std::uint64_t line_bytes() const override { return line_bytes_; }
  bool exact() const override { return options_.exact; }
  Result<std::unique_ptr<LogBlock>> open() const override {
    return std::make_unique<MemoryBlock>(stream_, rows_, options_.fast_paths);
  }

 private:
  std::shared_ptr<const StreamIdentity> stream_;
  Rows rows_;
  MemorySourceOptions options_;
  std::uint64_t line_bytes_ = 0;
};

}  // namespace

MemorySource::~MemorySource() = default;

void MemorySource::add(const Labels& stream, TimestampNs timestamp, std::string_view line, std::vector<Label> metadata) {
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
    const std::size_t end = std::min(stream.rows.size(), i + options_.rows_per_block);
    stream.blocks.push_back(std::make_shared<const std::vector<Row>>(stream.rows.begin() + static_cast<std::ptrdiff_t>(i),
                                                                     stream.rows.begin() + static_cast<std::ptrdiff_t>(end)));
  }
  stream.sealed = true;
}

Result<std::vector<std::unique_ptr<BlockHandle>>> MemorySource::select(const SelectRequest& request, QueryContext& context) {
  KVASIR_CHECK_OK(context.check());
  MutexLock lock(mutex_);
  std::vector<std::unique_ptr<BlockHandle>> handles;
  for (auto& [labels, stream] : streams_) {
    const bool wanted = std::all_of(request.matchers.begin(), request.matchers.end(),
                                    [&labels = labels](const LabelMatcher& matcher) { return matcher.matches(labels); });
    if (!wanted) continue;
    seal(stream);
    for (const auto& block : stream.blocks) {
      if (!request.range.overlaps(block->front().timestamp, block->back().timestamp)) continue;
      handles.push_back(std::make_unique<MemoryHandle>(stream.identity, block, options_));
    }
  }
  return handles;
}

bool MemorySource::has_stream_label(std::string_view, std::string_view name) {
  return std::any_of(streams_.begin(), streams_.end(), [&](const auto& item) { return item.first.has(name); });
}

}  // namespace kvasir::logql
