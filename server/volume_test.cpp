#include "server/volume.h"

#include <doctest/doctest.h>

#include "server/tenants_source.h"

using namespace kvasir;
using namespace kvasir::server;

namespace {

StreamVolume stream(Labels labels, std::vector<std::uint64_t> bytes) {
  const auto fingerprint = labels.fingerprint();
  return {std::make_shared<const logql::StreamIdentity>(logql::StreamIdentity{std::move(labels), fingerprint}),
          std::move(bytes)};
}

std::string shown(const std::vector<StreamVolume>& volumes, const VolumeGrouping& grouping) {
  const auto series = group_volumes(volumes, grouping);
  if (!series) return series.error().message();
  std::string out;
  for (const auto& one : *series) out += one.labels.to_string() + "=" + std::to_string(one.total) + " ";
  return out;
}

}  // namespace

TEST_CASE("volumes by matcher names, targets, whole sets and label names") {
  const std::vector<StreamVolume> volumes = {stream(Labels{{"app", "a"}, {"env", "p"}}, {10, 5}),
                                             stream(Labels{{"app", "a"}, {"env", "d"}}, {1}),
                                             stream(Labels{{"app", "b"}}, {20})};
  VolumeGrouping grouping;
  grouping.matcher_names = {"app"};
  CHECK(shown(volumes, grouping) == "{app=\"b\"}=20 {app=\"a\"}=16 ");
  grouping.target_labels = {"env"};
  CHECK(shown(volumes, grouping) == "{env=\"p\"}=15 {env=\"d\"}=1 ");
  grouping.target_labels = {"none"};
  CHECK(shown(volumes, grouping).empty());
  VolumeGrouping whole;
  CHECK(shown(volumes, whole) == "{app=\"b\"}=20 {app=\"a\", env=\"p\"}=15 {app=\"a\", env=\"d\"}=1 ");
  VolumeGrouping names;
  names.by_labels = true;
  CHECK(shown(volumes, names) == "{app=\"\"}=36 {env=\"\"}=16 ");
  names.limit = 1;
  CHECK(shown(volumes, names) == "{app=\"\"}=36 ");
  whole.series_max = 2;
  CHECK(shown(volumes, whole) == "the query hit the max number of series limit (limit: 2 series)");
}

TEST_CASE("several tenants: labels and matchers") {
  CHECK(with_tenant_label(Labels{{"a", "b"}}, "t").to_string() == "{__tenant_id__=\"t\", a=\"b\"}");
  CHECK(with_tenant_label(Labels{{"__tenant_id__", "x"}}, "t").to_string() ==
        "{__tenant_id__=\"t\", original___tenant_id__=\"x\"}");
  std::vector<LabelMatcher> matchers = {*LabelMatcher::create("__tenant_id__", MatchOp::kRegex, "n.*"),
                                        *LabelMatcher::create("a", MatchOp::kEqual, "b")};
  CHECK(tenants_chosen_by(matchers, {"north", "south"}) == std::vector<std::string>{"north"});
  CHECK(matchers.size() == 1);
}
