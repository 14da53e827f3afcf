#include "server/field_mask.h"

#include <doctest/doctest.h>

#include "common/cpu_time.h"

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
           Case{R"({"msg":"{\"password\":\"p\",\"n\":1}"})", R"({"msg":"{\"password\":\"********\",\"n\":1}"})"},
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
           Case{"PASSWORD: p, next", "PASSWORD: ******** next"},
           Case{"/login?password=p&x=1", "/login?password=********"},
           Case{R"({"password":"p"q","x":1)", R"({"password":********)"},
           Case{R"({"x":1,"e_mail": "a@b)", R"({"x":1,"e_mail": ********)"},
           Case{"password=p,q;r&s x=1", "password=******** x=1"},
           Case{R"(password => "p q" x)", "password => ******** x"},
           Case{R"(password := "p q" x)", "password := ******** x"},
           Case{"user[password]=p x", "user[password]=******** x"},
           Case{"password                    = p x", "password                    = ******** x"},
           Case{"password:\np x", "password:\n******** x"},
           Case{"\x1b[36mpassword=\x1b[0mp x", "\x1b[36mpassword=\x1b[0m******** x"},
           Case{"\x1b[36mpassword\x1b[0m=\x1b[1;31m\"p q\" x", "\x1b[36mpassword\x1b[0m=\x1b[1;31m******** x"},
           Case{"the password", "the password"},
           Case{"", ""},
       }) {
    CHECK(masked(line) == shown);
  }
}

