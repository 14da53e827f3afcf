// log.h -- our own log lines: logfmt on standard error, `level=info ts=... component=wal msg="..." key=value`.
//
// Levels:   error = data lost or a person must act; warn = recovered; info = life cycle; debug = never per entry.
// Threads:  any. Writing is synchronous; lines are whole.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace kvasir::log {

enum class Level { kDebug, kInfo, kWarn, kError };

/// A field of a line; numbers are given as text (fmt or std::to_string).
struct Field {
  std::string_view key;
  std::string value;
};

void set_level(Level level);
Level level();
/// debug, info, warn, error; anything else is refused with false.
bool set_level(std::string_view name);

void write(Level level, std::string_view component, std::string_view message, std::initializer_list<Field> fields = {});

inline void debug(std::string_view component, std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kDebug, component, message, fields);
}
inline void info(std::string_view component, std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kInfo, component, message, fields);
}
inline void warn(std::string_view component, std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kWarn, component, message, fields);
}
inline void error(std::string_view component, std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::kError, component, message, fields);
}

}  // namespace kvasir::log
