#include "server/query_service.h"

#include <doctest/doctest.h>

#include "common/mem_filesystem.h"
#include "ingest/ingest_scenario.h"
#include "logql/query_profile.h"
#include "server/authenticator.h"
#include "server/tenant_gate.h"

namespace kvasir::server {
namespace {

/// A whole server without a network, with some lines of the tenants t and u.
struct World {
  World() {
    ingest::IngesterOptions options;
    options.background = false;
    store = ingest::Store::open(fs, options).value();
    for (const auto* tenant : {"t", "u"}) {
      std::vector<ingest::TestEntry> entries;
      for (int i = 0; i < 10; ++i)
        entries.push_back({i % 2 == 0 ? "even" : "odd", i * 1'000'000'000LL, tenant + std::to_string(i), ""});
      REQUIRE(store->push(tenant, entries));
    }
    deletes = std::make_unique<DeleteRequests>(store->storage(), clock);
    source = std::make_unique<StoreSource>(store->storage(), store->ingester(), deletes.get());
    services = std::make_unique<Services>(clock, config, gate, settings, metrics, *source, store->ingester(),
                                          store->storage(), scheduler, running, budget, *deletes, results, answers);
  }

  QueryCall call(std::string query, std::vector<std::string> tenants = {"t"}) {
    QueryCall call;
    for (auto& tenant : tenants) {
      auto limits = std::make_shared<TenantSettings>();
      limits->query = query_settings;
      call.tenants.tenants.push_back({std::move(tenant), std::move(limits), "me"});
    }
    call.tenants.several = call.tenants.tenants.size() > 1;
    call.route = "test";
    call.params.query = std::move(query);
    call.params.start = {0};
    call.params.end = {20'000'000'000};
    call.params.step = std::chrono::seconds(10);
    return call;
  }
  /// The error's text, or the lines of a log query in the order of the answer.
  std::string run(const QueryCall& call) {
    const auto outcome = QueryService(*services).run(call);
    if (!outcome) return outcome.error().message();
    std::string out;
    if (const auto* streams = std::get_if<logql::Streams>(&outcome->result)) {
      for (const auto& stream : streams->streams) {
        for (const auto& entry : stream.entries) out += entry.line + " ";
      }
    }
    if (const auto* vector = std::get_if<logql::Vector>(&outcome->result)) {
      for (const auto& series : vector->series)
        out += series.labels.to_string() + "=" + std::to_string(static_cast<int>(series.points.front().value)) + " ";
    }
    return out;
  }

  MemFilesystem fs;
  ManualClock clock{{20'000'000'000}};
  ServerConfig config;
  TenantSettingsStore settings{TenantSettings{}, {}, process_environment()};
  TenantGate gate{TenantGateOptions{}, *Authenticator::create(KvasirConfig{}, clock), settings};
  ServerMetrics metrics;
  std::unique_ptr<ingest::Store> store;
  QueryScheduler scheduler{1, 10, clock};
  RunningQueries running{clock};
  MemoryBudget budget{"queries", 64 << 20};
  std::unique_ptr<DeleteRequests> deletes;
  ResultCache results{1 << 20, nullptr};
  net::WorkerPool answers{{"answers", 1, 10}};
  std::unique_ptr<StoreSource> source;
  std::unique_ptr<Services> services;
  QuerySettings query_settings;
};

TEST_CASE("a query sees its tenant; with several, streams carry the tenant") {
  World f;
  auto one = f.call("{s=\"odd\"}");
  one.params.limit = 2;
  CHECK(f.run(one) == "t9 t7 ");
  auto both = f.call("sum by (__tenant_id__) (count_over_time({s=\"odd\"}[1m]))", {"t", "u"});
  both.params.instant = true;
  both.params.start = both.params.end;
  CHECK(f.run(both) == "{__tenant_id__=\"t\"}=5 {__tenant_id__=\"u\"}=5 ");
}

TEST_CASE("limits are checked in their order, and the strictest tenant's count") {
  World f;
  const auto with = [&](auto change, std::string query = "{s=\"odd\"}") {
    f.query_settings = {};
    change(f.query_settings);
    return f.run(f.call(std::move(query)));
  };
  CHECK(with([](auto& q) { q.max_entries_limit_per_query = 99; }) ==
        "max entries limit per query exceeded, limit > max_entries_limit_per_query (100 > 99)");
  CHECK(with([](auto& q) { q.max_query_length = std::chrono::seconds(5); }) ==
        "the query time range exceeds the limit (query length: 20s, limit: 5s)");
  CHECK(with([](auto& q) { q.required_labels = {"app"}; }) ==
        "stream selector is missing required matchers [app], labels present in the query were [s]");
  CHECK(with([](auto& q) { q.max_query_range = std::chrono::seconds(5); }, "rate({s=\"odd\"}[10s])") ==
        "[interval] value exceeds limit: [10s] > [5s]");
  CHECK(with([](auto& q) { q.max_query_series = 1; }, "sum by (s) (rate({s=~\".+\"}[10s]))")
            .starts_with("maximum number of series (1) reached for a single query"));
  // A query that cannot be read is refused before any limit is looked at.
  CHECK(with([](auto& q) { q.max_entries_limit_per_query = 1; }, "{s=").starts_with("parse error at line 1, col 4"));
  f.query_settings = {};
  QueryTenants two = f.call("{s=\"odd\"}", {"t", "u"}).tenants;
  auto strict = std::make_shared<TenantSettings>();
  strict->query.max_query_series = 7;
  two.tenants[1].settings = strict;
  CHECK(effective_settings(two).max_query_series == 7);
}

TEST_CASE("what is older than the look-back is not read; a plain log query is no instant one") {
  World f;
  f.query_settings.max_query_lookback = std::chrono::seconds(13);
  CHECK(f.run(f.call("{s=\"odd\"}")) == "t9 t7 ");
  auto old = f.call("{s=\"odd\"}");
  old.params.end = {5'000'000'000};
  CHECK(f.run(old).empty());
  auto instant = f.call("{s=\"odd\"}");
  instant.log_queries_allowed = false;
  CHECK(f.run(instant).starts_with("log queries are not supported as an instant query type"));
}

TEST_CASE("a query is listed while it runs, and ends when its client is gone") {
  World f;
  auto pages = QueryService(*f.services).open_pages(f.call("{s=~\".+\"}"), 1, std::nullopt).value();
  REQUIRE(f.running.list().size() == 1);
  CHECK(f.running.list().front().query == "{s=~\".+\"}");
  REQUIRE(f.running.cancel(f.running.list().front().id, ""));
  const auto page = pages->next();
  REQUIRE_FALSE(page.has_value());
  CHECK(page.error().code() == ErrorCode::kCancelled);
  pages.reset();
  CHECK(f.running.list().empty());
  auto gone = f.call("{s=\"odd\"}");
  std::stop_source client;
  client.request_stop();
  gone.client = client.get_token();
  CHECK(f.run(gone) == "the request was cancelled by the client");
}

TEST_CASE("pages together hold each entry once, in order") {
  World f;
  auto pages = QueryService(*f.services).open_pages(f.call("{s=~\".+\"}"), 1, std::nullopt).value();
  std::string lines;
  for (bool last = false; !last;) {
    const auto page = pages->next().value();
    for (const auto& row : page.rows) lines += row.entry.line + " ";
    last = page.last;
  }
  CHECK(lines == "t9 t8 t7 t6 t5 t4 t3 t2 t1 t0 ");
}

TEST_CASE("a profile counts what each operator did, in one execution") {
  World f;
  logql::QueryProfile profile;
  auto call = f.call("sum(count_over_time({s=~\".+\"} |= \"t\" | logfmt | s=\"odd\" [1m]))");
  call.params.instant = true;
  call.params.start = call.params.end;
  call.profile = &profile;
  CHECK(f.run(call) == "{}=5 ");
  REQUIRE(profile.scans().size() == 1);
  const auto& scan = profile.scans().front();
  CHECK(scan.operators[logql::ScanProfile::kSelect].rows_out == 10);
  CHECK(scan.operators[logql::ScanProfile::kOpen].rows_out == 10);
  CHECK(scan.operators[logql::ScanProfile::kResult].rows_in == 5);
  REQUIRE(scan.stages.size() == 3);
  CHECK(scan.stages[2].rows_in == 10);
  CHECK(scan.stages[2].rows_out == 5);
}

}  // namespace
}  // namespace kvasir::server