TEST_CASE("names with brackets, in escapes, and as labels write them") {
  const FieldMask mask({"email", "card.number"});
  for (const auto& line : std::vector<std::string>{
           "email[]=SECRET", "email[0]=SECRET", "email[key]=SECRET", "email[a][b]=SECRET", "email[ a = b ]=SECRET",
           "email[0].address=SECRET", "email[a]-b: SECRET", "email[cut=SECRET", "email%5B%5D=SECRET",
           "a=1&email%5Bx%5D%5By%5D=SECRET", "email%255B%255D%253DSECRET", "/?next=%2Flogin%3Femail%3DSECRET",
           "user[email]=SECRET", "user%5Bemail%5D=SECRET", "user[email][]=SECRET", "user.email=SECRET",
           "card[number]=SECRET", "card%5Bnumber%5D=SECRET", "card[number][]=SECRET", "email__=SECRET",
           "email_0_=SECRET", "_email=SECRET", "__email__: SECRET", "email*=SECRET", "email{}=SECRET",
           "email_5B_5D=SECRET", R"("email[]": "SECRET")", R"({"email[]":"SECRET"})", R"({"email[0]":["SECRET"]})",
           R"({"user[email]":"SECRET"})", R"({"email__":"SECRET"})", R"({"email%5B%5D":"SECRET"})",
           R"({"email\u005b\u005d":"SECRET"})", R"({"card[number]":"SECRET"})", R"({"card":{"number[]":"SECRET"}})",
           R"({"msg":"email[]=SECRET"})", R"({"msg":"email\u003dSECRET"})", R"({"msg":"em\u0061il=SECRET"})",
           R"({"msg":"a\nemail=SECRET"})", R"({"msg":"email:\n  SECRET"})", R"({"email=SECRET":1})",
           R"({"msg":"\u001b[36memail\u001b[0m=SECRET"})", R"({"em\u0061il":"SECRET")", R"({"a":"email[]=SECRET)",
           R"({"msg":"{\"email[]\":\"SECRET\"}"})", R"({"url":"/x?email%5B%5D=SECRET"})", R"(\033[1memail=SECRET)",
           R"([{"email[]":"SECRET"}])", R"(email[k\u005d=SECRET)", "email[x]\n=SECRET",
           "email[" + std::string(300, 'k') + "]=SECRET", "email[" + std::string(3000, 'k') + "]=SECRET",
           "email_5B" + std::string(3000, 'k') + "_5D=SECRET", "email." + std::string(3000, 'k') + "=SECRET",
           R"({"user.email":"SECRET"})", R"({"x-user/email":"SECRET"})", R"({"user.email.home":["SECRET"]})",
           R"({"email.home":"SECRET"})", "email.home=SECRET", "user.email.home: SECRET",
           R"({"msg":"[{\"card\":{\"number\":\"SECRET\"}}]"})", R"({"msg":" {\"card\":{\"number\":\"SECRET\"}}"})",
           R"({"msg":"got {\"card\":{\"number\":\"SECRET\"}}"})", R"([{"card":{"number":"SECRET"}},{"cut)",
           "\xef\xbb\xbf{\"card\":{\"number\":\"SECRET\"}}", R"(2026 INFO {"card":{"number":"SECRET"}})",
           R"(["a", {"card":{"number":"SECRET"}}, {)", R"(INFO card={"number": "SECRET"})",
           R"(INFO {"email":["a b","SECRET"]} done)", R"(email=[a b SECRET] done)", R"(email={"a":1, "b":"SECRET")",
           R"(q=%7B%22card%22%3A%7B%22number%22%3A%22SECRET%22%7D%7D)",
       }) {
    std::string storage;
    const std::string_view shown = mask.apply(line, storage);
    CAPTURE(line);
    CAPTURE(shown);
    CHECK(shown.find("SECRET") == std::string_view::npos);
    CHECK(shown.find(kMasked) != std::string_view::npos);
  }
  for (const std::string line : {
           "email_verified=true", "emails=3", "sent email. status=5", "number=5 {x}", R"({"x.email_hash":"h"})",
 "e-mails[]=1", "email [INFO] user=bob", "100% of 5=5", "myemail[]=x",
           R"({"email_verified":true,"emails":["a"]})", R"({"a":"C:\\new"})",
       }) {
    std::string storage;
    CHECK(mask.apply(line, storage) == line);
  }
  for (const std::string_view name : {"email__", "email_0_", "email[]", "email[a][b]", "_email_", "user_email_",
                                      "email_5B_5D", "email%5B%5D", "card_number__", "email_0__address"})
    CHECK_MESSAGE(mask.hides(name), name);
  for (const std::string_view name : {"email_verified", "emails", "user_email_hash", "card", "_", ""})
    CHECK_MESSAGE(!mask.hides(name), name);
}

TEST_CASE("a name is hidden in every way that a stage would write it so") {
  const FieldMask mask({"user.email", "card_number"});
  struct Case {
    std::string_view line, shown;
  };
  for (const auto& [line, shown] : {
           Case{"user.email=p user-email=p x", "user.email=******** user-email=******** x"},
           Case{R"({"card-number":1,"Card.Number":2})", R"({"card-number":"********","Card.Number":"********"})"},
           Case{R"({"user":{"id":1,"email":"p"}})", R"({"user":{"id":1,"email":"********"}})"},
           Case{R"({"a":[{"user":[{"email":"p"}]}],"email":"s"})",
                R"({"a":[{"user":[{"email":"********"}]}],"email":"s"})"},
           Case{R"({"user":{"x":{}},"email":"shown","n":[1]})", R"({"user":{"x":{}},"email":"shown","n":[1]})"},
           Case{R"({"a":"{\"user\":{\"email\":\"p\"}}"})", R"({"a":"{\"user\":{\"email\":\"********\"}}"})"},
           Case{R"({"user":{"email":"p q"}} more)", R"({"user":{"email":********)"},
           Case{R"({"user":"{\"email\":\"p\",\"x\":1}","email":"s"})",
                R"({"user":"{\"email\":\"********\",\"x\":1}","email":"s"})"},
           Case{R"({"user":{"a":1},"b":"{\"email\":\"shown\"}"})", R"({"user":{"a":1},"b":"{\"email\":\"shown\"}"})"},
           Case{R"({"user":["{\"email\":\"p\"}","[{\"email\":\"p\"}]"]})",
                R"({"user":["{\"email\":\"********\"}","[{\"email\":\"********\"}]"]})"},
           Case{R"({"card":"number"})", R"({"card":"number"})"},
       }) {
    std::string storage;
    CHECK(mask.apply(line, storage) == shown);
  }
  CHECK(mask.hides("user_email"));
  CHECK(mask.hides("Card.Number"));
  CHECK(!mask.hides("email"));
}

TEST_CASE("what begins with a bracket and is no JSON is read as text") {
  struct Case {
    std::string_view line, shown;
  };
  for (const auto& [line, shown] : {
           Case{R"([2026-11-22T01:00:00Z] level=info e_mail=a@b msg="kept" status=200)",
                R"([2026-11-22T01:00:00Z] level=info e_mail=******** msg="kept" status=200)"},
           Case{"[INFO] password=p kept", "[INFO] password=******** kept"},
           Case{"{placeholder} password=p kept", "{placeholder} password=******** kept"},
           Case{"[1, {\"password\":\"p q\"}]", "[1, {\"password\":\"********\"}]"},
           Case{"[ {\"password\":\"p\" q", "[ {\"password\":********"},
           Case{"{ \"password\":\"p\" q", "{ \"password\":********"},
           Case{"[", "["},
       }) {
    CHECK(masked(line) == shown);
  }
}

