#include "server/delete_requests.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "common/log.h"
#include "common/number.h"
#include "logql/syntax/parser.h"

namespace kvasir::server {
namespace {

using logql::LogBlock;
using logql::RowSet;

constexpr std::size_t kProcessedKept = 1000;  // requests that are listed after they are done, per tenant

Result<std::vector<LabelView>> metadata_of(LogBlock& block, std::size_t row) {
  const auto found = block.metadata(row);
  return std::vector<LabelView>(found.begin(), found.end());
}

/// A block of rows that are left, renumbered.
class HidingBlock final : public LogBlock {
 public:
  HidingBlock(std::unique_ptr<LogBlock> inner, const RowSet& visible) : inner_(std::move(inner)), visible_(visible) {
    for (std::size_t row = 0; row < inner_->rows(); ++row) {
      if (!visible_.test(row)) continue;
      kept_.push_back(row);
      timestamps_.push_back(inner_->timestamps()[row]);
    }
  }
  const std::shared_ptr<const logql::StreamIdentity>& stream() const override { return inner_->stream(); }
  std::size_t rows() const override { return kept_.size(); }
  std::span<const std::int64_t> timestamps() const override { return timestamps_; }
  std::uint64_t sequence(std::size_t row) const override { return inner_->sequence(kept_[row]); }
  Result<void> lines(const RowSet& rows, std::span<std::string_view> out) override {
    RowSet wanted(inner_->rows(), false);
    for (std::size_t row = 0; row < kept_.size(); ++row) {
      if (rows.test(row)) wanted.set(kept_[row]);
    }
    std::vector<std::string_view> all(inner_->rows());
    KVASIR_CHECK_OK(inner_->lines(wanted, all));
    for (std::size_t row = 0; row < kept_.size(); ++row) {
      if (rows.test(row)) out[row] = all[kept_[row]];
    }
    return {};
  }
  std::span<const std::uint32_t> line_lengths() override {
    if (lengths_.empty()) {
      const auto all = inner_->line_lengths();
      for (const std::size_t row : kept_) lengths_.push_back(all[row]);
    }
    return lengths_;
  }
  bool has_metadata() const override { return inner_->has_metadata(); }
  std::span<const LabelView> metadata(std::size_t row) override { return inner_->metadata(kept_[row]); }

