#include "server/password_hash.h"

#include <doctest/doctest.h>

namespace kvasir::server {
namespace {

const std::string kText43(43, 'x');
const std::string kText53(53, 'x');
const std::string kText86(86, 'x');

}  // namespace

TEST_CASE("password hashes of crypt(3)") {
  struct Case {
    std::string hash;
    const char* password;
  };
  const Case cases[] = {
      {"$2b$04$VqatZ94t/MHw4sqevW3PKeTe.FVwh04UDY6yAVdQJngcmaysFdmve", "test"},
      {"$2b$10$VqatZ94t/MHw4sqevW3PKeB6LOsseoFaIS9ZrqRFqYHZqSJiu9.0y", "guess"},
      {"$6$saltsalt$eflURHtdw/DMWLgQ4zo29xo9g4tula.WQ9jFP0w0dqmRApAPOZY8eGqV6RAcMbEpk6mEhKDQTPmbEe65lDZn1.", "guess"},
      {"$6$rounds=5000$saltsalt$"
       "eflURHtdw/DMWLgQ4zo29xo9g4tula.WQ9jFP0w0dqmRApAPOZY8eGqV6RAcMbEpk6mEhKDQTPmbEe65lDZn1.",
       "guess"},
      {"$y$j9T$saltsalt$wyS2P2aPffSbXv2i1i.BTglo6a4huT5xqnd80ZvGC.8", "guess"},
      {"$y$j75$saltsalt$2oJTWyhQ94nyXkFWyxdivMMNaLgeCIDVV3m8G0noaz/", "guess"},
      {"$7$CU..../....saltsalt$DMPekLF0Vt6Mt7j8HqlqZ1qeQ4OPQjn1U0CTR.bHDN7", "guess"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.hash);
    const auto checked = check_password_hash(c.hash);
    CHECK_MESSAGE(checked.has_value(), (checked ? "" : checked.error().message()));
    CHECK(verify_password(c.hash, c.password));
    CHECK_FALSE(verify_password(c.hash, std::string(c.password) + "!"));
  }
}

TEST_CASE("the dearest hashes that are let in") {
  for (const std::string& hash : {"$2y$14$" + kText53, "$6$rounds=1000000$salt$" + kText86, "$y$jDT$salt$" + kText43,
                                  "$gy$jDT$salt$" + kText43, "$7$EU..../....salt$" + kText43}) {
    CAPTURE(hash);
    const auto checked = check_password_hash(hash);
    CHECK_MESSAGE(checked.has_value(), (checked ? "" : checked.error().message()));
  }
}

TEST_CASE("password hashes that cost too much or can never match say why") {
  const auto f = [](const std::string& hash, const char* want) {
    CAPTURE(hash);
    const auto checked = check_password_hash(hash);
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().message() == want);
  };
  f("", "of no known form");
  f("secret", "of no known form");
  f("$1$salt$" + kText43, "of no known form");
  f("$2b$31$" + kText53, "bcrypt's cost=31 is over the limit 14");
  f("$2b$15$" + kText53, "bcrypt's cost=15 is over the limit 14");
  f("$2b$", "bcrypt's cost is not a number of two digits");
  f("$2b$1", "bcrypt's cost is not a number of two digits");
  f("$2b$10", "bcrypt's cost is not a number of two digits");
  f("$2b$x0$" + kText53, "bcrypt's cost is not a number of two digits");
  f("$2b$10$short", "the hash of $2b$ has 5 characters and needs 53");
  f("$2b$10$" + kText53.substr(1) + "!", "$2b$ has a character of no hash");
  f("$6$rounds=999999999$salt$" + kText86, "rounds=999999999 is over the limit 1000000");
  f("$6$rounds=1000001$salt$" + kText86, "rounds=1000001 is over the limit 1000000");
  f("$6$rounds=99999999999999999999999$salt$" + kText86, "rounds must be a number of 1000 at least");
  f("$6$rounds=999$salt$" + kText86, "rounds must be a number of 1000 at least");
  f("$6$rounds=05000$salt$" + kText86, "rounds must be a number of 1000 at least");
  f("$6$rounds=", "rounds must be a number of 1000 at least");
  f("$6$rounds=5000", "the hash of $6$ is missing");
  f("$6$salt", "the hash of $6$ is missing");
  f("$6$salt$short", "the hash of $6$ has 5 characters and needs 86");
  f("$6$saltsaltsaltsaltX$" + kText86, "the salt of $6$ is over 16");
  f("$y$jFT$xxxx$" + kText43, "the memory 128 * r=32 * N=2^18 is over the limit 262144 KiB");
  f("$y$jET$xxxx$" + kText43, "the memory 128 * r=32 * N=2^17 is over the limit 262144 KiB");
  f("$y$jTT$xxxx$" + kText43, "the memory 128 * r=32 * N=2^32 is over the limit 262144 KiB");
  f("$y$j9T$xxxx$yyy", "the hash of $y$ has 3 characters and needs 43");
  f("$y$j9T$xxxx", "the hash of $y$ is missing");
  f("$y$", "of yescrypt only costs as in $y$j9T$ are known");
  f("$y$j9z/$xxxx$" + kText43, "of yescrypt only costs as in $y$j9T$ are known");
  f("$y$j9T/.$xxxx$" + kText43, "of yescrypt only costs as in $y$j9T$ are known");
  f("$7$FU..../....salt$" + kText43, "the memory 128 * r=32 * N=2^17 is over the limit 262144 KiB");
  f("$7$EU....0....salt$" + kText43, "the memory 128 * r=32 * N=2^16 * p=2 is over the limit 262144 KiB");
  f("$7$Czzzzz/....salt$" + kText43, "the memory 128 * r=1073741823 * N=2^14 is over the limit 262144 KiB");
  f("$7$CU....", "the cost is not readable");
  f("$7$CU..../....salt$yyy", "the hash of $7$ has 3 characters and needs 43");
}

}  // namespace kvasir::server
