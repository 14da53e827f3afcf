#include "common/net/router.h"

#include <doctest/doctest.h>

namespace kvasir::net {
namespace {

Router make_router() {
  Router router;
  for (const char* pattern : {"/ready", "/label/{name}/values", "/label/names/values", "/rules/{namespace}/{group}",
                              "/rules", "/ui/{rest...}", "/ui/index"}) {
    router.add({{"GET"}, pattern, {}, 0, {}});
  }
  router.add({{"POST", "DELETE"}, "/rules/{namespace}", {}, 0, {}});
  router.add({{}, "/any", {}, 0, {}});
  return router;
}

TEST_CASE("paths find their route") {
  const Router router = make_router();
  const auto find = [&](std::string_view method, std::string_view path) -> std::string {
    const auto match = router.find(method, path);
    if (!match) return "error";
    if (match->route == nullptr) return match->path_known ? "405" : "404";
    std::string out = match->route->pattern;
    for (const auto& [name, value] : match->path_params) out += " " + name + "=" + value;
    return out;
  };
  CHECK(find("GET", "/ready") == "/ready");
  CHECK(find("GET", "/ready/") == "404");
  CHECK(find("GET", "/") == "404");
  CHECK(find("GET", "") == "404");
  CHECK(find("HEAD", "/ready") == "405");
  CHECK(find("PATCH", "/any") == "/any");
  CHECK(find("GET", "/label/app/values") == "/label/{name}/values name=app");
  CHECK(find("GET", "/label/names/values") == "/label/names/values");
  CHECK(find("GET", "/label//values") == "404");
  CHECK(find("GET", "/label/a%2Fb/values") == "/label/{name}/values name=a/b");
  CHECK(find("GET", "/rules/a%20b/c%2Fd") == "/rules/{namespace}/{group} namespace=a b group=c/d");
  CHECK(find("GET", "/rules/x") == "405");
  CHECK(find("DELETE", "/rules/x") == "/rules/{namespace} namespace=x");
  CHECK(find("GET", "/ui/index") == "/ui/index");
  CHECK(find("GET", "/ui/a/b.js") == "/ui/{rest...} rest=a/b.js");
  CHECK(find("GET", "/ui/") == "/ui/{rest...} rest=");
  CHECK(find("GET", "/ui") == "/ui/{rest...} rest=");
  CHECK(find("GET", "/label/%zz/values") == "error");
}

}  // namespace
}  // namespace kvasir::net
