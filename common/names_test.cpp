#include <array>

#include <doctest/doctest.h>

#include "common/nearest_word.h"
#include "common/url_secrets.h"

using namespace kvasir;

TEST_CASE("nearest_word: the name that was meant") {
  constexpr std::array<std::string_view, 6> kNames = {"json", "logfmt", "listen_address", "port", "retention_period", "by"};
  const auto means = [&](std::string_view word, std::string_view want) {
    CAPTURE(word);
    CHECK(nearest_word(word, kNames).value_or("") == want);
  };
  means("jsno", "json");
  means("logfm", "logfmt");
  means("listen_adress", "listen_address");
  means("retention_preiods", "retention_period");
  means("prt", "port");
  means("bx", "by");
  means("xx", "");
  means("completely_other", "");
  means("json", "");  // known: nothing else was meant
  means(std::string(65, 'j'), "");
}

TEST_CASE("slips: a swap of neighbours is one") {
  CHECK(slips_between("", "abc") == 3);
  CHECK(slips_between("abc", "acb") == 1);
  CHECK(slips_between("kitten", "sitting") == 3);
  CHECK(slips_between("same", "same") == 0);
}

TEST_CASE("without_userinfo: no user and no password is shown") {
  const auto shows = [](std::string_view text, std::string_view want) {
    CAPTURE(text);
    CHECK(without_userinfo(std::string(text)) == want);
  };
  shows("http://u:p@h:1/push", "http://********@h:1/push");
  shows("http://u@h", "http://********@h");
  shows("http://u:p@x@h/a@b", "http://********@h/a@b");
  shows("http://u:p,'\"w@h/", "http://********@h/");
  shows("http://h/a@b", "http://h/a@b");
  shows("http://h?to=a@b", "http://h?to=a@b");
  shows("[http://u:p@h, https://v:q@i/x]", "[http://********@h, https://********@i/x]");
  shows("not an address, mail a@b", "not an address, mail a@b");
  shows("http://", "http://");
  CHECK(without_userinfo("http://u:p@h/", "") == "http://h/");
}
