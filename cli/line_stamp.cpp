#include "cli/line_stamp.h"

#include <algorithm>
#include <string>

#include "common/go_time.h"

namespace kvasir::cli {
namespace {

constexpr std::size_t kSearchBytes = 256;
constexpr auto kAhead = std::chrono::hours(24);

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// 0 stands for a digit, a for a letter, _ for a digit or a space; anything else for itself.
bool has_shape(std::string_view text, std::string_view shape) {
  if (text.size() < shape.size()) return false;
  return std::equal(shape.begin(), shape.end(), text.begin(), [](char wanted, char c) {
    if (wanted == '0') return is_digit(c);
    if (wanted == 'a') return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    if (wanted == '_') return is_digit(c) || c == ' ';
    return c == wanted;
  });
}

std::optional<TimestampNs> parse(std::string_view layout, std::string_view text) {
  const auto time = parse_go_time(layout, text, TimeZone::local());
  return time ? time->timestamp() : std::nullopt;
}

// With what follows the seconds: a fraction and, in RFC 3339, a zone.
std::optional<TimestampNs> dashed_stamp(std::string_view text) {
  const auto end = text.find_first_not_of("0123456789-:TZ.+", 11);
  if (const auto stamp = parse_rfc3339(text.substr(0, end))) return stamp;
  std::string seconds(text.substr(0, 19));
  std::replace(seconds.begin(), seconds.begin() + 10, '/', '-');
  seconds[10] = ' ';
  const auto whole = parse("2006-01-02 15:04:05", seconds);
  if (!whole || text.size() < 21 || (text[19] != '.' && text[19] != ',') || !is_digit(text[20])) return whole;
  std::int64_t fraction = 0;
  std::int64_t unit = 1'000'000'000;
  for (std::size_t i = 20; i < text.size() && is_digit(text[i]) && unit > 1; ++i) {
    unit /= 10;
    fraction += (text[i] - '0') * unit;
  }
  return *whole + Duration(fraction);
}

std::optional<TimestampNs> syslog_stamp(std::string_view text, TimestampNs near) {
  const GoDate today = go_date(TimeZone::local().at(near + kAhead));
  for (std::int64_t year = today.year; year > today.year - 2; --year) {
    const auto stamp = parse("2006 Jan _2 15:04:05", std::to_string(year) + " " + std::string(text.substr(0, 15)));
    if (stamp && *stamp <= near + kAhead) return stamp;
  }
  return std::nullopt;
}

std::optional<TimestampNs> stamp_at(std::string_view text, TimestampNs near) {
  if (has_shape(text, "0000-00-00T00:00:00") || has_shape(text, "0000-00-00 00:00:00") ||
      has_shape(text, "0000/00/00 00:00:00")) {
    return dashed_stamp(text);
  }
  if (has_shape(text, "00/aaa/0000:00:00:00 +0000") || has_shape(text, "00/aaa/0000:00:00:00 -0000")) {
    return parse("02/Jan/2006:15:04:05 -0700", text.substr(0, 26));
  }
  if (has_shape(text, "aaa _0 00:00:00")) return syslog_stamp(text, near);
  return std::nullopt;
}

}  // namespace

std::optional<TimestampNs> find_line_stamp(std::string_view line, TimestampNs near) {
  const auto head = line.substr(0, kSearchBytes);
  for (std::size_t i = 0; i < head.size(); ++i) {
    if (i > 0 && (is_digit(head[i - 1]) || has_shape(head.substr(i - 1), "a"))) continue;  // inside a word
    if (const auto stamp = stamp_at(head.substr(i), near)) return stamp;
  }
  return std::nullopt;
}

}  // namespace kvasir::cli
