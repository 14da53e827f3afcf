#include "server/tenant_gate.h"

#include <doctest/doctest.h>

#include "common/net/http_client.h"
#include "server/tenant_settings.h"
#include "server/testing_reply.h"

using namespace kvasir;
using namespace kvasir::server;

namespace {

struct Gate {
  explicit Gate(TenantGateOptions options, KvasirConfig config = {})
      : settings(TenantSettings{}, {}, process_environment()),
        gate(options, *Authenticator::create(config, clock), settings) {}
  ManualClock clock{TimestampNs{0}};
  TenantSettingsStore settings;
  TenantGate gate;
};

net::HttpRequest with(std::initializer_list<std::pair<const char*, std::string>> headers) {
  net::HttpRequest request;
  for (const auto& [name, value] : headers) request.headers.add(name, value);
  return request;
}

KvasirConfig with_credentials() {
  KvasirConfig config;
  config.credentials = {{"grafana", "t0ken", "", "", "read", {"a", "b"}},
                        {"agent", "", "agent", "pass", "write", {"a"}},
                        {"root", "r00t", "", "", "admin", {}}};
  return config;
}

}  // namespace

TEST_CASE("tenant ids are checked") {
  const auto f = [](const std::string& id, const char* want) {
    const auto got = check_tenant_id(id);
    CHECK((got ? "" : got.error().message()) == std::string(want));
  };
  f("ok-1_2.3!*'()", "");
  f("a/b", "tenant ID 'a/b' contains unsupported character '/'");
  f("a\\b", "tenant ID 'a\\b' contains unsupported character '\\'");
  f("a b", "tenant ID 'a b' contains unsupported character ' '");
  f(".", "tenant ID is '.' or '..'");
  f("..", "tenant ID is '.' or '..'");
  f(std::string(150, 'x'), "");
  f(std::string(151, 'x'), "tenant ID is too long: max 150 characters");
}

TEST_CASE("several ids are sorted, single, and lose what follows a colon") {
  CHECK(*parse_tenant_ids("b|a|b") == std::vector<std::string>{"a", "b"});
  CHECK(*parse_tenant_ids("a:meta|b") == std::vector<std::string>{"a", "b"});
  CHECK(parse_tenant_ids("")->empty());
  CHECK_FALSE(parse_tenant_ids("a|b/c").has_value());
}

TEST_CASE("without auth_enabled everybody is tenant fake") {
  Gate g({false, false});
  TestingReply reply;
  const auto context = g.gate.single_tenant(with({{"X-Scope-OrgID", "x"}}), reply, Role::kWrite);
  REQUIRE(context.has_value());
  CHECK(context->tenant == "fake");
}

TEST_CASE("tenancy errors") {
  Gate g({true, false});
  const auto f = [&](const net::HttpRequest& request, Role role, int status, const char* body) {
    TestingReply reply;
    CHECK_FALSE(g.gate.single_tenant(request, reply, role).has_value());
    CHECK(reply.response.status == status);
    CHECK(reply.response.body == body);
  };
  f(with({}), Role::kRead, 401, "no org id\n");
  f(with({{"X-Scope-OrgID", ""}}), Role::kWrite, 401, "no org id\n");
  f(with({{"X-Scope-OrgID", "a|b"}}), Role::kWrite, 400, "multiple org IDs present\n");
  f(with({{"X-Scope-OrgID", "a/b"}}), Role::kWrite, 400, "tenant ID 'a/b' contains unsupported character '/'\n");
  f(with({{"X-Scope-OrgID", "a/b"}}), Role::kRead, 400, "tenant ID 'a/b' contains unsupported character '/'");
  TestingReply reply;
  CHECK_FALSE(g.gate.query_tenants(with({{"X-Scope-OrgID", "a|b"}}), reply).has_value());
  CHECK(reply.response.status == 400);
}

TEST_CASE("queries over several tenants where they are allowed") {
  Gate g({true, true});
  TestingReply reply;
  const auto both = g.gate.query_tenants(with({{"X-Scope-OrgID", "b|a"}}), reply);
  REQUIRE(both.has_value());
  CHECK(both->several);
  CHECK(both->tenants.size() == 2);
  const auto same = g.gate.query_tenants(with({{"X-Scope-OrgID", "a|a"}}), reply);
  CHECK_FALSE(same->several);
}

