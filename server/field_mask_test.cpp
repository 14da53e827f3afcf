#include "server/field_mask.h"

#include <doctest/doctest.h>

namespace kvasir::server {
namespace {

std::string masked(std::string_view line) {
  static const FieldMask kMask({"password", "E_Mail"});
  std::string storage;
  return std::string(kMask.apply(line, storage));
}

TEST_CASE("values of named fields are hidden in JSON") {
  struct Case {
    std::string_view line, shown;
  };
  for (const auto& [line, shown] : {
           Case{R"({"user":"u","password":"p"})", R"({"user":"u","password":"********"})"},
           Case{R"({"password": 12, "x": 1})", R"({"password": "********", "x": 1})"},
           Case{R"({"Password":{"a":[1,"}"]},"x":[true]})", R"({"Password":"********","x":[true]})"},
           Case{R"({"a":{"e_mail":["x","y"]}})", R"({"a":{"e_mail":"********"}})"},
           Case{R"({"pass\u0077ord":"p\"q"})", R"({"pass\u0077ord":"********"})"},
           Case{R"({"password":null,"password":true})", R"({"password":"********","password":"********"})"},
           Case{R"({"msg":"{\"password\":\"p\",\"n\":1}"})", R"({"msg":"{\"password\":********,\"n\":1}"})"},
           Case{R"({"msg":"login password=p done"})", R"({"msg":"login password=******** done"})"},
           Case{R"({"msg":"the password was wrong"})", R"({"msg":"the password was wrong"})"},
           Case{R"({"my_password":"p","passwords":"p"})", R"({"my_password":"p","passwords":"p"})"},
           Case{R"([{"password":-1.5e3}])", R"([{"password":"********"}])"},
           Case{R"({"a":1})", R"({"a":1})"},
       }) {
    CHECK(masked(line) == shown);
  }
}

TEST_CASE("values are hidden in other text, rather too much than too little") {
  struct Case {
    std::string_view line, shown;
  };
  for (const auto& [line, shown] : {
           Case{"level=info password=p user=u", "level=info password=******** user=u"},
           Case{R"(password="p q" user=u)", R"(password=******** user=u)"},
           Case{R"(password="p \" q" user=u)", R"(password=******** user=u)"},
           Case{R"(password="never closed)", R"(password=********)"},
           Case{"PASSWORD: p, next", "PASSWORD: ********, next"},
           Case{"/login?password=p&x=1", "/login?password=********&x=1"},
           Case{R"({"password":"p"q","x":1)", R"({"password":********)"},
           Case{R"({"x":1,"e_mail": "a@b)", R"({"x":1,"e_mail": ********)"},
           Case{"the password", "the password"},
           Case{"", ""},
       }) {
    CHECK(masked(line) == shown);
  }
}

TEST_CASE("names are whole and without case") {
  const FieldMask mask({"A", ""});
  CHECK(mask.hides("a"));
  CHECK(!mask.hides("ab"));
  CHECK(!mask.hides(""));
  CHECK(FieldMask().empty());
}

}  // namespace
}  // namespace kvasir::server
