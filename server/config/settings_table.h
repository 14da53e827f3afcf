// settings_table.h -- one table says what a setting is called, means, and where its value lives; YAML, flags, /config
// and docs/configuration.md are all read from it.
//
// Shape:    Setting = dotted path ("server.http_listen_port"), meaning, target inside a configuration value.
// Lifetime: a table points into the configuration it was made for; use it while that lives and does not move.
// Errors:   invalid_argument: `line 12: limits_config.max_query_length: cannot read "x" as duration`.
// Threads:  none; used at start and on reload by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/result.h"
#include "common/time.h"
#include "common/yaml.h"

namespace kvasir::server {

/// Bytes written as 256KB, 1.5MB or a bare number; 1 KB = 1024.
struct BytesTarget {
  std::uint64_t* bytes;
};

/// A value with a shape of its own.
struct CustomTarget {
  std::function<Result<void>(const YamlNode&)> read;
  std::function<std::string()> print;  // as YAML flow text
};

using SettingTarget = std::variant<bool*, std::int64_t*, std::uint64_t*, std::uint32_t*, std::uint16_t*, double*,
                                   std::string*, Duration*, std::vector<std::string>*, BytesTarget, CustomTarget>;

struct Setting {
  std::string path;
  SettingTarget target;
  std::string meaning;
  std::string flag = {};   // without the dash; empty: derived from the path
  bool secret = false;     // printed as ********
};

/// `server.http_listen_port` -> `server.http-listen-port`.
std::string flag_name(const Setting& setting);

/// What a reading found besides values.
struct ConfigNotes {
  std::vector<std::string>
      warnings;  // unknown keys: `line 3: unknown key "server.htp_listen_port", did you mean "http_listen_port"?`
  std::vector<std::string> ignored;   // known to the reference server, without effect here
  std::set<std::string> given;        // paths that the file sets
};

/// Reads a map below `prefix` ("" for a whole file) into the targets. `ignored` holds dotted paths that are accepted
/// without effect, each with everything below it.
Result<void> read_settings(const YamlNode& map, const std::string& prefix, std::span<const Setting> table,
                           std::span<const std::string_view> ignored, ConfigNotes& notes);

/// A value as text, as a flag gives it. Errors: invalid_argument `cannot read "x" as duration`.
Result<void> set_from_text(const Setting& setting, const std::string& text);

/// The current value as YAML scalar or flow text; secrets that are set as ********.
std::string print_value(const Setting& setting);

/// All settings as a YAML document. REQUIRES: settings of one block stand together.
std::string print_yaml(std::span<const Setting> table);

}  // namespace kvasir::server
