#include <doctest/doctest.h>

#include <random>
#include <set>

#include "common/crash_filesystem.h"
#include "common/mem_filesystem.h"
#include "index/index_store.h"
#include "index/stream_index.h"

namespace kvasir::index {
namespace {

constexpr std::int64_t kDay = std::int64_t{86400} * 1'000'000'000;
constexpr TimeRange kEver{TimestampNs::min(), TimestampNs::max()};

std::shared_ptr<const Labels> labels_of(std::initializer_list<Label> pairs) {
  return std::make_shared<const Labels>(pairs);
}

LabelMatcher matcher(std::string name, std::string_view op, std::string value) {
  const MatchOp kind = op == "=" ? MatchOp::kEqual : op == "!=" ? MatchOp::kNotEqual : op == "=~" ? MatchOp::kRegex
                                                                                            : MatchOp::kNotRegex;
  return LabelMatcher::create(std::move(name), kind, std::move(value)).value();
}

struct Fixture {
  Fixture() {
    for (const auto& labels :
         {labels_of({{"app", "web"}, {"env", "prod"}}), labels_of({{"app", "web"}, {"env", "dev"}}),
          labels_of({{"app", "db"}, {"env", "prod"}}), labels_of({{"host", "h1"}})}) {
      const StreamId id = index.find_or_add(labels->fingerprint(), labels);
      index.note_data(id, {id * kDay}, {id * kDay + 5});
    }
  }
  std::vector<StreamId> select(std::vector<LabelMatcher> matchers) const { return index.select(matchers); }
  StreamIndex index;
};

using Ids = std::vector<StreamId>;
using Names = std::vector<std::string>;

Names values_of(const StreamIndex& index, std::string_view name, std::vector<LabelMatcher> matchers, TimeRange range) {
  const auto found = index.label_values(name, matchers, range);
  return {found.begin(), found.end()};
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "selectors") {
  CHECK(select({}) == Ids{0, 1, 2, 3});
  CHECK(select({matcher("app", "=", "web")}) == Ids{0, 1});
  CHECK(select({matcher("app", "=", "web"), matcher("env", "=", "dev")}) == Ids{1});
  CHECK(select({matcher("app", "=~", "w.*|db")}) == Ids{0, 1, 2});
  CHECK(select({matcher("app", "=~", "we")}).empty());
  CHECK(select({matcher("app", "!=", "web")}) == Ids{2, 3});
  CHECK(select({matcher("app", "!~", "web|db")}) == Ids{3});
  CHECK(select({matcher("app", "=", "")}) == Ids{3});
  CHECK(select({matcher("app", "!=", "")}) == Ids{0, 1, 2});
  CHECK(select({matcher("app", "=~", ".*")}) == Ids{0, 1, 2, 3});
  CHECK(select({matcher("app", "=~", ".+")}) == Ids{0, 1, 2});
  CHECK(select({matcher("none", "=", "x")}).empty());
  CHECK(select({matcher("none", "!=", "x")}) == Ids{0, 1, 2, 3});
  CHECK(select({matcher("env", "=~", "prod|"), matcher("app", "!=", "db")}) == Ids{0, 3});
}

TEST_CASE("selection agrees with trying every matcher on every stream, for many streams") {
  StreamIndex index;
  for (int i = 0; i < 7000; ++i) {
    const auto labels = labels_of({{"a", std::to_string(i % 3)}, {i % 5 == 0 ? "b" : "c", std::to_string(i % 7)},
                                   {"id", std::to_string(i)}});
    index.note_data(index.find_or_add(labels->fingerprint(), labels), {0}, {0});
  }
  const std::vector<LabelMatcher> all{matcher("a", "=", "1"),  matcher("a", "!=", "1"), matcher("b", "=~", "[0-3]"),
                                      matcher("b", "!~", "2"), matcher("c", "=", ""),   matcher("id", "=~", ".*7")};
  for (const auto& first : all) {
    for (const auto& second : all) {
      const std::vector<LabelMatcher> both{first, second};
      Ids want;
      for (StreamId id = 0; id < index.size(); ++id) {
        if (first.matches(*index.labels(id)) && second.matches(*index.labels(id))) want.push_back(id);
      }
      CHECK(index.select(both) == want);
      std::set<std::string> values;
      for (const StreamId id : want) values.emplace(*index.labels(id)->get("id"));
      CHECK(values_of(index, "id", both, {{0}, {kDay}}) == Names(values.begin(), values.end()));
    }
  }
}

TEST_CASE_FIXTURE(Fixture, "ids are given once") {
  const auto same = labels_of({{"app", "web"}, {"env", "prod"}});
  CHECK(index.find_or_add(same->fingerprint(), same) == 0);
  CHECK(index.find(same->fingerprint(), *same) == 0);
  const auto other = labels_of({{"x", "y"}});
  CHECK_FALSE(index.find(same->fingerprint(), *other).has_value());
  CHECK(index.find_or_add(same->fingerprint(), other) == 4);  // a collision: labels decide
  CHECK(index.find(same->fingerprint(), *other) == 4);
}

TEST_CASE("values come in order however they are added, between and while they are asked for") {
  std::mt19937_64 random(7);
  StreamIndex index;
  std::set<std::string> known;
  for (int i = 0; i < 6000; ++i) {
    const std::string value = std::to_string(random() % 4000) + (i % 3 == 0 ? "" : "-of-a-longer-name");
    const auto labels = labels_of({{"n", std::to_string(i)}, {"v", value}});
    index.note_data(index.find_or_add(labels->fingerprint(), labels), {0}, {0});
    known.insert(value);
    if (i % 997 == 0) CHECK(values_of(index, "v", {}, kEver) == Names(known.begin(), known.end()));
  }
  const auto before = index.label_values("v", {}, kEver);
  CHECK(values_of(index, "v", {}, kEver) == Names(known.begin(), known.end()));
  CHECK(values_of(index, "v", {matcher("v", "!=", "1")}, {{0}, {1}}).size() >= known.size() - 1);
  CHECK(values_of(index, "v", {}, {{kDay}, {2 * kDay}}).empty());
  const auto more = labels_of({{"v", "0000"}});
  index.note_data(index.find_or_add(more->fingerprint(), more), {kDay}, {kDay});
  CHECK(values_of(index, "v", {}, {{kDay}, {2 * kDay}}) == Names{"0000"});
  CHECK(Names(before.begin(), before.end()) == Names(known.begin(), known.end()));  // views stay good
}

TEST_CASE_FIXTURE(Fixture, "label names and values by time") {
  CHECK(index.label_names({}, kEver) == Names{"app", "env", "host"});
  CHECK(index.label_names({}, {{0}, {kDay}}) == Names{"app", "env"});
  CHECK(index.label_names({}, {{3 * kDay}, {3 * kDay + 1}}) == Names{"host"});
  CHECK(index.label_names({}, {{0}, {0}}).empty());
  CHECK(values_of(index, "app", {}, kEver) == Names{"db", "web"});
  CHECK(values_of(index, "env", {matcher("app", "=", "db")}, kEver) == Names{"prod"});
  CHECK(values_of(index, "env", {}, {{kDay}, {2 * kDay}}) == Names{"dev"});
  CHECK(index.label_values("none", {}, kEver).empty());
  CHECK(index.label_names(std::vector{matcher("app", "=", "db")}, kEver) == Names{"app", "env"});
  CHECK(index.has_label("host"));
  CHECK_FALSE(index.has_label("none"));
  index.forget_data();
  CHECK(index.label_names({}, kEver).empty());
}

TEST_CASE("days of data in any order, with gaps") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    StreamIndex index;
    const auto labels = std::make_shared<const Labels>(Labels{{"a", "b"}});
    const StreamId id = index.find_or_add(labels->fingerprint(), labels);
    std::set<int> days;
    for (int n = 1 + static_cast<int>(random() % 8); n > 0; --n) {
      const int day = static_cast<int>(random() % 12), length = static_cast<int>(random() % 3);
      for (int d = day; d <= day + length; ++d) days.insert(d);
      index.note_data(id, TimestampNs{day * kDay}, TimestampNs{(day + length) * kDay});
    }
    for (int first = 0; first < 15; ++first) {
      for (int last = first; last < 15; ++last) {
        const auto found = days.lower_bound(first);
        const bool want = found != days.end() && *found <= last;
        CHECK(index.with_data({id}, {{first * kDay}, {last * kDay + 1}}).empty() != want);
        CHECK(index.label_values("a", {}, {{first * kDay}, {last * kDay + 1}}).empty() != want);
      }
    }
  }
}

