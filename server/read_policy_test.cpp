#include "server/read_policy.h"

#include <doctest/doctest.h>

#include "logql/exec/memory_source.h"
#include "logql/exec/testing_query.h"
#include "server/password_hash.h"

using namespace kvasir;
using namespace kvasir::server;

TEST_CASE("passwords against hashes of crypt") {
  const std::string bcrypt = "$2b$04$VqatZ94t/MHw4sqevW3PKeTe.FVwh04UDY6yAVdQJngcmaysFdmve";  // of "test"
  CHECK(check_password_hash(bcrypt));
  CHECK_FALSE(check_password_hash("plain text"));
  CHECK_FALSE(check_password_hash("$2b$04$short"));
  CHECK(verify_password(bcrypt, "test"));
  CHECK(!verify_password(bcrypt, "Test"));
  CHECK(!verify_password(bcrypt, std::string("test\0x", 6)));
  CHECK(!verify_password(bcrypt, std::string(kPasswordBytesMax + 1, 'x')));
  const SlowPasswords passwords;
  CHECK_FALSE(passwords.knows(bcrypt, "test"));
  for (int i = 0; i < 3; ++i) {
    CHECK(passwords.verify(bcrypt, "test"));
    CHECK(passwords.knows(bcrypt, "test"));
    CHECK_FALSE(passwords.knows(bcrypt, "guess"));
    CHECK(!passwords.verify(bcrypt, "guess"));
  }
}

namespace {

/// Answers to queries of a reader, over a few lines of two teams.
struct Reader {
  explicit Reader(std::shared_ptr<const ReadPolicy> given) : policy(std::move(given)) {
    source->add(Labels{{"app", "shop"}, {"team", "a"}, {"owner", "ann"}}, {1'000'000'000},
                R"({"user":"u1","password":"p1","n":1})");
    source->add(Labels{{"app", "shop"}, {"team", "a"}, {"owner", "bob"}}, {2'000'000'000}, "password=p2 done",
                {{"owner_mail", "m"}, {"password", "p3"}});
    source->add(Labels{{"app", "shop"}, {"team", "b"}}, {3'000'000'000}, "of another team");
  }

  std::string ask(const std::string& query, bool instant = false) {
    logql::QueryParams params;
    params.query = query;
    params.instant = instant;
    params.start = {0};
    params.end = {10'000'000'000};
    if (instant) params.start = params.end;
    params.direction = logql::Direction::kForward;
    MemoryBudget budget("test", 0);
    logql::QueryContext context(clock, Duration::max(), {}, budget, {});
    PolicySource narrowed(source, policy);
    return logql::testing_text(logql::run_query(params, narrowed, context));
  }

  SystemClock clock;
  std::shared_ptr<logql::MemorySource> source = std::make_shared<logql::MemorySource>();
  std::shared_ptr<const ReadPolicy> policy;
};

std::shared_ptr<const ReadPolicy> policy_of(const std::string& selector, std::vector<std::string> mask) {
  auto policy = ReadPolicy::create("p", selector, std::move(mask));
  REQUIRE(policy.has_value());
  return *policy;
}

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a selector hides streams from every kind of query") {
  Reader reader(policy_of(R"({team="a"})", {}));
  CHECK(!holds(reader.ask(R"({app="shop"})"), "another team"));
  CHECK(holds(reader.ask(R"({app="shop"})"), "password=p2 done"));
  CHECK(!holds(reader.ask(R"({team="b"})"), "another team"));
  CHECK(!holds(reader.ask(R"({team=~"a|b"} |= "another")"), "another team"));
  CHECK(holds(reader.ask(R"(sum(count_over_time({app="shop"}[10s])))", true), ":2"));
  CHECK(!holds(reader.ask(R"(sum by (team) (count_over_time({app="shop"}[10s])))", true), "team=\"b\""));
}

TEST_CASE("a mask hides values in lines, labels and metadata, and nothing finds them") {
  Reader reader(policy_of("", {"password", "owner"}));
  const std::string all = reader.ask(R"({app="shop"})");
  for (const char* secret : {"p1", "p2", "p3", "ann", "bob"}) CHECK(!holds(all, secret));
  CHECK(holds(all, "of another team"));
  CHECK(holds(all, "u1"));
  CHECK(!holds(reader.ask(R"({app="shop"} |= "p1")"), "u1"));
  CHECK(!holds(reader.ask(R"({app="shop"} | json | password="p1")"), "u1"));
  CHECK(holds(reader.ask(R"({app="shop"} | json | password="********")"), "u1"));
  CHECK(!holds(reader.ask(R"({app="shop"} | password="p3")"), "done"));
  CHECK(holds(reader.ask(R"({owner="ann"})"), "label owner is hidden from this credential"));
  CHECK(holds(reader.ask(R"(sum by (password) (count_over_time({app="shop"} | json | __error__="" [10s])))", true), "********"));
  CHECK(holds(reader.ask(R"(sum(bytes_over_time({app="shop", team="a"}[10s])))", true), ":" + std::to_string(41 + 22)));
}

TEST_CASE("a policy needs a selector that can be read") {
  CHECK(!ReadPolicy::create("p", "{team=", {}).has_value());
}
