// A client against a server that answers as a script says.
#include "promtail-agent/client/push_client.h"

#include <doctest/doctest.h>
#include <snappy.h>

#include <set>
#include <thread>

#include "common/fault_filesystem.h"
#include "common/mem_filesystem.h"
#include "common/net/http_server.h"

namespace kvasir::agent {

namespace {

/// Gives the scripted statuses one after the other, then 204; remembers what was accepted.
class ScriptedServer {
 public:
  ScriptedServer() : server_(net::HttpServerOptions()) {
    server_.add({{"POST"}, "/push", net::kIoPool, 64 << 20, [this](net::HttpRequest request, const auto& reply) {
                   reply->send(answer(request));
                 }});
    REQUIRE(server_.start());
  }
  ~ScriptedServer() { server_.drain(Duration(0)); }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()) + "/push"; }
  void script(std::vector<net::HttpResponse> answers) {
    const MutexLock lock(mutex_);
    script_ = std::move(answers);
  }
  bool wait_for(std::size_t accepted) {
    MutexLock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return accepted_.size() >= accepted; });
  }
  bool wait_for_requests(std::size_t count) {
    MutexLock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return times_.size() >= count; });
  }
  /// Bodies, decompressed.
  std::vector<std::string> accepted() {
    const MutexLock lock(mutex_);
    return accepted_;
  }
  std::vector<std::string> ranges() {
    const MutexLock lock(mutex_);
    return ranges_;
  }
  std::vector<Duration> times() {
    const MutexLock lock(mutex_);
    return times_;
  }

 private:
  net::HttpResponse answer(const net::HttpRequest& request) {
    const MutexLock lock(mutex_);
    times_.push_back(system_clock().steady());
    ranges_.push_back(std::string(request.headers.value_or_empty("X-Kvasir-Source")) + " " +
                      std::string(request.headers.value_or_empty("X-Kvasir-Range")));
    net::HttpResponse response = net::HttpResponse::empty(204);
    if (!script_.empty()) {
      response = std::move(script_.front());
      script_.erase(script_.begin());
    }
    if (response.status == 204) {
      std::string raw;
      REQUIRE(snappy::Uncompress(request.body.data(), request.body.size(), &raw));
      accepted_.push_back(raw);
    }
    changed_.notify_all();
    return response;
  }

  net::HttpServer server_;
  Mutex mutex_;
  Condition changed_;
  std::vector<net::HttpResponse> script_;
  std::vector<std::string> accepted_, ranges_;
  std::vector<Duration> times_;
};

class Sending {
 public:
  explicit Sending(std::function<void(PushClientParts&)> change = {}) : metrics(system_clock()), faulty(disk) {
    PushClientParts parts;
    parts.config.name = "test";
    parts.config.url = server.url();
    parts.config.batch_wait = std::chrono::milliseconds(20);
    parts.config.backoff.min_period = std::chrono::milliseconds(10);
    parts.config.backoff.max_period = std::chrono::milliseconds(50);
    if (change) change(parts);
    auto http = HttpSender::create({}, {}, system_clock());
    REQUIRE(http);
    parts.http = std::move(*http);
    std::unique_ptr<Spool> opened;
    if (parts.spool_config.mode != SpoolConfig::Mode::kOff) {
      auto spool = Spool::open(faulty, "/spool", {1 << 20, false});
      REQUIRE(spool);
      opened = std::move(*spool);
    }
    parts.metrics = &metrics;
    parts.progress = &progress;
    parts.clock = &system_clock();
    parts.origin = "origin";
    source = progress.create("file/1", 0);
    client = std::make_unique<PushClient>(std::move(parts));
    client->start(std::move(opened));
  }

  void push(const std::string& line, const Labels& labels = Labels{{"job", "x"}}) {
    const std::uint64_t end = at_ + line.size() + 1;
    Entry entry;
    entry.begin(make_label_set(labels), TimestampNs{1}, line, SourceRange{source->id(), at_, end});
    REQUIRE(client->push(entry, cancelled_));
    at_ = end;
    source->set_read(end);
  }
  std::uint64_t end() const { return at_; }
  double counter(const std::string& name, const Labels& labels) { return metrics.counter(name, "", labels)->value(); }
  Labels dropped(const char* reason) const {
    return {{"host", server.url().substr(7, server.url().size() - 12)}, {"reason", reason}, {"tenant", ""}};
  }

