#include "server/config/reference.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "server/config/server_config.h"

using namespace kvasir::server;

TEST_CASE("docs/configuration.md is what the settings say") {
  const std::string path = std::string(KVASIR_SOURCE_DIR) + "/docs/configuration.md";
  if (std::getenv("KVASIR_WRITE_DOCS") != nullptr) std::ofstream(path, std::ios::binary) << configuration_reference();
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  CHECK_MESSAGE(text.str() == configuration_reference(),
                "run test_server with KVASIR_WRITE_DOCS=1 and commit the page");
}

TEST_CASE("every setting has a name of its own and a meaning") {
  ServerConfig config;
  std::set<std::string> paths;
  std::set<std::string> flags;
  for (const auto& setting : settings(config)) {
    CHECK_MESSAGE(paths.insert(setting.path).second, setting.path);
    CHECK_MESSAGE(flags.insert(flag_name(setting)).second, flag_name(setting));
    CHECK_MESSAGE(!setting.meaning.empty(), setting.path);
  }
  for (const auto key : ignored_keys()) CHECK_MESSAGE(paths.count(std::string(key)) == 0, key);
}

TEST_CASE("what /config prints can be read again") {
  ServerConfig config;
  const auto table = settings(config);
  const std::string text = print_yaml(table);
  ServerConfig other;
  const auto again = settings(other);
  ConfigNotes notes;
  const auto root = kvasir::parse_yaml(text);
  REQUIRE(root.has_value());
  std::vector<Setting> readable;
  for (const auto& setting : again) {
    if (setting.path != "kvasir.auth.credentials") readable.push_back(setting);
  }
  const auto read = read_settings(*root, "", readable, ignored_keys(), notes);
  REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().message()));
  CHECK(print_yaml(again) == text);
}
