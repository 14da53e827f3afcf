#include "common/log.h"

#include <algorithm>
#include <array>
#include <atomic>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "common/clock.h"
#include "common/json_writer.h"
#include "common/labels.h"
#include "common/log_format.h"

namespace kvasir::log {
namespace {

std::atomic<Level> current_level{Level::kInfo};
std::atomic<Format> current_format{Format::kLogfmt};
std::array<std::atomic<std::uint64_t>, 4> written{};  // by level

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("kvasir", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    return made;
  }();
  return *instance;
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarn: return "warn";
    case Level::kError: return "error";
  }
  return "info";
}

void append_json_field(std::string& line, std::string_view key, std::string_view value) {
  line += line.empty() ? '{' : ',';
  append_json_string(line, key);
  line += ':';
  append_json_string(line, value);
}

void append_field(std::string& line, std::string_view key, std::string_view value) {
  if (current_format == Format::kJson) return append_json_field(line, key, value);
  if (!line.empty()) line += ' ';
  line += key;
  line += '=';
  const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](unsigned char c) {
    return c > ' ' && c != '=' && c != '"' && c != '\\' && c != 0x7f;
  });
  if (plain) {
    line += value;
  } else {
    append_go_quoted(line, value);
  }
}

}  // namespace

void set_format(Format format) { current_format = format; }
std::uint64_t lines_written(Level level) { return written[static_cast<std::size_t>(level)]; }
void set_level(Level level) { current_level = level; }
Level level() { return current_level; }

bool set_level(std::string_view name) {
  for (const Level level : {Level::kDebug, Level::kInfo, Level::kWarn, Level::kError}) {
    if (name_of(level) != name) continue;
    set_level(level);
    return true;
  }
  return false;
}

void write(Level level, std::string_view component, std::string_view message, std::initializer_list<Field> fields) {
  if (level < current_level) return;
  ++written[static_cast<std::size_t>(level)];
  std::string line;
  append_field(line, "level", name_of(level));
  append_field(line, "ts", format_rfc3339(system_clock().now()));
  append_field(line, "component", component);
  append_field(line, "msg", message);
  for (const auto& field : fields) {
    if (!field.key.empty()) append_field(line, field.key, field.value);
  }
  if (current_format == Format::kJson) line += '}';
  logger().info(line);
}

}  // namespace kvasir::log
