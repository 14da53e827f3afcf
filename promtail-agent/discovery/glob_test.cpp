#include "promtail-agent/discovery/glob.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kvasir::agent {

TEST_CASE("a pattern matches the paths it describes and no others") {
  const struct {
    const char* pattern;
    const char* path;
    bool matches;
  } cases[] = {
      {"/a/*.log", "/a/x.log", true},
      {"/a/*.log", "/a/.log", true},
      {"/a/*.log", "/a/b/x.log", false},
      {"/a/**/x.log", "/a/x.log", true},
      {"/a/**/x.log", "/a/b/c/x.log", true},
      {"/a/**/x.log", "/ab/x.log", false},
      {"/a/b**c", "/a/bxxc", true},
      {"/a/b**c", "/a/b/c", false},
      {"/a/app[0-2]?.log", "/a/app1z.log", true},
      {"/a/app[0-2]?.log", "/a/app3z.log", false},
      {"/a/app[!0-2].log", "/a/app3.log", true},
      {"/a/app[^0-2].log", "/a/app1.log", false},
      {"/a/{b,c{d,e}}/x", "/a/ce/x", true},
      {"/a/{b,c{d,e}}/x", "/a/c/x", false},
      {"/a/{b/c,d}.log", "/a/b/c.log", true},
      {"/a/\\*.log", "/a/*.log", true},
      {"/a/\\*.log", "/a/x.log", false},
      {"/a/?.log", "/a/\xc3\xbc.log", true},
      {"/a/[", "/a/[", false},
      {"/a/{b", "/a/{b", true},
      {"/a/*a*a*a*b", "/a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
      {"/a/**", "/a/b/c", true},
  };
  for (const auto& c : cases) {
    CAPTURE(c.pattern);
    CAPTURE(c.path);
    CHECK(Glob(c.pattern).matches(c.path) == c.matches);
  }
}

TEST_CASE("expansion finds what matches") {
  char folder[] = "/tmp/glob_test_XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string root = folder;
  for (const char* name : {"top.log", "a/mid.log", "a/b/deep.log", "a/b/x.txt", "a/one[1].log", ".hidden.log"}) {
    const std::filesystem::path path = root + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << "x";
  }
  std::filesystem::create_directory_symlink(root, root + "/a/b/loop");
  const auto expand = [&](const std::string& pattern) {
    DirectoryCache cache;
    std::string joined;
    for (const auto& path : Glob(root + pattern).expand(cache)) {
      if (path.find("/loop") == std::string::npos) joined += path.substr(root.size()) + " ";
    }
    return joined;
  };
  CHECK(expand("/*.log") == "/.hidden.log /top.log ");
  CHECK(expand("/**/*.log") == "/.hidden.log /a/b/deep.log /a/mid.log /a/one[1].log /top.log ");
  CHECK(expand("/*/mid.log") == "/a/mid.log ");
  CHECK(expand("/a/one[1].log") == "/a/one[1].log ");
  CHECK(expand("/{a/mid,top}.log") == "/a/mid.log /top.log ");
  CHECK(expand("/nothing/*.log").empty());
  DirectoryCache cache;
  CHECK(Glob(root + "/*/mid.log").directories(cache) == std::vector<std::string>{root + "/a"});
  std::filesystem::remove_all(root);
}

}  // namespace kvasir::agent