TEST_CASE("a quoted value ends where those see its end who wrote it") {
  struct Case {
    std::string_view line, shown;
  };
  for (const auto& [line, shown] : {
           Case{R"({\x22password\x22:\x22two words\x22,\x22x\x22:1})", R"({\x22password\x22:********,\x22x\x22:1})"},
           Case{R"({\x22password\x22:\x22a \x5C\x22 b\x22,\x22x\x22:1})", R"({\x22password\x22:********,\x22x\x22:1})"},
           Case{R"({\x22password\x22:\x22\x22,\x22x\x22:1})", R"({\x22password\x22:********,\x22x\x22:1})"},
           Case{R"(password=\u0022two words\u0022 x)", "password=******** x"},
           Case{"password=%22two words%22 x", "password=******** x"},
           Case{"password=%2522two words%2522 x", "password=******** x"},
           Case{"password=%22two words x", "password=********"},
           Case{R"("{\"password\":\"a \\\" b\",\"x\":1}")", R"("{\"password\":********,\"x\":1}")"},
           Case{R"("{\"password\":\"a\\\\\",\"x\":1}")", R"("{\"password\":********,\"x\":1}")"},
           Case{R"(msg="password=\"p q\"" x="y")", R"(msg="password=********" x="y")"},
           Case{R"(password="a""b" x)", "password=******** x"},
           Case{R"(password="a"" b" x)", "password=******** x"},
           Case{"password='a''b c' x", "password=******** x"},
           Case{R"(password="a"'b c' x)", "password=******** x"},
           Case{R"(password="a"b x)", "password=******** x"},
           Case{R"(1,"{""password"":""two words"",""x"":1}",2)", R"(1,"{""password"":********,""x"":1}",2)"},
           Case{R"(1,"{""password"":"""",""x"":1}",2)", R"(1,"{""password"":********,""x"":1}",2)"},
           Case{R"(password="""two words""" x)", "password=******** x"},
           Case{R"(password="" x)", "password=******** x"},
           Case{"password=b'two words' x", "password=******** x"},
           Case{R"(password=u"two words" x)", "password=******** x"},
           Case{"password=$'two words' x", "password=******** x"},
           Case{R"(password=Some("two words") x)", "password=******** x"},
           Case{R"(password: Some(String(" two words")) x)", "password: ******** x"},
           Case{R"({"msg":"password=Some(\"two words\") x"})", R"({"msg":"password=******** x"})"},
           Case{R"(msg="password=p" user="bob b")", R"(msg="password=******** user="bob b")"},
           Case{R"('password="p"' user='bob b')", R"('password=********' user='bob b')"},
           Case{"password=pass'word x", "password=******** x"},
       }) {
    CHECK(masked(line) == shown);
  }
}

TEST_CASE("an empty value is not the word that follows") {
  struct Case {
    std::string_view line, shown;
  };
  for (const auto& [line, shown] : {
           Case{"password= status=200 user=bob", "password=******** status=200 user=bob"},
           Case{"password=  a.b-c=1 x", "password=********  a.b-c=1 x"},
           Case{"password= e_mail=p x", "password=******** e_mail=******** x"},
           Case{"password= p x", "password= ******** x"},
           Case{"password= c2VjcmV0= x", "password= ******** x"},
           Case{"password= c2VjcmV=", "password= ********"},
           Case{"password= c2VjcmV== x", "password= ******** x"},
           Case{"password: a=b x", "password: ******** x"},
           Case{"password = a=b x", "password = ******** x"},
           Case{"password=", "password=********"},
       }) {
    CHECK(masked(line) == shown);
  }
}

TEST_CASE("the time for a line grows with its length") {
  constexpr std::size_t kLineBytes = 128 << 10;
  const auto repeat = [](std::string_view text) {
    std::string out;
    while (out.size() < kLineBytes) out += text;
    return out;
  };
  const std::string opened = repeat(R"({"a":)").substr(0, 5 * 1000);
  std::string nested = opened + "{";
  while (nested.size() < kLineBytes) nested += R"("a":1,)";
  nested += R"("e_mail":1})" + std::string(opened.size() / 5, '}');
  const FieldMask mask({"password", "e_mail"});
  for (const auto& line : {repeat("\\"), repeat("password[password]"), nested, repeat("password_"), repeat("password"),
                           repeat("%25"), repeat("e_mail.x "), repeat("password["), repeat("\x1b[1"), repeat("__password"),
                           "{\"" + repeat("password-x ") + "]\":1}", repeat("password:{"), repeat("{\"password\":["),
                           repeat("password=''a"), repeat("password=a'b "), repeat("password=\\x22"),
                           repeat("password=\\\\'"), repeat("password=%22a%5C"), repeat("password= a=b ")}) {
    CAPTURE(line.substr(0, 20));
    std::string storage;
    const std::uint64_t before = thread_cpu_ns();
    mask.apply(line, storage);
    CHECK(thread_cpu_ns() - before < 5'000'000'000);  // what is quadratic takes a minute
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
