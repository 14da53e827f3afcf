#include "server/config/reference.h"

#include <algorithm>

#include "server/config/server_config.h"

namespace kvasir::server {
namespace {

constexpr std::string_view kIntroduction =
    "# Configuration of `kvasir`\n\n"
    "This page is written by the program (`test_server` checks it and writes it again with `KVASIR_WRITE_DOCS=1`).\n\n"
    "The file has the shape of Loki's; a file that Loki reads can be used as it is. Values are taken in this order: "
    "built-in\n"
    "defaults, the file, the command line. Without a file the server listens on 127.0.0.1:3100 without tenants and "
    "keeps its data in\n"
    "`./kvasir-data`, or in `$XDG_STATE_HOME/kvasir` when that variable is set. With a file it listens on every "
    "address unless\n"
    "`server.http_listen_address` says otherwise, and `auth_enabled` is true unless it is turned off, both as Loki "
    "does.\n\n"
    "- `-config.file=a.yaml,b.yaml`: the first that exists; without the flag `config.yaml` and `config/config.yaml` "
    "are tried.\n"
    "- `-config.expand-env=true` replaces `${VAR}`, `${VAR:-default}` and the other forms of `common/env_expand.h` in "
    "the file;\n"
    "  `${file:/path}` puts a file there, for secrets.\n"
    "- `-verify-config` reads and checks the file, with credentials, certificates and overrides, and ends; "
    "`-print-config-stderr`\n"
    "  prints what is in force; `GET /config` shows the same, `?mode=defaults` the defaults and `?mode=diff` what differs "
    "from\n"
    "  them. Secrets are shown as `********`.\n"
    "- An unknown key is a warning with its line and the nearest known key; a value of the wrong kind stops the "
    "start.\n"
    "- SIGHUP or `POST /-/reload` reads limits, log level and certificates again. The runtime file is read every\n"
    "  `runtime_config.period`; a broken one changes nothing.\n"
    "- Durations: `30s`, `1h30m`, `7d`. Sizes: `256KB`, `1.5MB`; 1 KB is 1024 bytes.\n\n"
    "Every key below `limits_config` can be set for one tenant in the runtime file: `overrides: {tenant: {key: "
    "value}}`.\n\n";

/// A `|` would end the cell.
std::string cell(std::string text) {
  for (std::size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) text.insert(at, "\\");
  return text;
}

}  // namespace

std::string configuration_reference() {
  ServerConfig defaults;
  std::string out(kIntroduction);
  std::string open;
  for (const auto& setting : settings(defaults)) {
    const std::string block =
        setting.path.find('.') == std::string::npos ? "top level" : setting.path.substr(0, setting.path.find('.'));
    if (block != open)
      out += (open.empty() ? "## `" : "\n## `") + block +
             "`\n\n| key | default | meaning | flag |\n| --- | --- | --- | --- |\n";
    open = block;
    out += "| `" + setting.path + "` | `" + cell(print_value(setting)) + "` | " + cell(setting.meaning) + " | `-" +
           flag_name(setting) + "` |\n";
  }
  out +=
      "\n## Accepted without effect\n\nThese keys of Loki, with everything below them, are known and change nothing "
      "here:\n\n";
  std::vector<std::string> ignored(ignored_keys().begin(), ignored_keys().end());
  std::sort(ignored.begin(), ignored.end());
  for (const auto& key : ignored) out += "`" + key + "`\n";
  return out;
}

}  // namespace kvasir::server
