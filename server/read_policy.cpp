#include "server/read_policy.h"

#include <deque>
#include <unordered_map>

#include "logql/syntax/parser.h"

namespace kvasir::server {
namespace {

using logql::StreamIdentity;

/// The inner block with hidden values. What the fast paths of the inner one know would give them away, so it has none.
class MaskedBlock final : public logql::LogBlock {
 public:
  MaskedBlock(std::unique_ptr<logql::LogBlock> inner, std::shared_ptr<const StreamIdentity> stream,
              std::shared_ptr<const ReadPolicy> policy)
      : inner_(std::move(inner)), stream_(std::move(stream)), policy_(std::move(policy)) {}

  const std::shared_ptr<const StreamIdentity>& stream() const override { return stream_; }
  std::size_t rows() const override { return inner_->rows(); }
  std::span<const std::int64_t> timestamps() const override { return inner_->timestamps(); }
  std::uint64_t sequence(std::size_t row) const override { return inner_->sequence(row); }

  Result<void> lines(const logql::RowSet& rows, std::span<std::string_view> out) override {
    KVASIR_CHECK_OK(inner_->lines(rows, out));
    for (std::size_t row = 0; row < out.size(); ++row) {
      if (rows.test(row)) out[row] = shown(out[row]);
    }
    return {};
  }

  std::span<const std::uint32_t> line_lengths() override {
    if (lengths_.empty() && rows() > 0) {
      std::vector<std::string_view> all(rows());
      lengths_.resize(rows());
      if (!lines(logql::RowSet(rows()), all))
        return lengths_;  // zeros: the error comes again when the lines are asked for
      for (std::size_t row = 0; row < all.size(); ++row) lengths_[row] = static_cast<std::uint32_t>(all[row].size());
    }
    return lengths_;
  }

  bool has_metadata() const override { return inner_->has_metadata(); }
  std::span<const LabelView> metadata(std::size_t row) override {
    const auto given = inner_->metadata(row);
    metadata_.assign(given.begin(), given.end());
    for (auto& label : metadata_) {
      if (policy_->mask.hides(label.name)) label.value = kMasked;
    }
    return metadata_;
  }
  bool may_have_metadata(std::string_view name) override { return inner_->may_have_metadata(name); }

 private:
  std::string_view shown(std::string_view line) {
    std::string storage;
    const auto text = policy_->mask.apply(line, storage);
    return text.data() == line.data() ? line : texts_.emplace_back(std::move(storage));
  }

  std::unique_ptr<logql::LogBlock> inner_;
  std::shared_ptr<const StreamIdentity> stream_;
  std::shared_ptr<const ReadPolicy> policy_;
  std::deque<std::string> texts_;  // views into them stay good
  std::vector<std::uint32_t> lengths_;
  std::vector<LabelView> metadata_;
};

class MaskedHandle final : public logql::BlockHandle {
 public:
  MaskedHandle(std::unique_ptr<logql::BlockHandle> inner, std::shared_ptr<const StreamIdentity> stream,
               std::shared_ptr<const ReadPolicy> policy)
      : inner_(std::move(inner)), stream_(std::move(stream)), policy_(std::move(policy)) {}

  const std::shared_ptr<const StreamIdentity>& stream() const override { return stream_; }
  TimestampNs first() const override { return inner_->first(); }
  TimestampNs last() const override { return inner_->last(); }
  std::uint64_t rows() const override { return inner_->rows(); }
  std::uint64_t line_bytes() const override { return inner_->line_bytes(); }
  bool exact() const override { return false; }  // line_bytes() counts what is hidden
  bool distinct() const override { return inner_->distinct(); }
  logql::StoredPlace stored_in() const override { return inner_->stored_in(); }
  Result<std::unique_ptr<logql::LogBlock>> open() const override {
    KVASIR_TRY(auto block, inner_->open());
    return std::unique_ptr<logql::LogBlock>(std::make_unique<MaskedBlock>(std::move(block), stream_, policy_));
  }

 private:
  std::unique_ptr<logql::BlockHandle> inner_;
  std::shared_ptr<const StreamIdentity> stream_;
  std::shared_ptr<const ReadPolicy> policy_;
};

}  // namespace

Result<std::shared_ptr<const ReadPolicy>> ReadPolicy::create(std::string name, const std::string& selector,
                                                             std::vector<std::string> masked) {
  auto policy = std::make_shared<ReadPolicy>();
  policy->name = std::move(name);
  policy->mask = FieldMask(std::move(masked));
  if (!selector.empty()) {
    KVASIR_TRY(auto parsed, logql::parse_selector(selector));
    policy->matchers = std::move(parsed.matchers);
  }
  return std::shared_ptr<const ReadPolicy>(std::move(policy));
}

Result<void> ReadPolicy::narrow(std::vector<LabelMatcher>& wanted) const {
  for (const auto& matcher : wanted) {
    if (mask.hides(matcher.name()))
      return fail(ErrorCode::kInvalidArgument, "label " + matcher.name() + " is hidden from this credential");
  }
  wanted.insert(wanted.end(), matchers.begin(), matchers.end());
  return {};
}

Labels ReadPolicy::visible(const Labels& labels) const {
  Labels shown = labels;
  for (const auto& label : labels) {
    if (mask.hides(label.name)) shown.set(label.name, kMasked);
  }
  return shown;
}

Result<std::vector<std::unique_ptr<logql::BlockHandle>>> PolicySource::select(const logql::SelectRequest& request,
                                                                              logql::QueryContext& context) {
  logql::SelectRequest inner = request;
  KVASIR_CHECK_OK(policy_->narrow(inner.matchers));
  if (policy_->mask.empty()) return inner_->select(inner, context);
  inner.literals.clear();  // they are looked for in what is shown, not in what is stored
  inner.tokens.clear();
  KVASIR_TRY(auto handles, inner_->select(inner, context));
  std::unordered_map<const StreamIdentity*, std::shared_ptr<const StreamIdentity>> identities;
  for (auto& handle : handles) {
    auto& identity = identities[handle->stream().get()];
    if (identity == nullptr) {
      Labels labels = policy_->visible(handle->stream()->labels);
      const Fingerprint fingerprint = labels.fingerprint();
      identity = std::make_shared<const StreamIdentity>(StreamIdentity{std::move(labels), fingerprint});
    }
    handle = std::make_unique<MaskedHandle>(std::move(handle), identity, policy_);
  }
  return handles;
}

bool PolicySource::has_stream_label(std::string_view tenant, std::string_view name) {
  return inner_->has_stream_label(tenant, name);
}

}  // namespace kvasir::server