TEST_CASE("credentials decide role and tenants") {
  Gate g({true, true}, with_credentials());
  const auto status = [&](const net::HttpRequest& request, Role role) {
    TestingReply reply;
    return g.gate.single_tenant(request, reply, role) ? 200 : reply.response.status;
  };
  const std::string basic = net::basic_auth("agent", "pass");
  CHECK(status(with({{"X-Scope-OrgID", "a"}}), Role::kRead) == 401);
  CHECK(status(with({{"X-Scope-OrgID", "a"}, {"Authorization", "Bearer t0ken"}}), Role::kRead) == 200);
  CHECK(status(with({{"X-Scope-OrgID", "c"}, {"Authorization", "Bearer t0ken"}}), Role::kRead) == 403);
  CHECK(status(with({{"X-Scope-OrgID", "a"}, {"Authorization", "Bearer t0ken"}}), Role::kWrite) == 403);
  CHECK(status(with({{"X-Scope-OrgID", "a"}, {"Authorization", "Bearer wrong"}}), Role::kRead) == 401);
  CHECK(status(with({{"Authorization", basic}}), Role::kWrite) == 200);  // one tenant: no header needed
  CHECK(status(with({{"Authorization", net::basic_auth("agent", "no")}}), Role::kWrite) == 401);
  CHECK(status(with({{"Authorization", "Bearer agent:pass"}}), Role::kWrite) == 401);
  CHECK(status(with({{"X-Scope-OrgID", "z"}, {"Authorization", "bearer r00t"}}), Role::kAdmin) == 200);
  TestingReply reply;
  CHECK_FALSE(g.gate.admin(with({{"Authorization", basic}}), reply).has_value());
  CHECK(reply.response.status == 403);
  CHECK(g.gate.admin(with({{"Authorization", "Bearer r00t"}}), reply) == "root");
}

TEST_CASE("only a password that has to be hashed makes a request slow") {
  KvasirConfig config = with_credentials();
  const std::string old_hash = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$NZWWBi2zAa/2LfyYc+3inLV8bTSJ8ccirRfEkojHtfE";  // "x"
  const std::string bcrypt = "$2b$04$VqatZ94t/MHw4sqevW3PKeTe.FVwh04UDY6yAVdQJngcmaysFdmve";                         // "test"
  config.credentials.push_back({"ann", "", "ann", "", "read", {"a"}});
  config.credentials.back().password_hash = old_hash;
  config.credentials.push_back({"ann", "", "ann", "", "read", {"a"}});  // while a password is being changed
  config.credentials.back().password_hash = bcrypt;
  Gate g({true, true}, config);
  const auto request = [](std::string header) { return with({{"Authorization", std::move(header)}}); };
  const auto status = [&](const net::HttpRequest& asked) {
    TestingReply reply;
    return g.gate.single_tenant(asked, reply, Role::kRead) ? 200 : reply.response.status;
  };
  CHECK_FALSE(g.gate.is_slow(with({})));
  CHECK_FALSE(g.gate.is_slow(request("Bearer guess")));
  CHECK_FALSE(g.gate.is_slow(request("Basic !!")));
  CHECK_FALSE(g.gate.is_slow(request(net::basic_auth("agent", "guess"))));   // has no hash
  CHECK_FALSE(g.gate.is_slow(request(net::basic_auth("nobody", "guess"))));
  for (const char* password : {"x", "test"}) {
    const auto good = request(net::basic_auth("ann", password));
    CHECK(g.gate.is_slow(good));
    CHECK(status(good) == 200);
    CHECK_FALSE(g.gate.is_slow(good));
  }
  const auto bad = request(net::basic_auth("ann", "guess"));
  CHECK(status(bad) == 401);
  CHECK(g.gate.is_slow(bad));  // bad ones are not remembered
}

TEST_CASE("a reload forgets no password, but those of hashes that changed") {
  const std::string x = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$NZWWBi2zAa/2LfyYc+3inLV8bTSJ8ccirRfEkojHtfE";
  const std::string test = "$2b$04$VqatZ94t/MHw4sqevW3PKeTe.FVwh04UDY6yAVdQJngcmaysFdmve";
  KvasirConfig config;
  config.credentials.push_back({"ann", "", "ann", "", "read", {"a"}});
  config.credentials.back().password_hash = x;
  Gate g({true, true}, config);
  const auto ann = with({{"Authorization", net::basic_auth("ann", "x")}});
  TestingReply reply;
  CHECK(g.gate.is_slow(ann));
  CHECK(g.gate.single_tenant(ann, reply, Role::kRead).has_value());
  const auto reload = [&] {
    const auto before = g.gate.authenticator();
    g.gate.set_authenticator(*Authenticator::create(config, g.clock, before.get()));
  };
  reload();
  CHECK_FALSE(g.gate.is_slow(ann));
  CHECK(g.gate.single_tenant(ann, reply, Role::kRead).has_value());
  config.credentials.back().password_hash = test;
  reload();
  CHECK(g.gate.is_slow(ann));
  CHECK_FALSE(g.gate.single_tenant(ann, reply, Role::kRead).has_value());
  CHECK(reply.response.status == 401);
}

TEST_CASE("requiring credentials without having any is an error") {
  KvasirConfig config;
  config.require_authentication = true;
  ManualClock clock(TimestampNs{0});
  CHECK_FALSE(Authenticator::create(config, clock).has_value());
}
