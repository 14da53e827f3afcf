#include "server/tail_session.h"

#include <doctest/doctest.h>

#include "logql/exec/memory_source.h"
#include "logql/syntax/parser.h"

using namespace kvasir;
using namespace kvasir::server;

namespace {

/// Keeps the frames; `room` more are taken.
class Frames final : public net::WebSocketSession {
 public:
  Sent send_text(std::string text) override {
    if (room == 0) return Sent::kQueueFull;
    --room;
    texts.push_back(std::move(text));
    return Sent::kQueued;
  }
  void close(std::uint16_t code, std::string) override { close_code = code; }
  std::stop_token stop_token() const override { return stop.get_token(); }

  std::vector<std::string> texts;
  int room = 1000;
  std::uint16_t close_code = 0;
  std::stop_source stop;
};

constexpr Duration kHour = std::chrono::hours(1);

struct Tail {
  explicit Tail(const std::string& query, TailOptions options = {}) {
    options.tenant = "t";
    if (options.deadline.count() == 0) options.deadline = kHour;
    session = *TailSession::create(std::move(options), *logql::parse_log_query(query), source);
    session->attach(socket);
  }

  void offer(const Labels& stream, std::string_view line, std::vector<LabelView> metadata = {}, Duration now = {}) {
    const auto identity =
        std::make_shared<const ingest::StreamIdentity>(ingest::StreamIdentity{stream, stream.fingerprint()});
    const EntryView entry{{static_cast<std::int64_t>(++sequence) * 1000}, sequence, line, metadata};
    session->offer({identity, std::span(&entry, 1)}, source, now);
  }

  /// All that was sent since the last call.
  std::string sent(Duration now = {}) {
    session->pump(now);
    std::string out;
    for (auto& text : socket->texts) out += text;
    socket->texts.clear();
    return out;
  }

  logql::MemorySource source;
  std::shared_ptr<Frames> socket = std::make_shared<Frames>();
  std::shared_ptr<TailSession> session;
  std::uint64_t sequence = 0;
};

const Labels kShop{{"app", "shop"}};

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a tail sends what its selector and its stages let through, after the history") {
  Tail tail("{app=\"shop\"} |= \"good\"");
  tail.offer(kShop, "good 1");
  CHECK(tail.sent() == "");  // the history is not there yet
  logql::ResultEntry old;
  old.line = "good 0";
  old.sequence = 77;
  tail.session->begin_live({{{kShop, old}}});
  const auto first = tail.sent();
  CHECK(first.find("good 0") < first.find("good 1"));
  tail.offer(kShop, "bad");
  tail.offer(Labels{{"app", "till"}}, "good of another");
  CHECK(tail.sent() == "");
  tail.offer(kShop, "good 2");
  CHECK(has(tail.sent(), R"({"streams":[{"stream":{"app":"shop"},"values":[["4000","good 2"]]}]})"));
}

TEST_CASE("a line that the history held is not sent again") {
  Tail tail("{app=\"shop\"}");
  tail.offer(kShop, "once");
  logql::ResultEntry held;
  held.line = "once";
  held.sequence = 1;
  tail.session->begin_live({{{kShop, held}}});
  const auto text = tail.sent();
  CHECK(text.find("once") == text.rfind("once"));
}

TEST_CASE("delay_for holds lines back, and a tail ends at its deadline") {
  TailOptions options;
  options.delay = std::chrono::seconds(2);
  options.deadline = std::chrono::seconds(10);
  Tail tail("{app=\"shop\"}", std::move(options));
  tail.session->begin_live({});
  tail.offer(kShop, "later", {}, std::chrono::seconds(1));
  CHECK(tail.sent(std::chrono::seconds(2)) == "");
  CHECK(has(tail.sent(std::chrono::seconds(3)), "later"));
  CHECK(tail.socket->close_code == 0);
  CHECK(tail.session->pump(std::chrono::seconds(10)).ended);
  CHECK(tail.socket->close_code == 1011);
}

