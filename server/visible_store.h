// visible_store.h -- the stored streams as one caller may see them: those of his tenants, narrowed and masked by his
// read policy. Every route that reads asks through this, so that no route can forget either.
//
// Tenants:  with several, streams carry __tenant_id__, and matchers on it choose tenants.
// Lifetime: made for one request; the store must outlive it and the source it gives.
// Threads:  one at a time; the source as any LogSource.
// Errors:   invalid_argument: a matcher names a label that the policy hides. Those of the store.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/read_policy.h"
#include "server/request_context.h"
#include "server/store_source.h"

namespace kvasir::server {

class VisibleStore {
 public:
  using Names = std::vector<std::string>;  // ascending, each once
  /// Ascending, each once; the views live as long as this and the store.
  struct Values {
    std::vector<std::string_view> texts;
    std::vector<std::string> owned;
    auto begin() const { return texts.begin(); }
    auto end() const { return texts.end(); }
    bool empty() const { return texts.empty(); }
  };
  using Matchers = std::vector<LabelMatcher>;

  VisibleStore(StoreSource& store, const QueryTenants& tenants) : store_(store), tenants_(tenants) {}

  /// For the query engine. Independent of this object.
  std::shared_ptr<logql::LogSource> source() const;

  Result<Names> label_names(Matchers matchers, TimeRange range) const;
  Result<Values> label_values(std::string_view name, Matchers matchers, TimeRange range) const;
  /// In no order; of several tenants, what is hidden makes some equal.
  Result<std::vector<std::shared_ptr<const Labels>>> series(Matchers matchers, TimeRange range) const;
  /// Bytes are those that are stored, also of values that a mask hides.
  Result<IndexStats> stats(Matchers matchers, TimeRange range, logql::QueryContext& context) const;
  /// request.tenant is filled in here. Streams go without __tenant_id__.
  Result<std::vector<StreamVolume>> volumes(VolumeRequest request, logql::QueryContext& context) const;

 private:
  struct Choice {
    std::vector<std::string> tenants;
    Matchers matchers;
  };
  Result<Choice> choose(Matchers matchers) const;
  bool as_stored() const { return tenants_.policy == nullptr && !tenants_.several; }
  std::shared_ptr<const Labels> shown(const std::shared_ptr<const Labels>& stored, const std::string& tenant) const;
  void mask(StreamVolume& volume) const;

  StoreSource& store_;
  const QueryTenants& tenants_;
};

}  // namespace kvasir::server