  ScriptedServer server;
  MetricRegistry metrics;
  ProgressTable progress;
  ProgressPtr source;
  MemFilesystem disk;
  FaultFilesystem faulty;
  std::unique_ptr<PushClient> client;

 private:
  std::uint64_t at_ = 0;
  std::atomic<bool> cancelled_{false};
};

net::HttpResponse refusal(int status, const char* retry_after = nullptr) {
  net::HttpResponse response = net::HttpResponse::text(status, "no\n");
  if (retry_after != nullptr) response.headers.set("Retry-After", retry_after);
  return response;
}

}  // namespace

TEST_CASE("a source that can refuse is told when the queue is full, and when there is room again") {
  Sending sending([](PushClientParts& parts) {
    parts.config.batch_bytes = 1000;
    parts.spool_config.memory_bytes_max = 100'000;
  });
  CHECK(sending.client->wait_for_room("", 1'000'000, Duration(0)));
  sending.server.script(std::vector<net::HttpResponse>(400, refusal(503, "1")));
  std::uint64_t state = 1;
  for (int line = 0; line < 90; ++line) {
    std::string text(900, ' ');
    for (char& c : text) c = static_cast<char>('!' + (state = state * 6364136223846793005ULL + 99) / (1ULL << 58));
    sending.push(text);
  }
  CHECK(sending.client->wait_for_room("", 10, Duration(0)));
  CHECK(!sending.client->wait_for_room("", 90'000, std::chrono::milliseconds(20)));
  CHECK(sending.client->wait_for_room("other", 90'000, Duration(0)));
}

TEST_CASE("a request that was let in is taken whole, and counts from its first line on") {
  Sending sending([](PushClientParts& parts) {
    parts.config.batch_bytes = 1000;
    parts.spool_config.memory_bytes_max = 10'000;
  });
  sending.server.script(std::vector<net::HttpResponse>(400, refusal(503, "1")));
  const std::atomic<bool> cancelled{false};
  std::uint64_t state = 1;
  const auto push_request = [&](int lines) {  // of 100 bytes that cannot be compressed, ten in a batch
    for (int line = 0; line < lines; ++line) {
      std::string text(100, ' ');
      for (char& c : text) c = static_cast<char>((state = state * 6364136223846793005ULL + 99) >> 56);
      Entry entry;
      entry.begin(make_label_set(Labels{{"job", "x"}}), TimestampNs{1}, text);
      REQUIRE(sending.client->push(entry, cancelled));
    }
  };
  CHECK(sending.client->wait_for_room("", 50'000, Duration(0)));  // larger than the queue, which is empty
  push_request(500);
  CHECK(!sending.client->wait_for_room("", 10, std::chrono::milliseconds(20)));
}

TEST_CASE("an entry that waits for room keeps its labels while others come with many new ones") {
  Sending sending([](PushClientParts& parts) {
    parts.config.backoff.max_retries = 1'000'000;
    parts.spool_config.memory_bytes_max = 1;
  });
  sending.server.script(std::vector<net::HttpResponse>(10'000, refusal(503)));
  sending.push("fills the queue");
  REQUIRE(sending.server.wait_for_requests(1));
  std::thread waiting([&] { sending.push("waits", Labels{{"job", "of the one that waits"}}); });
  const std::atomic<bool> cancelled{true};  // these do not wait
  for (std::size_t i = 0; i < 2 * kStreamsCachedMax; ++i) {
    Entry entry;
    entry.begin(make_label_set(Labels{{"job", "x"}}), TimestampNs{1}, "none");
    CHECK(!sending.client->push(entry, cancelled));
  }
  sending.server.script({});
  waiting.join();
  REQUIRE(sending.server.wait_for(2));
  CHECK(sending.server.accepted().at(1).find("of the one that waits") != std::string::npos);
}

TEST_CASE("past kTenantsMax tenants a request of a new one finds no room") {
  Sending sending;
  for (std::size_t i = 0; i < kTenantsMax; ++i)
    REQUIRE(sending.client->wait_for_room("tenant " + std::to_string(i), 1, Duration(0)));
  CHECK(!sending.client->wait_for_room("one more", 1, Duration(0)));
  CHECK(sending.client->wait_for_room("tenant 0", 1, Duration(0)));
}

TEST_CASE("what a status makes of a batch") {
  const struct {
    int status;
    bool delivered;
    const char* reason;
  } cases[] = {
      {500, true, "ingester_error"}, {503, true, "ingester_error"},  {429, true, "rate_limited"},
      {401, true, "ingester_error"}, {400, false, "ingester_error"}, {422, false, "ingester_error"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.status);
    Sending sending;
    sending.server.script({refusal(c.status)});
    sending.push("one");
    if (c.delivered) {
      REQUIRE(sending.server.wait_for(1));
      const auto ranges = sending.server.ranges();
      CHECK(ranges.at(0) == ranges.at(1));  // the same name, so that a server may know it
    } else {
      REQUIRE(sending.server.wait_for_requests(1));
    }
    sending.client->request_stop();
    sending.client->finish(system_clock().steady() + std::chrono::seconds(60));
    CHECK(sending.counter("promtail_dropped_entries_total", sending.dropped(c.reason)) == (c.delivered ? 0 : 1));
    CHECK(sending.source->committable() == sending.end());
  }
}

TEST_CASE("Retry-After is waited for") {
  Sending sending;
  sending.server.script({refusal(429, "1")});
  sending.push("one");
  REQUIRE(sending.server.wait_for(1));
  const auto times = sending.server.times();
  REQUIRE(times.size() == 2);
  CHECK(times[1] - times[0] >= std::chrono::milliseconds(950));
}

TEST_CASE("past max_streams only new streams are dropped, and counted") {
  Sending sending([](PushClientParts& parts) { parts.limits.max_streams = 2; });
  for (const char* name : {"a", "b", "c", "a", "b", "d"})
    sending.push(std::string("line of ") + name, Labels{{"s", name}});
  sending.client->request_stop();
  sending.client->finish(system_clock().steady() + std::chrono::seconds(60));
  std::string all;
  for (const std::string& body : sending.server.accepted()) all += body;
  CHECK(all.find("line of a") != std::string::npos);
  CHECK(all.find("line of b") != std::string::npos);
  CHECK(all.find("line of c") == std::string::npos);
  CHECK(sending.counter("promtail_dropped_entries_total", sending.dropped("stream_limited")) == 2);
  CHECK(sending.source->committable() == sending.end());
}

TEST_CASE("a batch that is too large is sent in halves, and a single entry that is, is counted") {
  Sending sending;
  sending.server.script({refusal(413)});
  sending.push("first");
  sending.push("second");
  REQUIRE(sending.server.wait_for(2));
  const auto bodies = sending.server.accepted();
  CHECK(bodies.at(0).find("first") != std::string::npos);
  CHECK(bodies.at(1).find("second") != std::string::npos);
  sending.server.script({refusal(413)});
  sending.push("alone");
  sending.client->request_stop();
  sending.client->finish(system_clock().steady() + std::chrono::seconds(60));
  CHECK(sending.counter("promtail_dropped_entries_total", sending.dropped("line_too_long")) == 1);
}

TEST_CASE("with spool.mode always nothing is sent that is not on disk, and the disk has the batches in order") {
  Sending sending([](PushClientParts& parts) { parts.spool_config.mode = SpoolConfig::Mode::kAlways; });
  sending.faulty.set_plan({0, UINT64_MAX, FaultKind::kNoSpace});
  sending.push("first");
  std::set<std::string> seen;
  for (int i = 0; i < 20 && !sending.faulty.fired(); ++i) (void)sending.server.wait_for_requests(1);
  CHECK(sending.faulty.fired());
  CHECK(sending.server.ranges().empty());
  CHECK(sending.source->committable() == 0);
  sending.faulty.set_plan({});
  sending.push("second");
  REQUIRE(sending.server.wait_for(1));
  sending.client->request_stop();
  sending.client->finish(system_clock().steady() + std::chrono::seconds(60));
  std::string all;
  for (const std::string& body : sending.server.accepted()) all += body;
  CHECK(all.find("first") < all.find("second"));
  CHECK(all.find("second") != std::string::npos);
  CHECK(sending.source->committable() == sending.end());
}

TEST_CASE("what is not delivered when the end comes is in the spool, and the next run sends it under the same name") {
  Sending sending([](PushClientParts& parts) { parts.spool_config.mode = SpoolConfig::Mode::kAlways; });
  sending.server.script(std::vector<net::HttpResponse>(1000, refusal(500)));
  sending.push("kept");
  REQUIRE(sending.server.wait_for_requests(1));
  sending.client->request_stop();
  sending.client->finish(system_clock().steady());
  CHECK(sending.source->committable() == sending.end());
  auto again = Spool::open(sending.disk, "/spool", {1 << 20, false});
  REQUIRE(again);
  REQUIRE((*again)->found().size() == 1);
  CHECK((*again)->found()[0].record.origin + "/test/ 0-1" == sending.server.ranges().at(0));
  CHECK((*again)->found()[0].record.positions == SourcePositions{{"file/1", sending.end()}});
}

}  // namespace kvasir::agent

namespace kvasir::agent {

namespace {

net::HttpResponse with_ledger() {
  net::HttpResponse response = net::HttpResponse::empty(204);
  response.headers.set("X-Kvasir-Ledger", "1");
  return response;
}

ingest::FileCover only_cover(std::string request) {
  const auto covers = ingest::decode_covers(take_covers(request));
  REQUIRE(covers);
  REQUIRE(covers->size() == 1);
  return covers->front();
}

}  // namespace

TEST_CASE("what a server with a ledger refused is told to it with the next batch, also when that is empty") {
  for (const bool more : {false, true}) {
    CAPTURE(more);
    Sending sending([](PushClientParts& parts) { parts.agent = "host"; });
    sending.source->set_identity({"/log/a", 1, 2, false, 4, 5});
    sending.server.script({with_ledger(), refusal(400), with_ledger()});
    sending.push("taken");
    REQUIRE(sending.server.wait_for(1));
    const std::uint64_t begin = sending.end();
    sending.push("refused");
    const std::uint64_t end = sending.end();
    REQUIRE(sending.server.wait_for_requests(2));
    if (more) sending.push("taken");
    sending.client->request_stop();
    sending.client->finish(system_clock().steady() + std::chrono::seconds(60));
    const auto accepted = sending.server.accepted();
    REQUIRE(accepted.size() == 2);
    CHECK(only_cover(accepted[0]).stored == ingest::ByteRanges{{0, begin}});
    std::string second = accepted[1];
    const auto covers = *ingest::decode_covers(take_covers(second));
    CHECK(covers.back().file == "host/file/1");
    CHECK(covers.back().entries == 0);
    CHECK(covers.back().stored.empty());
    REQUIRE(covers.back().left_out.size() == 1);
    CHECK(covers.back().left_out[0] == ingest::LeftOut{"ingester_error", 1, {{begin, end}}});
    CHECK(second.empty() == !more);
  }
}

TEST_CASE("what was left out is told to a server that keeps a ledger, and no other is sent an empty batch") {
  for (const bool ledger : {false, true}) {
    CAPTURE(ledger);
    Sending sending([](PushClientParts& parts) { parts.agent = "host"; });
    sending.source->set_identity({"/log/a", 1, 2, false, 4, 5});
    if (ledger) sending.server.script({with_ledger()});
    sending.push("taken");
    REQUIRE(sending.server.wait_for(1));
    const SourceRange range{sending.source->id(), sending.end(), sending.end() + 9};
    sending.client->leave_out({&range, 1}, "stage:drop");
    sending.source->set_read(range.end);
    if (ledger) CHECK(sending.source->committable() <= sending.end());
    sending.client->request_stop();
    sending.client->finish(system_clock().steady() + std::chrono::seconds(60));
    CHECK(sending.source->committable() == range.end);
    const auto accepted = sending.server.accepted();
    REQUIRE(accepted.size() == (ledger ? 2 : 1));
    if (!ledger) continue;
    CHECK(only_cover(accepted[1]).left_out.at(0) == ingest::LeftOut{"stage:drop", 1, {{range.begin, range.end}}});
  }
}

TEST_CASE("of a batch in two halves of which the first is refused nothing is told as stored") {
  Sending sending([](PushClientParts& parts) { parts.agent = "host"; });
  sending.source->set_identity({"/log/a", 1, 2, false, 4, 5});
  sending.server.script({refusal(413), refusal(400), with_ledger(), with_ledger()});
  sending.push("one");
  sending.push("two");
  sending.client->request_stop();
  sending.client->finish(system_clock().steady() + std::chrono::seconds(60));
  const auto accepted = sending.server.accepted();
  REQUIRE(accepted.size() == 2);
  std::string second_half = accepted[0];
  CHECK(take_covers(second_half).empty());
  const ingest::FileCover told = only_cover(accepted[1]);
  CHECK(told.stored.empty());
  CHECK(told.left_out.at(0).ranges == ingest::ByteRanges{{0, sending.end()}});
}

}  // namespace kvasir::agent