TEST_CASE("lines that a slow client cannot take are counted and named in the next frame") {
  Tail tail("{app=\"shop\"}");
  tail.session->begin_live({});
  tail.socket->room = 0;
  tail.offer(kShop, "lost");
  CHECK(tail.sent() == "");
  tail.socket->room = 10;
  tail.offer(kShop, "seen");
  const auto text = tail.sent();
  CHECK(has(text, R"("dropped_entries":[{"timestamp":"1000","labels":{"app":"shop"}}])"));
  CHECK(!has(text, "lost"));
  tail.offer(kShop, "seen");
  CHECK(!has(tail.sent(), "dropped_entries"));
}

TEST_CASE("more than a tail may hold is dropped") {
  Tail tail("{app=\"shop\"}");
  const std::string line(1 << 20, 'x');
  for (int i = 0; i < 10; ++i) tail.offer(kShop, line);
  tail.session->begin_live({});
  const auto sent = tail.session->pump({});
  CHECK(sent.dropped == 3);  // of 10 MiB, 8 are held, less what an entry costs by itself
}

TEST_CASE("forms of frames") {
  const auto frame = [](TailOptions options) {
    Tail tail("{app=\"shop\"} | logfmt", std::move(options));
    tail.session->begin_live({});
    tail.offer(kShop, "a=1", std::vector<LabelView>{{"trace", "x"}});
    return tail.sent();
  };
  CHECK(frame({}) == R"({"streams":[{"stream":{"a":"1","app":"shop","trace":"x"},"values":[["1000","a=1"]]}]})");
  TailOptions categorized;
  categorized.form = TailForm::kCategorized;
  categorized.encoding_flags = {"categorize-labels"};
  CHECK(frame(categorized) == R"({"streams":[{"stream":{"app":"shop"},"values":[["1000","a=1",)"
                              R"({"structuredMetadata":{"trace":"x"},"parsed":{"a":"1"}}]]}],)"
                              R"("encodingFlags":["categorize-labels"]})");
  TailOptions legacy;
  legacy.form = TailForm::kLegacy;
  CHECK(
      has(frame(legacy), R"("entries":[{"ts":"1970-01-01T00:00:00.000001Z","line":"a=1"}]}],"dropped_entries":null})"));
}

TEST_CASE("a read policy narrows a tail and hides values before its stages") {
  TailOptions options;
  options.policy = *ReadPolicy::create("p", "{team=\"a\"}", {"password", "owner"});
  Tail tail("{app=\"shop\"} | logfmt", options);
  tail.session->begin_live({});
  tail.offer(Labels{{"app", "shop"}, {"team", "b"}}, "of another team");
  CHECK(tail.sent() == "");
  tail.offer(Labels{{"app", "shop"}, {"owner", "ann"}, {"team", "a"}}, "n=1 password=secret",
             std::vector<LabelView>{{"password", "secret"}});
  const auto text = tail.sent();
  CHECK(has(text, "n=1 password=********"));
  CHECK(!has(text, "secret"));
  CHECK(!has(text, "ann"));
  CHECK_FALSE(TailSession::create(options, *logql::parse_log_query("{owner=\"ann\"}"), tail.source).has_value());
  Tail asks("{app=\"shop\"} |= \"secret\"", options);
  asks.session->begin_live({});
  asks.offer(Labels{{"app", "shop"}, {"team", "a"}}, "password=secret");
  CHECK(asks.sent() == "");
}

TEST_CASE("a tail with cursors says where it can be taken up") {
  TailOptions options;
  options.cursors = true;
  Tail tail("{app=\"shop\"}", options);
  TailHistory history;
  for (int i = 1; i <= 250; ++i) {
    logql::ResultEntry entry;
    entry.timestamp = {i};
    entry.sequence = static_cast<std::uint64_t>(1000 + i);
    entry.line = "old";
    history.entries.push_back({kShop, entry});
  }
  tail.session->begin_live(history);
  tail.session->pump({});
  REQUIRE(tail.socket->texts.size() == 1);  // one frame, however long
  CHECK(has(tail.sent(), "\"cursor\":\"250-1250\"}"));
  tail.offer(kShop, "live");
  CHECK(has(tail.sent(), "\"cursor\":\"1000-1\"}"));

  Tail behind("{app=\"shop\"}", options);
  history.more = true;
  behind.session->begin_live(history);
  CHECK(behind.session->pump({}).ended);
  CHECK(behind.socket->texts.size() == 1);
  CHECK(behind.socket->close_code == 1013);
}
