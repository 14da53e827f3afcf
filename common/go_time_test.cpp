#include "common/go_time.h"

#include <doctest/doctest.h>

using namespace kvasir;

namespace {

const GoTime kSample = {1768032060, 514007000, 0, "UTC"};  // 2026-01-10T08:01:00.514007Z, a Saturday

std::string show(std::string_view layout, std::string_view text, std::string_view zone = "") {
  const auto parsed = parse_go_time(layout, text, *TimeZone::find(zone));
  return parsed ? format_go_time(*parsed) : parsed.error().message();
}

}  // namespace

TEST_CASE("formatting follows Go's layouts") {
  const auto check = [](std::string_view layout, std::string_view want) {
    CHECK(format_go_time(kSample, layout) == want);
  };
  check("2006-01-02T15:04:05.000Z07:00", "2026-01-10T08:01:00.514Z");
  check("2006-01-02T15:04:05.999999999Z07:00", "2026-01-10T08:01:00.514007Z");
  check("Mon Jan _2 15:04:05 MST 2006", "Sat Jan 10 08:01:00 UTC 2026");
  check("Monday, 02-Jan-06 3:04PM", "Saturday, 10-Jan-26 8:01AM");
  check("January 2 2006 03pm", "January 10 2026 08am");
  check("002 __2", "010  10");
  check("1/2/06 4:5", "1/10/26 1:0");
  check("-0700 -07:00 -07 Z0700 Z07", "+0000 +00:00 +00 Z Z");
  check("Janet 15h Marchtime", "Janet 08h Marchtime");
  check("05,000 05.00", "00,514 00.51");
  check("_2006", "_2026");
  check("", "");
  check("no fields", "no fields");
}

TEST_CASE("String() shows fraction, offset and abbreviation") {
  CHECK(format_go_time(kSample) == "2026-01-10 08:01:00.514007 +0000 UTC");
  CHECK(format_go_time(GoTime::zero()) == "0001-01-01 00:00:00 +0000 UTC");
  CHECK(format_go_time(GoTime{0, 0, -5400, ""}) == "1969-12-31 22:30:00 -0130 -0130");
  CHECK(format_go_time(TimeZone::find("Europe/Berlin")->at(1751364000, 0)) == "2025-07-01 12:00:00 +0200 CEST");
}

TEST_CASE("parsing follows Go's layouts") {
  const auto check = [](std::string_view layout, std::string_view text, std::string_view want) {
    CHECK_MESSAGE(show(layout, text) == want, layout);
  };
  check("2006-01-02", "2025-12-24", "2025-12-24 00:00:00 +0000 UTC");
  check("2006-01-02T15:04:05Z07:00", "2026-01-10T08:01:00.5+02:00", "2026-01-10 08:01:00.5 +0200 +0200");
  check("2006-01-02T15:04:05Z07:00", "2026-01-10T08:01:00Z", "2026-01-10 08:01:00 +0000 UTC");
  check("02/Jan/2006:15:04:05 -0700", "10/jan/2026:08:01:00 +0000", "2026-01-10 08:01:00 +0000 UTC");
  check("15:04:05", "12:00:00,5", "0000-01-01 12:00:00.5 +0000 UTC");
  check("Jan _2 15:04:05", "Jan  3 01:02:03", "0000-01-03 01:02:03 +0000 UTC");
  check("2006 002", "2024 060", "2024-02-29 00:00:00 +0000 UTC");
  check("2006 002", "2023 060", "2023-03-01 00:00:00 +0000 UTC");
  check("06-1-2 3PM", "69-4-5 12AM", "1969-04-05 00:00:00 +0000 UTC");
  check("06-1-2 3PM", "68-4-5 12PM", "2068-04-05 12:00:00 +0000 UTC");
  check("15:04 MST", "10:00 GMT+3", "0000-01-01 10:00:00 +0300 GMT+3");
  check("15:04 MST", "10:00 XYZ", "0000-01-01 10:00:00 +0000 XYZ");
  check("05.000", "07.120", "0000-01-01 00:00:07.12 +0000 UTC");
  check("05.999", "07", "0000-01-01 00:00:07 +0000 UTC");
  check("2006-01-02 15:04:05.999999999", "2026-01-10 08:01:00.1234567891", "2026-01-10 08:01:00.123456789 +0000 UTC");
  check("Monday January 2 2006", "Tuesday february 3 2026", "2026-02-03 00:00:00 +0000 UTC");
  check("2006   01", "2026 02", "2026-02-01 00:00:00 +0000 UTC");
}

TEST_CASE("parse errors are Go's") {
  const auto check = [](std::string_view layout, std::string_view text, std::string_view want) {
    CHECK(show(layout, text) == want);
  };
  check("2006", "nope", R"(parsing time "nope" as "2006": cannot parse "nope" as "2006")");
  check("2006-01-02", "2025-13-01", R"(parsing time "2025-13-01": month out of range)");
  check("2006-01-02", "2025-02-30", R"(parsing time "2025-02-30": day out of range)");
  check("2006", "2025x", R"(parsing time "2025x": extra text: "x")");
  check("15:04", "24:00", R"(parsing time "24:00": hour out of range)");
  check("2006-01", "2025/01", R"(parsing time "2025/01" as "2006-01": cannot parse "/01" as "-")");
  check("05.000", "07.12", R"(parsing time "07.12" as "05.000": cannot parse ".12" as ".000")");
  check("02", "1", R"(parsing time "1" as "02": cannot parse "1" as "02")");
  check("2006 002", "2023 366", R"(parsing time "2023 366": day-of-year out of range)");
}

TEST_CASE("zones place wall clocks") {
  CHECK(show("2006-01-02 15:04", "2025-07-01 12:00", "Europe/Berlin") == "2025-07-01 12:00:00 +0200 CEST");
  CHECK(show("2006-01-02 15:04", "2025-01-01 12:00", "America/New_York") == "2025-01-01 12:00:00 -0500 EST");
  CHECK(show("2006-01-02 15:04 MST", "2025-01-01 12:00 EDT", "America/New_York") == "2025-01-01 11:00:00 -0500 EST");
  // A wall clock inside the spring gap and one inside the autumn overlap.
  CHECK(show("2006-01-02 15:04", "2025-03-30 02:30", "Europe/Berlin") == "2025-03-30 03:30:00 +0200 CEST");
  CHECK(show("2006-01-02 15:04", "2025-10-26 02:30", "Europe/Berlin") == "2025-10-26 02:30:00 +0100 CET");
  CHECK_FALSE(TimeZone::find("Mars/Olympus"));
}

TEST_CASE("formatting and parsing agree over many instants") {
  constexpr std::string_view kLayout = "2006-01-02T15:04:05.999999999Z07:00";
  for (std::int64_t seconds = -62135596800; seconds < 253402300800; seconds += 86400 * 97 + 12345) {
    const GoTime time{seconds, static_cast<std::int32_t>(seconds & 0xffff), 0, "UTC"};
    const auto back = parse_go_time(kLayout, format_go_time(time, kLayout));
    REQUIRE(back);
    CHECK(*back == time);
  }
}
