#include "server/query_scheduler.h"

#include <doctest/doctest.h>

#include <latch>
#include <string>

#include "server/running_queries.h"

using namespace kvasir;
using namespace kvasir::server;

namespace {

/// Occupies the only worker until released.
struct Blocker {
  explicit Blocker(QueryScheduler& scheduler) {
    scheduler.submit("blocker", {[this](Duration) {
                                   started.count_down();
                                   release.wait();
                                 },
                                 {}});
    started.wait();
  }
  std::latch started{1};
  std::latch release{1};
};

}  // namespace

TEST_CASE("tenants take turns") {
  QueryScheduler scheduler(1, 100, system_clock());
  Blocker blocker(scheduler);
  std::string order;
  std::latch done(5);
  const auto add = [&](const char* tenant) {
    scheduler.submit(tenant, {[&order, &done, tenant](Duration) {
                                order += tenant;
                                done.count_down();
                              },
                              {}});
  };
  for (const char* tenant : {"a", "a", "a", "b", "c"}) add(tenant);
  CHECK(scheduler.waiting() == 5);
  CHECK(scheduler.running() == 1);
  blocker.release.count_down();
  done.wait();
  CHECK(order == "abcaa");
}

TEST_CASE("a tenant's queue is bounded, others are not hurt") {
  QueryScheduler scheduler(1, 2, system_clock());
  Blocker blocker(scheduler);
  CHECK(scheduler.submit("a", {[](Duration) {}, {}}));
  CHECK(scheduler.submit("a", {[](Duration) {}, {}}));
  CHECK_FALSE(scheduler.submit("a", {[](Duration) {}, {}}));
  CHECK(scheduler.submit("b", {[](Duration) {}, {}}));
  blocker.release.count_down();
  scheduler.close();  // nobody waits on the blocker any more
}

TEST_CASE("close drops what waits and says so") {
  QueryScheduler scheduler(1, 10, system_clock());
  Blocker blocker(scheduler);
  std::atomic<int> dropped{0};
  std::atomic<int> ran{0};
  for (int i = 0; i < 3; ++i) scheduler.submit("a", {[&](Duration) { ++ran; }, [&] { ++dropped; }});
  std::thread closer([&] { scheduler.close(); });
  while (dropped < 3) std::this_thread::yield();
  blocker.release.count_down();
  closer.join();
  CHECK(ran == 0);
  CHECK_FALSE(scheduler.submit("a", {[](Duration) {}, {}}));
}

TEST_CASE("a job that throws does not end its worker") {
  QueryScheduler scheduler(1, 10, system_clock());
  std::latch done(1);
  scheduler.submit("a", {[](Duration) { throw std::runtime_error("x"); }, {}});
  scheduler.submit("a", {[&](Duration) { done.count_down(); }, {}});
  done.wait();
}

TEST_CASE("running queries can be listed and cancelled, by their tenant only") {
  ManualClock clock(TimestampNs{5});
  RunningQueries running(clock);
  std::stop_source client;
  auto ticket = running.start({0, "a", "{x=\"y\"}", "query", "peer", {}}, client.get_token());
  REQUIRE(running.list().size() == 1);
  CHECK(running.list()[0].started.value == 5);
  CHECK_FALSE(running.cancel(99, ""));
  CHECK_FALSE(running.cancel(running.list()[0].id, "b"));
  CHECK_FALSE(ticket->stop_token().stop_requested());
  CHECK(running.cancel(running.list()[0].id, "a"));
  CHECK(ticket->stop_token().stop_requested());
  auto other = running.start({0, "a", "", "query", "peer", {}}, client.get_token());
  client.request_stop();
  CHECK(other->stop_token().stop_requested());
  ticket.reset();
  other.reset();
  CHECK(running.list().empty());
}
