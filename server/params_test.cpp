#include "server/params.h"

#include <doctest/doctest.h>

using namespace kvasir;
using namespace kvasir::server;

namespace {

constexpr TimestampNs kNow{1'768'035'600'000'000'000};

net::HttpParams params(std::string_view encoded) { return *net::HttpParams::parse(encoded); }

}  // namespace

TEST_CASE("timestamps in every accepted form") {
  const auto f = [](const char* text, std::int64_t want) {
    const auto got = parse_timestamp(text);
    REQUIRE_MESSAGE(got.has_value(), text);
    CHECK_MESSAGE(got->value == want, text);
  };
  f("1768032010", 1768032010000000000);
  f("1768032010000000000", 1768032010000000000);
  f("17680320100", 17680320100);
  f("1768032010.5", 1768032010500000000);
  f("1768032060.2504", 1768032060250000000);
  f("0", 0);
  f("-5", -5000000000);
  f("2026-01-10T08:00:10Z", 1768032010000000000);
  f("2026-01-10T10:00:10+02:00", 1768032010000000000);
  f("2026-01-10T08:00:10.123456789Z", 1768032010123456789);
  f("1969-12-31T23:59:59.5Z", -500000000);
}

TEST_CASE("broken timestamps") {
  const auto f = [](const char* text) {
    const auto got = parse_timestamp(text);
    REQUIRE_MESSAGE(!got.has_value(), text);
    CHECK(got.error().message() == "strconv.ParseInt: parsing \"" + std::string(text) + "\": invalid syntax");
  };
  for (const char* text :
       {"abc", "2026-01-10", "2026-01-10T08:00:00", "1e18", "1.x", "2026-13-10T08:00:00Z", "2026-02-30T08:00:00Z",
        "2026-01-10T24:00:00Z", "2026-01-10T08:00:00.Z", "2026-01-10T08:00:00+2:00", "now-1h", " 1"}) {
    f(text);
  }
  CHECK(parse_timestamp("99999999999999999999").error().message() ==
        "strconv.ParseInt: parsing \"99999999999999999999\": value out of range");
}

TEST_CASE("bounds have defaults") {
  const auto f = [](const char* encoded, std::int64_t start, std::int64_t end) {
    const auto got = parse_bounds(params(encoded), kNow);
    REQUIRE_MESSAGE(got.has_value(), encoded);
    CHECK_MESSAGE(got->start.value == start, encoded);
    CHECK_MESSAGE(got->end.value == end, encoded);
  };
  const std::int64_t hour = 3600'000'000'000;
  f("", kNow.value - hour, kNow.value);
  f("since=2m", kNow.value - 120'000'000'000, kNow.value);
  f("end=1768032300&since=2m", 1768032180000000000, 1768032300000000000);
  f("end=1768032300", 1768032300000000000 - hour, 1768032300000000000);
  f("end=4000000000", kNow.value - hour, 4000000000000000000);
  f("start=1&end=2&since=2m", 1000000000, 2000000000);
}

TEST_CASE("range parameters are refused with the known texts") {
  const auto f = [](const char* encoded, const char* want) {
    const auto got = parse_range_params(params(encoded), kNow);
    REQUIRE_MESSAGE(!got.has_value(), encoded);
    CHECK_MESSAGE(got.error().message() == want, encoded);
  };
  f("start=abc", "could not parse 'start' parameter: strconv.ParseInt: parsing \"abc\": invalid syntax");
  f("end=1e18", "could not parse 'end' parameter: strconv.ParseInt: parsing \"1e18\": invalid syntax");
  f("since=abc", "could not parse 'since' parameter: not a valid duration string: \"abc\"");
  f("since=1x", "could not parse 'since' parameter: unknown unit \"x\" in duration \"1x\"");
  f("start=10&end=9", "end timestamp must not be before or equal to start time");
  f("limit=0", "limit must be a positive value");
  f("limit=1.5", "strconv.Atoi: parsing \"1.5\": invalid syntax");
  f("direction=sideways", "invalid direction 'sideways'");
  f("step=0", "zero or negative query resolution step widths are not accepted. Try a positive integer");
  f("step=-1", "zero or negative query resolution step widths are not accepted. Try a positive integer");
  f("step=-5s", "cannot parse \"-5s\" to a valid duration");
  f("step=99999999999999999999", "cannot parse \"99999999999999999999\" to a valid duration. It overflows int64");
  f("start=0&end=11001&step=1",
    "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter");
  f("interval=-1s", "cannot parse \"-1s\" to a valid duration");
  f("interval=-1", "interval must be >= 0");
}

TEST_CASE("range parameters that are fine") {
  const auto f = [](const char* encoded) {
    const auto got = parse_range_params(params(encoded), kNow);
    REQUIRE_MESSAGE(got.has_value(), encoded);
    return *got;
  };
  CHECK(f("start=0&end=11000&step=1").step == std::chrono::seconds(1));
  CHECK(f("start=5&end=5").bounds.start == f("start=5&end=5").bounds.end);
  CHECK(f("step=15000ms").step == std::chrono::seconds(15));
  CHECK(f("interval=0.5").interval == std::chrono::milliseconds(500));
  CHECK(f("direction=FORWARD").direction == logql::Direction::kForward);
  CHECK(f("limit=&start=&direction=").limit == 100);
  CHECK(f("").step == std::chrono::seconds(14));
  CHECK(f("start=0&end=60").step == std::chrono::seconds(1));
}

TEST_CASE("forms come before the query string") {
  net::HttpRequest request;
  request.method = "POST";
  request.target = "/q?limit=1&a=2";
  request.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8");
  request.body = "limit=7";
  CHECK(merged_params(request)->value_or_empty("limit") == "7");
  CHECK(merged_params(request)->value_or_empty("a") == "2");
  request.headers.set("Content-Type", "application/json");
  CHECK(merged_params(request)->value_or_empty("limit") == "1");
  request.target = "/q?a=1;b=2";
  CHECK(merged_params(request).error().message() == "invalid semicolon separator in query");
  request.target = "/q?a=%zz";
  CHECK(merged_params(request).error().message() == "invalid URL escape \"%zz\"");
}
