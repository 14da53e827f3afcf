#include "server/tail_hub.h"

#include <doctest/doctest.h>
#include <prometheus/gauge.h>

#include "common/mem_filesystem.h"
#include "ingest/ingest_scenario.h"
#include "logql/syntax/parser.h"
#include "server/store_source.h"

namespace kvasir::server {
namespace {

/// Keeps frames; filled by the hub's thread.
class Socket final : public net::WebSocketSession {
 public:
  Sent send_text(std::string text) override {
    MutexLock lock(mutex_);
    text_ += text;
    changed_.notify_all();
    return Sent::kQueued;
  }
  void close(std::uint16_t code, std::string reason) override {
    MutexLock lock(mutex_);
    closed_ = std::to_string(code) + " " + reason;
    changed_.notify_all();
  }
  std::stop_token stop_token() const override { return {}; }

  /// Waits for it.
  bool has(std::string_view part) {
    MutexLock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return text_.find(part) != std::string::npos; });
  }
  std::string text() {
    MutexLock lock(mutex_);
    return text_;
  }
  std::string closed() {
    MutexLock lock(mutex_);
    (void)changed_.wait_for(lock, std::chrono::seconds(60), [&] { return !closed_.empty(); });
    return closed_;
  }

 private:
  Mutex mutex_;
  Condition changed_;
  std::string text_ KVASIR_GUARDED_BY(mutex_);
  std::string closed_ KVASIR_GUARDED_BY(mutex_);
};

struct Hub {
  Hub() {
    ingest::IngesterOptions options;
    options.background = false;
    store = ingest::Store::open(fs, options).value();
    source = std::make_unique<StoreSource>(store->storage(), store->ingester());
    hub = std::make_unique<TailHub>(store->ingester(), *source, metrics, clock);
  }

  struct Tail {
    std::shared_ptr<Socket> socket = std::make_shared<Socket>();
    std::shared_ptr<TailSession> session;
  };
  /// A tail that is live from the beginning.
  Tail tail(const std::string& tenant, const std::string& query, Duration deadline = std::chrono::hours(1)) {
    Tail made;
    TailOptions options;
    options.tenant = tenant;
    options.deadline = deadline;
    made.session = TailSession::create(std::move(options), *logql::parse_log_query(query), *source).value();
    made.session->attach(made.socket);
    made.session->begin_live({});
    return made;
  }

  MemFilesystem fs;
  ManualClock clock{{1'000}};
  ServerMetrics metrics;
  std::unique_ptr<ingest::Store> store;
  std::unique_ptr<StoreSource> source;
  std::unique_ptr<TailHub> hub;
};

TEST_CASE("applied entries go to the tails of their tenant whose selector they match, and to no other") {
  Hub f;
  const auto a = f.tail("t", "{s=\"a\"}");
  const auto b = f.tail("t", "{s=\"b\"} |= \"good\"");
  const auto stranger = f.tail("other", "{s=~\".+\"}");
  for (const auto* one : {&a, &b, &stranger}) REQUIRE(f.hub->add(one->session, -1));
  CHECK(f.hub->count("t") == 2);
  CHECK(f.metrics.tails_active().Value() == 3);
  REQUIRE(f.store->push("t", {{"a", 1, "first", ""}, {"b", 2, "bad", ""}, {"b", 3, "good one", ""}}));
  REQUIRE(f.store->push("other", {{"a", 4, "theirs", ""}}));
  CHECK(a.socket->has("first"));
  CHECK(b.socket->has("good one"));
  CHECK(stranger.socket->has("theirs"));
  CHECK(a.socket->text().find("good one") == std::string::npos);
  CHECK(b.socket->text().find("bad") == std::string::npos);
  CHECK(stranger.socket->text().find("first") == std::string::npos);
}

TEST_CASE("a tenant has as many tails as it may; an ended one makes room") {
  Hub f;
  const auto first = f.tail("t", "{s=\"a\"}", std::chrono::seconds(5));
  const auto second = f.tail("t", "{s=\"a\"}");
  CHECK_FALSE(f.hub->add(first.session, 0));
  REQUIRE(f.hub->add(first.session, 1));
  CHECK_FALSE(f.hub->add(second.session, 1));
  REQUIRE(f.hub->add(f.tail("other", "{s=\"a\"}").session, 1));
  f.clock.advance(std::chrono::seconds(6));
  CHECK(first.socket->closed() == "1011 reached tail max duration limit");
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (f.hub->count("t") > 0 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  CHECK(f.hub->count("t") == 0);
  CHECK(f.hub->add(second.session, 1));
}

TEST_CASE("closing ends every tail with the reason, takes no new ones, and entries no longer come") {
  Hub f;
  const auto tail = f.tail("t", "{s=\"a\"}");
  REQUIRE(f.hub->add(tail.session, -1));
  f.hub->close("the server is stopping");
  CHECK(tail.socket->closed() == "1001 the server is stopping");
  CHECK_FALSE(f.hub->add(f.tail("t", "{s=\"a\"}").session, -1));
  REQUIRE(f.store->push("t", {{"a", 1, "late", ""}}));
  CHECK(tail.socket->text().empty());
}

}  // namespace
}  // namespace kvasir::server