TEST_CASE("days before the epoch") {
  StreamIndex index;
  const auto labels = labels_of({{"a", "b"}});
  index.find_or_add(labels->fingerprint(), labels);
  index.note_data(0, {-kDay - 1}, {-1});
  CHECK(index.with_data({0}, {{-1}, {0}}) == Ids{0});
  CHECK(index.with_data({0}, {{-2 * kDay}, {-kDay}}) == Ids{0});
  CHECK(index.with_data({0}, {{0}, {kDay}}).empty());
}

TEST_CASE("the store gives back what was put, after a restart too") {
  CrashFilesystem fs;
  const std::vector<CatalogueStream> one{{labels_of({{"a", "1"}}), {5}, {9}}, {labels_of({{"a", "2"}}), {-7}, {-7}}};
  const std::vector<CatalogueStream> two{{labels_of({{"a", "2"}}), {TimestampNs::min()}, {TimestampNs::max()}}};
  {
    auto store = IndexStore::open("d/index", fs).value();
    REQUIRE(store->put("t", 1, one));
    REQUIRE(store->put("t", 2, two));
    REQUIRE(store->put("t2", 7, two));
    REQUIRE(store->put("t", 3, {}));
    const std::vector<std::uint64_t> gone{3};
    REQUIRE(store->remove("t", gone));
  }
  auto store = IndexStore::open("d/index", fs).value();
  CHECK(store->segments("t").value() == std::vector<std::uint64_t>{1, 2});
  CHECK(store->segments("t2").value() == std::vector<std::uint64_t>{7});
  CHECK(store->segments("").value().empty());
  const auto found = store->streams("t", 1).value().value();
  REQUIRE(found.size() == 2);
  CHECK(*found[1].labels == *one[1].labels);
  CHECK(found[1].first.value == -7);
  const auto wide = store->streams("t", 2).value().value();
  CHECK(wide[0].first == TimestampNs::min());
  CHECK(wide[0].last == TimestampNs::max());
  CHECK_FALSE(store->streams("t", 3).value().has_value());
  CHECK_FALSE(store->streams("u", 1).value().has_value());
}

TEST_CASE("a damaged database is made anew") {
  MemFilesystem fs;
  { REQUIRE(IndexStore::open("index", fs).value()->put("t", 1, {})); }
  REQUIRE(write_atomically(fs, "index/CURRENT", "nonsense"));
  auto store = IndexStore::open("index", fs);
  REQUIRE(store);
  CHECK((*store)->segments("t").value().empty());
  REQUIRE((*store)->put("t", 1, {}));
}

}  // namespace kvasir::index