 private:
  std::unique_ptr<LogBlock> inner_;
  RowSet visible_;
  std::vector<std::size_t> kept_;
  std::vector<std::int64_t> timestamps_;
  std::vector<std::uint32_t> lengths_;
};

/// Runs the request's stages over the rows `candidates` and calls drop(row) for those that pass.
template <class Lines, class Metadata, class Drop>
Result<void> drop_passing(const CompiledDelete& request, const Labels& stream, std::span<const std::int64_t> timestamps,
                          const RowSet& candidates, const Lines& lines_of, const Metadata& metadata, const Drop& drop) {
  std::vector<std::string_view> lines(timestamps.size());
  if (request.pipeline()->reads_line()) KVASIR_CHECK_OK(lines_of(candidates, std::span(lines)));
  logql::PipelineRunner runner(request.pipeline());
  runner.bind(stream);
  for (std::size_t row = 0; row < timestamps.size(); ++row) {
    if (!candidates.test(row)) continue;
    KVASIR_TRY(const auto set, metadata(row));
    if (runner.process({timestamps[row]}, lines[row], set)) drop(row);
  }
  return {};
}

RowSet rows_in_range(const CompiledDelete& request, std::span<const std::int64_t> timestamps) {
  RowSet rows(timestamps.size(), false);
  for (std::size_t row = 0; row < timestamps.size(); ++row) {
    if (request.in_range(timestamps[row])) rows.set(row);
  }
  return rows;
}

}  // namespace

Result<DeletePtr> CompiledDelete::compile(ingest::DeleteRequest request) {
  const auto wrong = [] { return fail(ErrorCode::kInvalidArgument, "invalid query expression"); };
  const auto parsed = logql::parse_log_query(request.query);
  if (!parsed || !parsed->pipes.empty()) return wrong();
  auto pipeline = logql::Pipeline::compile(parsed->stages, nullptr, {});
  if (!pipeline) return wrong();
  auto compiled = std::make_shared<CompiledDelete>();
  compiled->request_ = std::move(request);
  compiled->matchers_ = parsed->selector.matchers;
  compiled->pipeline_ = std::move(*pipeline);
  return compiled;
}

bool CompiledDelete::touches(const Labels& stream, TimestampNs first, TimestampNs last) const {
  if (last < request_.start || request_.end < first) return false;
  return std::all_of(matchers_.begin(), matchers_.end(), [&](const auto& matcher) { return matcher.matches(stream); });
}

Result<void> clear_deleted(const CompiledDelete& request, LogBlock& block, RowSet& rows) {
  RowSet candidates = rows_in_range(request, block.timestamps());
  candidates.keep_only(rows);
  if (request.whole_rows()) {
    rows.remove(candidates);
    return {};
  }
  return drop_passing(
      request, block.stream()->labels, block.timestamps(), candidates,
      [&](const RowSet& wanted, std::span<std::string_view> out) { return block.lines(wanted, out); },
      [&](std::size_t row) { return metadata_of(block, row); }, [&](std::size_t row) { rows.clear(row); });
}

Result<void> clear_deleted(const CompiledDelete& request, const Labels& stream, chunks::Block& block,
                           chunks::RowBits rows) {
  const RowSet candidates = rows_in_range(request, block.timestamps());
  if (request.whole_rows()) {
    for (std::size_t row = 0; row < rows.rows; ++row) {
      if (candidates.test(row)) rows.clear(row);
    }
    return {};
  }
  return drop_passing(
      request, stream, block.timestamps(), candidates,
      [&](const RowSet& wanted, std::span<std::string_view> out) {
        return block.lines({wanted.words(), wanted.size()}, out);
      },
      [&](std::size_t row) -> Result<std::vector<LabelView>> {
        if (!block.has_metadata()) return std::vector<LabelView>();
        KVASIR_TRY(const auto set, block.metadata(row));
        return std::vector<LabelView>(set.begin(), set.end());
      },
      [&](std::size_t row) { rows.clear(row); });
}

Result<std::unique_ptr<LogBlock>> hide_deleted(std::unique_ptr<LogBlock> block, std::span<const DeletePtr> requests) {
  RowSet visible(block->rows());
  for (const auto& request : requests) KVASIR_CHECK_OK(clear_deleted(*request, *block, visible));
  return std::make_unique<HidingBlock>(std::move(block), visible);
}

std::string DeleteRequests::new_id(std::string_view tenant) const {
  const auto known = list(tenant);
  for (auto seed = static_cast<std::uint64_t>(clock_.now().value);; ++seed) {
    seed = (seed ^ seed >> 29) * 0xbf58476d1ce4e5b9;
    const std::string id = fmt::format("{:08x}", static_cast<std::uint32_t>(seed >> 32));
    const bool taken = std::any_of(known.begin(), known.end(), [&](const auto& request) { return request.id == id; });
    if (!taken) return id;
  }
}

Result<std::string> DeleteRequests::create(std::string_view tenant, std::string query, TimestampNs start,
                                           TimestampNs end) {
  ingest::DeleteRequest request{new_id(tenant), std::move(query), start, end, clock_.now(), 0};
  KVASIR_TRY(const auto compiled, CompiledDelete::compile(request));
  auto* stored = storage_.find_or_create(tenant);
  ingest::ManifestEdit edit;
  edit.deletes.push_back(request);
  KVASIR_CHECK_OK(stored->commit(edit, {}));
  return request.id;
}

std::vector<ingest::DeleteRequest> DeleteRequests::list(std::string_view tenant) const {
  const auto* stored = storage_.find(tenant);
  return stored == nullptr ? std::vector<ingest::DeleteRequest>() : stored->delete_requests();
}

Result<void> DeleteRequests::cancel(std::string_view tenant, std::string_view id, bool force, Duration cancel_period) {
  const auto requests = list(tenant);
  const auto found =
      std::find_if(requests.begin(), requests.end(), [&](const auto& request) { return request.id == id; });
  if (found == requests.end()) return fail(ErrorCode::kNotFound, "could not find delete request with given id");
  if (found->percent >= 100) {
    return fail(ErrorCode::kInvalidArgument,
                "deletion of request which is in process or already processed is not allowed");
  }
  const bool late = found->percent > 0 || clock_.now() - found->created > cancel_period;
  if (late && !force) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("Cancellation of partially completed delete request or delete request past the deadline of "
                            "{} since its creation is not allowed. To force, use the ?force query parameter",
                            format_go_duration(cancel_period)));
  }
  ingest::ManifestEdit edit;
  edit.deletes_removed.push_back(found->id);
  return storage_.find(tenant)->commit(edit, {});
}

Result<void> DeleteRequests::set_progress(std::string_view tenant, const std::string& id, std::uint32_t percent,
                                          std::uint64_t flushed_floor) {
  auto* stored = storage_.find(tenant);
  if (stored == nullptr) return {};
  ingest::ManifestEdit edit;
  edit.flushed_floor = flushed_floor;
  std::size_t processed = 0;
  const auto requests = stored->delete_requests();
  for (auto request : requests) {
    if (request.id == id) {
      request.percent = percent;
      edit.deletes.push_back(request);
    }
    processed += request.percent >= 100 ? 1 : 0;
  }
  for (auto it = requests.begin(); it != requests.end() && processed > kProcessedKept; ++it) {
    if (it->percent < 100) continue;
    edit.deletes_removed.push_back(it->id);
    --processed;
  }
  return stored->commit(edit, {});
}

std::vector<DeletePtr> DeleteRequests::active(std::string_view tenant) {
  std::vector<DeletePtr> out;
  for (auto& request : list(tenant)) {
    if (request.percent >= 100) continue;
    MutexLock lock(mutex_);
    auto& compiled = compiled_[{std::string(tenant), request.id}];
    if (compiled == nullptr) {
      auto made = CompiledDelete::compile(request);
      if (!made) {
        log::error("delete", "stored request cannot be read; nothing is hidden by it", {{"query", request.query}});
        continue;
      }
      compiled = std::move(*made);
    }
    out.push_back(compiled);
  }
  return out;
}

}  // namespace kvasir::server
