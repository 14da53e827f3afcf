#include "common/number.h"

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace kvasir;

TEST_CASE("go floats: what Go reads, and nothing else") {
  const auto reads = [](std::string_view text, double want) {
    CAPTURE(text);
    REQUIRE(parse_go_float(text).has_value());
    CHECK(*parse_go_float(text) == want);
  };
  reads("1", 1);
  reads("+1.5", 1.5);
  reads("-1e3", -1000);
  reads(".5", 0.5);
  reads("5.", 5);
  reads("0x1p4", 16);
  reads("-Inf", -std::numeric_limits<double>::infinity());
  reads("infinity", std::numeric_limits<double>::infinity());
  reads("1e999", std::numeric_limits<double>::infinity());
  CHECK(std::isnan(*parse_go_float("NaN")));
  for (const auto* text : {"", "x", "1x", "0x10", "+-1", "--1", "1 ", " 1", "1e", "e1", ".", "-", "1,5"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_go_float(text).has_value());
  }
  CHECK(go_float_error("x\"") == R"(strconv.ParseFloat: parsing "x\"": invalid syntax)");
  CHECK(go_float_error("1e999") == R"(strconv.ParseFloat: parsing "1e999": value out of range)");
}

TEST_CASE("integers: the whole text or nothing") {
  CHECK(parse_int64("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
  CHECK(parse_int64("+7") == 7);
  CHECK_FALSE(parse_int64("9223372036854775808").has_value());
  CHECK_FALSE(parse_int64("++7").has_value());
  CHECK_FALSE(parse_int64("").has_value());
  CHECK(parse_uint64("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
  CHECK_FALSE(parse_uint64("-1").has_value());
}

TEST_CASE("sample values never carry an exponent") {
  CHECK(format_sample_value(1) == "1");
  CHECK(format_sample_value(0.1) == "0.1");
  CHECK(format_sample_value(1e-7) == "0.0000001");
  CHECK(format_sample_value(1e21) == "1000000000000000000000");
  CHECK(format_sample_value(-0.0) == "-0");
  CHECK(format_sample_value(std::numeric_limits<double>::infinity()) == "+Inf");
  CHECK(format_sample_value(std::nan("")) == "NaN");
  CHECK(format_sample_value(5e-324).size() == 326);
}

TEST_CASE("go floats print as strconv prints them") {
  CHECK(format_go_float(999999.5) == "999999.5");
  CHECK(format_go_float(1e6) == "1e+06");
  CHECK(format_go_float(1234567) == "1.234567e+06");
  CHECK(format_go_float(1e21) == "1e+21");
  CHECK(format_go_float(0.00001) == "1e-05");
  CHECK(format_go_float(2.5) == "2.5");
}

TEST_CASE("durations in both grammars") {
  using namespace std::chrono_literals;
  CHECK(parse_prometheus_duration("1h30m") == 90min);
  CHECK(parse_prometheus_duration("1y2w3d4h5m6s7ms") ==
        Duration(365 * 24h + 14 * 24h + 3 * 24h + 4h + 5min + 6s + 7ms));
  CHECK(parse_prometheus_duration("0") == 0ns);
  for (const auto* text : {"", "1", "1m1h", "1h1h", "1.5h", "-1h", "1us", "h", "300000000000y", "1h "}) {
    CAPTURE(text);
    CHECK_FALSE(parse_prometheus_duration(text).has_value());
  }
  CHECK(parse_go_duration("1.5h") == 90min);
  CHECK(parse_go_duration("1s1h") == 1h + 1s);
  CHECK(parse_go_duration("-250us") == -250us);
  CHECK(parse_go_duration("1\xc2\xb5s") == 1us);
  for (const auto* text : {"", "1", "1d", "h", ".h", "1..5s", "-", "1h-1s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_go_duration(text).has_value());
  }
  CHECK(format_go_duration(90min) == "1h30m0s");
  CHECK(format_go_duration(1500ms) == "1.5s");
  CHECK(format_go_duration(250us) == "250\xc2\xb5s");
  CHECK(format_go_duration(-1ns) == "-1ns");
  CHECK(format_go_duration(0ns) == "0s");
  CHECK(format_prometheus_duration(24h) == "1d");
  CHECK(format_prometheus_duration(90min) == "1h30m");
  CHECK(format_prometheus_duration(8 * 24h) == "8d");
  CHECK(format_prometheus_duration(0ns) == "0s");
}

TEST_CASE("byte sizes, decimal and binary") {
  CHECK(parse_byte_size("5") == 5);
  CHECK(parse_byte_size("5B") == 5);
  CHECK(parse_byte_size("1.5kb") == 1500);
  CHECK(parse_byte_size("1 KiB") == 1024);
  CHECK(parse_byte_size("2M") == 2000000);
  CHECK(parse_byte_size("2Mi") == 2097152);
  for (const auto* text : {"", "B", "5x", "5KiBB", "-5", "5 k b", "99999999999E", "99999999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_byte_size(text).has_value());
  }
}
