#include "server/tenants_source.h"

#include <algorithm>
#include <unordered_map>

namespace kvasir::server {
namespace {

using logql::StreamIdentity;

/// The inner block under another stream identity.
class TenantBlock final : public logql::LogBlock {
 public:
  TenantBlock(std::unique_ptr<logql::LogBlock> inner, std::shared_ptr<const StreamIdentity> stream)
      : inner_(std::move(inner)), stream_(std::move(stream)) {}

  const std::shared_ptr<const StreamIdentity>& stream() const override { return stream_; }
  std::size_t rows() const override { return inner_->rows(); }
  std::span<const std::int64_t> timestamps() const override { return inner_->timestamps(); }
  std::span<const std::int64_t> coarse_timestamps() override { return inner_->coarse_timestamps(); }
  std::span<const logql::IntervalEnd> interval_ends(std::int64_t step, std::int64_t phase) override {
    return inner_->interval_ends(step, phase);
  }
  std::uint64_t sequence(std::size_t row) const override { return inner_->sequence(row); }
  Result<void> lines(const logql::RowSet& rows, std::span<std::string_view> out) override {
    return inner_->lines(rows, out);
  }
  std::span<const std::uint32_t> line_lengths() override { return inner_->line_lengths(); }
  bool has_metadata() const override { return inner_->has_metadata(); }
  std::span<const LabelView> metadata(std::size_t row) override { return inner_->metadata(row); }
  bool narrow_literal(std::string_view literal, bool negated, logql::RowSet& rows) override {
    return inner_->narrow_literal(literal, negated, rows);
  }
  void narrow_perhaps(std::string_view literal, logql::RowSet& rows) override { inner_->narrow_perhaps(literal, rows); }
  const logql::FieldColumn* field(logql::FieldSyntax syntax, std::string_view name) override {
    return inner_->field(syntax, name);
  }
  const logql::NumberColumn* number_field(logql::FieldSyntax syntax, std::string_view name,
                                          logql::NumberText text) override {
    return inner_->number_field(syntax, name, text);
  }
  const logql::FieldColumn* pattern_field(std::string_view pattern, std::string_view capture) override {
    return inner_->pattern_field(pattern, capture);
  }
  bool may_have_metadata(std::string_view name) override { return inner_->may_have_metadata(name); }
  const logql::FieldColumn* metadata_field(std::string_view name) override { return inner_->metadata_field(name); }

 private:
  std::unique_ptr<logql::LogBlock> inner_;
  std::shared_ptr<const StreamIdentity> stream_;
};

class TenantHandle final : public logql::BlockHandle {
 public:
  TenantHandle(std::unique_ptr<logql::BlockHandle> inner, std::shared_ptr<const StreamIdentity> stream)
      : inner_(std::move(inner)), stream_(std::move(stream)) {}

  const std::shared_ptr<const StreamIdentity>& stream() const override { return stream_; }
  TimestampNs first() const override { return inner_->first(); }
  TimestampNs last() const override { return inner_->last(); }
  std::uint64_t rows() const override { return inner_->rows(); }
  std::uint64_t line_bytes() const override { return inner_->line_bytes(); }
  bool exact() const override { return inner_->exact(); }
  std::optional<logql::LevelStatistics> levels() const override { return inner_->levels(); }
  bool distinct() const override { return inner_->distinct(); }
  logql::StoredPlace stored_in() const override { return inner_->stored_in(); }
  std::span<const logql::IntervalEnd> known_interval_ends(std::int64_t step, std::int64_t phase) const override {
    return inner_->known_interval_ends(step, phase);
  }
  Result<std::unique_ptr<logql::LogBlock>> open() const override {
    KVASIR_TRY(auto block, inner_->open());
    return std::unique_ptr<logql::LogBlock>(std::make_unique<TenantBlock>(std::move(block), stream_));
  }

 private:
  std::unique_ptr<logql::BlockHandle> inner_;
  std::shared_ptr<const StreamIdentity> stream_;
};

}  // namespace

Labels with_tenant_label(const Labels& labels, const std::string& tenant) {
  Labels out = labels;
  if (const auto stored = labels.get(kTenantLabel))
    out.set("original_" + std::string(kTenantLabel), std::string(*stored));
  out.set(kTenantLabel, tenant);
  return out;
}

std::vector<std::string> tenants_chosen_by(std::vector<LabelMatcher>& matchers,
                                           const std::vector<std::string>& tenants) {
  std::vector<std::string> chosen = tenants;
  for (const auto& matcher : matchers) {
    if (matcher.name() != kTenantLabel) continue;
    std::erase_if(chosen, [&](const std::string& tenant) { return !matcher.matches(tenant); });
  }
  std::erase_if(matchers, [](const LabelMatcher& matcher) { return matcher.name() == kTenantLabel; });
  return chosen;
}

Result<std::vector<std::unique_ptr<logql::BlockHandle>>> TenantsSource::select(const logql::SelectRequest& request,
                                                                               logql::QueryContext& context) {
  logql::SelectRequest inner = request;
  std::vector<std::unique_ptr<logql::BlockHandle>> out;
  for (const auto& tenant : tenants_chosen_by(inner.matchers, tenants_)) {
    inner.tenant = tenant;
    KVASIR_TRY(auto handles, inner_.select(inner, context));
    std::unordered_map<const StreamIdentity*, std::shared_ptr<const StreamIdentity>> identities;
    for (auto& handle : handles) {
      auto& identity = identities[handle->stream().get()];
      if (identity == nullptr) {
        Labels labels = with_tenant_label(handle->stream()->labels, tenant);
        const Fingerprint fingerprint = labels.fingerprint();
        identity = std::make_shared<const StreamIdentity>(StreamIdentity{std::move(labels), fingerprint});
      }
      out.push_back(std::make_unique<TenantHandle>(std::move(handle), identity));
    }
  }
  return out;
}

bool TenantsSource::has_stream_label(std::string_view, std::string_view name) {
  if (name == kTenantLabel) return true;
  return std::any_of(tenants_.begin(), tenants_.end(),
                     [&](const auto& tenant) { return inner_.has_stream_label(tenant, name); });
}

}  // namespace kvasir::server
