#include "server/argon2_hash.h"

#include <doctest/doctest.h>

#include <string>

using namespace kvasir;
using namespace kvasir::server;

TEST_CASE("argon2 hashes of other programs") {
  struct Case {
    const char* hash;
    const char* password;
  };
  // Made by the program argon2 of the reference implementation.
  const Case cases[] = {
      {"$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQxMg$0SWs0vhLOmXGVfNoo1XrSjY9j+fPcTzU66MSUdMvDhE", "test"},
      {"$argon2i$v=19$m=1024,t=3,p=2$c29tZXNhbHQxMg$honb8wzimCjzomCrbu4O3W/7EDLufG0w9W0caLjyeYQ", "test"},
      {"$argon2id$v=19$m=1024,t=1,p=4$c29tZXNhbHQxMg$7gd3myh+/tlmQvAN2HGrcw", "test"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.hash);
    CHECK(check_argon2(c.hash).has_value());
    CHECK(verify_argon2(c.hash, c.password));
    CHECK_FALSE(verify_argon2(c.hash, ""));
    CHECK_FALSE(verify_argon2(c.hash, std::string(c.password) + "!"));
    std::string other = c.hash;
    other.back() = other.back() == 'A' ? 'Q' : 'A';
    other[other.size() - 4] = other[other.size() - 4] == 'B' ? 'C' : 'B';
    CHECK_FALSE(verify_argon2(other, c.password));
  }
}

TEST_CASE("argon2 hashes that cannot or may not be computed say why") {
  const std::string rest = "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
  const auto f = [](const std::string& hash, const char* want) {
    const auto checked = check_argon2(hash);
    CHECK((checked ? "" : checked.error().message()) == std::string("argon2: ") + want);
    CHECK_FALSE(verify_argon2(hash, "x"));
  };
  CHECK(check_argon2("$argon2id$v=19$m=64,t=1,p=1" + rest).has_value());
  CHECK(check_argon2("$argon2id$v=19$m=262144,t=4,p=4" + rest).has_value());
  f("", "not such a hash");
  f("$2b$04$x", "not such a hash");
  f("$argon2", "only argon2id and argon2i are known");
  f("$argon2d$v=19$m=64,t=1,p=1" + rest, "only argon2id and argon2i are known");
  f("$argon2id$m=64,t=1,p=1" + rest, "only version 19 (v=19) is known");
  f("$argon2id$v=16$m=64,t=1,p=1" + rest, "only version 19 (v=19) is known");
  f("$argon2id$v=19$t=1,m=64,p=1" + rest, "m=, t= and p= must follow the version, in this order");
  f("$argon2id$v=19$m=64,t=1", "m=, t= and p= must follow the version, in this order");
  f("$argon2id$v=19$m=64,t=1,p=1", "m=, t= and p= must follow the version, in this order");
  f("$argon2id$v=19$m=,t=1,p=1" + rest, "not a number: m=");
  f("$argon2id$v=19$m=-64,t=1,p=1" + rest, "not a number: m=-64");
  f("$argon2id$v=19$m=99999999999,t=1,p=1" + rest, "not a number: m=99999999999");
  f("$argon2id$v=19$m=64,t=1,p=1,keyid=x" + rest, "not a number: p=1,keyid=x");
  f("$argon2id$v=19$m=64,t=0,p=1" + rest, "t must be 1 at least");
  f("$argon2id$v=19$m=64,t=1,p=0" + rest, "p must be 1 at least");
  f("$argon2id$v=19$m=64,t=1,p=17" + rest, "p=17 is over the limit 16");
  f("$argon2id$v=19$m=15,t=1,p=2" + rest, "m must be eight times p at least");
  f("$argon2id$v=19$m=262145,t=1,p=1" + rest, "m=262145 is over the limit 262144");
  f("$argon2id$v=19$m=262144,t=5,p=1" + rest, "m * t = 1310720 is over the limit 1048576");
  f("$argon2id$v=19$m=4294967295,t=4294967295,p=1" + rest, "m=4294967295 is over the limit 262144");
  f("$argon2id$v=19$m=64,t=4294967295,p=1" + rest, "m * t = 274877906880 is over the limit 1048576");
  f("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ", "the hash is missing");
  f("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$", "the hash has 0 bytes; allowed are 16 to 64");
  f("$argon2id$v=19$m=64,t=1,p=1$c29t$nf65EOgLrQMR", "the salt has 3 bytes; allowed are 8 to 64");
  f("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ=$nf65", "the salt is not base64 without padding");
  f("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$nf-5", "the hash is not base64 without padding");
  f("$argon2id$v=19$m=64,t=1,p=1" + rest + std::string(600, 'A'), "longer than 512 bytes");
}
