// read_policy.h -- what a reader may see: streams that match a selector, and lines without the values of some fields.
//
// Model:    PolicySource stands in front of the store. The selector's matchers are added to every request; a masked
//           field is hidden in lines, labels and structured metadata before any stage of a query sees it, so that no
//           filter can ask for it.
// Errors:   invalid_argument: a query selects by a label that is masked.
// Cost:     a mask reads lines; counts from block statistics and columns of fields are not used. A selector alone costs
//           nothing.
// Lifetime: blocks and handles keep their inner ones; the inner source must outlive this.
// Threads:  any.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/matcher.h"
#include "logql/log_source.h"
#include "server/field_mask.h"

namespace kvasir::server {

struct ReadPolicy {
  std::string name;
  std::vector<LabelMatcher> matchers;  // all must hold; empty: every stream
  FieldMask mask;

  /// Errors: parse (the selector).
  static Result<std::shared_ptr<const ReadPolicy>> create(std::string name, const std::string& selector,
                                                          std::vector<std::string> masked);

  /// Adds the policy's own. Errors: one of them names a masked label.
  Result<void> narrow(std::vector<LabelMatcher>& matchers) const;
  Labels visible(const Labels& labels) const;
};

class PolicySource final : public logql::LogSource {
 public:
  PolicySource(std::shared_ptr<logql::LogSource> inner, std::shared_ptr<const ReadPolicy> policy)
      : inner_(std::move(inner)), policy_(std::move(policy)) {}

  Result<std::vector<std::unique_ptr<logql::BlockHandle>>> select(const logql::SelectRequest& request,
                                                                  logql::QueryContext& context) override;
  bool has_stream_label(std::string_view tenant, std::string_view name) override;

 private:
  std::shared_ptr<logql::LogSource> inner_;
  std::shared_ptr<const ReadPolicy> policy_;
};

}  // namespace kvasir::server
