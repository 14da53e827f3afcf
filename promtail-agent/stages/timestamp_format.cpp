#include "promtail-agent/stages/timestamp_format.h"

#include <array>

#include "common/number.h"

namespace kvasir::agent {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::string_view kRfc3339Layout = "2006-01-02T15:04:05.999999999Z07:00";

struct NamedLayout {
  std::string_view name;
  std::string_view layout;
};

constexpr std::array<NamedLayout, 8> kNamedLayouts{{
    {"ANSIC", "Mon Jan _2 15:04:05 2006"},
    {"UnixDate", "Mon Jan _2 15:04:05 MST 2006"},
    {"RubyDate", "Mon Jan 02 15:04:05 -0700 2006"},
    {"RFC822", "02 Jan 06 15:04 MST"},
    {"RFC822Z", "02 Jan 06 15:04 -0700"},
    {"RFC850", "Monday, 02-Jan-06 15:04:05 MST"},
    {"RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"},
    {"RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"},
}};

std::optional<ReadTime> scaled(std::string_view text, std::int64_t factor) {
  const auto number = parse_int64(text);
  std::int64_t ns = 0;
  if (!number || __builtin_mul_overflow(*number, factor, &ns)) return std::nullopt;
  return ReadTime{{ns}, 0};
}

// Seconds with an optional decimal fraction of any length; digits past the ninth are cut.
std::optional<ReadTime> read_unix(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return scaled(text, kNsPerSecond);
  const std::string_view fraction = text.substr(dot + 1);
  const bool digits = !fraction.empty() && fraction.find_first_not_of("0123456789") == std::string_view::npos;
  const auto whole = scaled(text.substr(0, dot), kNsPerSecond);
  if (!digits || !whole) return std::nullopt;
  std::int64_t ns = 0;
  for (std::size_t i = 0; i < 9; ++i) ns = ns * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  const bool negative = text.front() == '-';
  std::int64_t total = 0;
  if (__builtin_add_overflow(whole->timestamp.value, negative ? -ns : ns, &total)) return std::nullopt;
  return ReadTime{{total}, 0};
}

// The form that Go's layout reads: parse_rfc3339() takes a few more.
bool is_strict_rfc3339(std::string_view text) {
  const std::size_t n = text.size();
  if (n < 20 || text[10] != 'T') return false;
  return text.back() == 'Z' || (n >= 25 && (text[n - 6] == '+' || text[n - 6] == '-') && text[n - 3] == ':');
}

// Of a text that parse_rfc3339() took: it ends in Z or in +hh:mm.
std::int32_t offset_at_end(std::string_view text) {
  if (text.back() == 'Z') return 0;
  const std::string_view zone = text.substr(text.size() - 6);
  const auto two = [&](std::size_t at) { return (zone[at] - '0') * 10 + (zone[at + 1] - '0'); };
  const std::int32_t seconds = two(1) * 3600 + two(4) * 60;
  return zone.front() == '-' ? -seconds : seconds;
}

std::optional<ReadTime> of_go_time(const GoTime& time) {
  const auto timestamp = time.timestamp();
  if (!timestamp) return std::nullopt;
  return ReadTime{*timestamp, time.offset_seconds};
}

}  // namespace

std::optional<ReadTime> read_rfc3339(std::string_view text) {
  if (is_strict_rfc3339(text)) {
    if (const auto timestamp = parse_rfc3339(text)) return ReadTime{*timestamp, offset_at_end(text)};
  }
  const auto time = parse_go_time(kRfc3339Layout, text);
  return time ? of_go_time(*time) : std::nullopt;
}

TimestampFormat::TimestampFormat(std::string_view name, std::optional<TimeZone> location) {
  if (name == "Unix") kind_ = Kind::kUnixSeconds;
  if (name == "UnixMs") kind_ = Kind::kUnixMs;
  if (name == "UnixUs") kind_ = Kind::kUnixUs;
  if (name == "UnixNs") kind_ = Kind::kUnixNs;
  if (name == "RFC3339" || name == "RFC3339Nano") kind_ = Kind::kRfc3339;
  layout_ = name;
  bool named = false;
  for (const NamedLayout& known : kNamedLayouts) {
    if (known.name != name) continue;
    layout_ = known.layout;
    named = true;
  }
  const auto contains = [this](std::string_view token) { return layout_.find(token) != std::string::npos; };
  has_zone_ = contains("MST") || contains("-07") || contains("Z07");
  has_year_ = contains("06");
  if (named) location.reset();
  zone_ = location ? *location : contains("MST") ? TimeZone::local() : TimeZone::utc();
}

bool TimestampFormat::plausible() const {
  if (kind_ != Kind::kLayout) return true;
  // A layout that prints two quite different times alike has no part of a time in it.
  const TimeZone utc = TimeZone::utc();
  return format_go_time(utc.at(0, 0), layout_) != format_go_time(utc.at(1'234'567'890, 123'456'789), layout_);
}

std::optional<ReadTime> TimestampFormat::read(std::string_view text, TimestampNs now) const {
  switch (kind_) {
    case Kind::kUnixSeconds: return read_unix(text);
    case Kind::kUnixMs: return scaled(text, 1'000'000);
    case Kind::kUnixUs: return scaled(text, 1'000);
    case Kind::kUnixNs: return scaled(text, 1);
    case Kind::kRfc3339: return read_rfc3339(text);
    case Kind::kLayout: return read_layout(text, now);
  }
  return std::nullopt;
}

std::optional<ReadTime> TimestampFormat::read_layout(std::string_view text, TimestampNs now) const {
  const auto time = parse_go_time(layout_, text, zone_);
  if (!time) return std::nullopt;
  return has_year_ ? of_go_time(*time) : with_year(*time, now);
}

std::optional<ReadTime> TimestampFormat::with_year(const GoTime& time, TimestampNs now) const {
  GoDate date = go_date(time);
  if (date.year != 0) return std::nullopt;
  const GoDate today = go_date(TimeZone::local().at(now));
  date.year = today.year;
  if (date.month == 12 && today.month == 1) --date.year;
  if (date.month == 1 && today.month == 12) ++date.year;
  const std::int64_t wall = go_wall_seconds(date);
  if (has_zone_) {
    GoTime placed = time;
    placed.unix_seconds = wall - time.offset_seconds;
    return of_go_time(placed);
  }
  return of_go_time(zone_.at(zone_.from_wall_clock(wall), time.nanoseconds));
}

}  // namespace kvasir::agent
