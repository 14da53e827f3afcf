#include <doctest/doctest.h>

#include "promtail-agent/stages/metric_condition.h"
#include "promtail-agent/stages/testing_pipeline.h"

namespace kvasir::agent {
namespace {

constexpr std::string_view kUsersPipeline = R"(
- json:
    expressions: {timestamp: timestamp, level: level, message: message, duration_ms: duration, status: status}
- metrics:
    log_errors_total: {type: Counter, description: "Total error logs", prefix: promtail_, value: "1", match: 'level="error"'}
- metrics:
    request_duration_seconds:
      type: Histogram
      description: "Request duration from logs"
      prefix: promtail_
      buckets: [0.01, 0.1, 0.5, 1, 2, 5, 10]
      value_name: duration_ms
      value_type: milliseconds
- metrics:
    memory_usage_bytes: {type: Gauge, description: "Memory usage", prefix: promtail_, value_name: memory_bytes}
)";

TEST_CASE("the simplified form of users' documents counts and observes") {
  TestingPipeline test(kUsersPipeline);
  REQUIRE(test.error.empty());
  for (const std::string_view line : {
           R"({"level":"error","duration":1500,"message":"x"})",
           R"({"level":"info","duration":"250"})",
           R"({"level":"ERROR"})",
           R"({"level":"error","duration":"250ms"})",
           "not json",
           R"({"level":"error","duration":true})",
       })
    test.feed(line);
  CHECK(test.shows(R"(promtail_log_errors_total{job="j"} 3)"));
  CHECK(test.shows(R"(promtail_request_duration_seconds_count{job="j"} 4)"));
  CHECK(test.shows(R"(promtail_request_duration_seconds_bucket{job="j",le="0.01"} 1)"));
  CHECK(test.shows(R"(promtail_request_duration_seconds_bucket{job="j",le="0.5"} 3)"));
  CHECK(test.shows(R"(promtail_request_duration_seconds_bucket{job="j",le="2"} 4)"));
  CHECK(test.shows(R"(promtail_request_duration_seconds_sum{job="j"} 2.001)"));
  CHECK(test.metrics_text().find("memory_usage_bytes") == std::string::npos);
  REQUIRE(test.diagnostics.warnings.size() == 1);
  CHECK(test.diagnostics.warnings[0].find(
            "metric memory_usage_bytes: source \"memory_bytes\" is not produced by any earlier stage") !=
        std::string::npos);
  CHECK(test.diagnostics.notes.size() == 3);
}

TEST_CASE("the same keys may stand under config, and both forms may mix") {
  TestingPipeline test(R"(
- json: {expressions: {level: , duration_ms: , memory_bytes: }}
- metrics:
    log_errors_total: {type: counter, config: {match: 'level="error"', value: "1", action: inc}}
    log_duration_ms: {type: Histogram, config: {buckets: [10, 100], value_name: duration_ms, value_type: milliseconds}}
    log_memory_bytes: {type: gauge, prefix: promtail_, config: {value_name: memory_bytes}}
    plain_total: {type: counter, source: level, config: {action: inc, value: error}}
)");
  REQUIRE(test.error.empty());
  test.feed(R"({"level":"error","duration_ms":50,"memory_bytes":1024})");
  test.feed(R"({"level":"info","duration_ms":5})");
  CHECK(test.shows(R"(promtail_custom_log_errors_total{job="j"} 1)"));
  CHECK(test.shows(R"(promtail_custom_log_duration_ms_bucket{job="j",le="10"} 1)"));
  CHECK(test.shows(R"(promtail_custom_log_duration_ms_sum{job="j"} 55)"));
  CHECK(test.shows(R"(promtail_log_memory_bytes{job="j"} 1024)"));
  CHECK(test.shows(R"(promtail_custom_plain_total{job="j"} 1)"));
}

struct SampleCase {
  std::string_view metric, lines, sample;
};

TEST_CASE("each action of each schema") {
  for (const auto& [metric, lines, sample] : {
           SampleCase{"{type: Counter, source: a, config: {action: inc}}", R"({"a":5}|{"a":null}|{}|x)",
                      "promtail_custom_m{job=\"j\"} 3"},
           SampleCase{"{type: Counter, source: a, config: {action: add}}",
                      R"({"a":2.5}|{"a":"4"}|{"a":"abc"}|{"a":true}|{"a":-3})", "promtail_custom_m{job=\"j\"} 7.5"},
           SampleCase{"{type: Counter, source: a, config: {action: add}}", R"({"a":"250ms"}|{"a":"0x1p4"}|{"a":"1_0"})",
                      "promtail_custom_m{job=\"j\"} 16.25"},
           SampleCase{"{type: Counter, config: {match_all: true, action: inc}}", "a|b",
                      "promtail_custom_m{job=\"j\"} 2"},
           SampleCase{"{type: Counter, config: {match_all: true, count_entry_bytes: true, action: add}}", "abc|de",
                      "promtail_custom_m{job=\"j\"} 5"},
           SampleCase{"{type: Counter, source: a, config: {value: \"2\", action: add}}", R"({"a":2}|{"a":3}|{"a":"2"})",
                      "promtail_custom_m{job=\"j\"} 4"},
           SampleCase{"{type: Gauge, source: a, config: {action: set}}", R"({"a":20.5}|{"a":-3}|{"a":"bad"})",
                      "promtail_custom_m{job=\"j\"} -3"},
           SampleCase{"{type: Gauge, source: a, config: {action: sub}}", R"({"a":10}|{"a":2.5})",
                      "promtail_custom_m{job=\"j\"} -12.5"},
           SampleCase{"{type: Gauge, source: a, config: {action: dec}}", R"({"a":10}|{"a":2.5})",
                      "promtail_custom_m{job=\"j\"} -2"},
           SampleCase{"{type: Counter, match: 'a>=500'}", R"({"a":499}|{"a":500}|{"a":"x"}|{"a":900})",
                      "promtail_custom_m{job=\"j\"} 2"},
           SampleCase{"{type: Counter, value: \"2.5\", match: '{job=~\"j|k\"}'}", "x|y",
                      "promtail_custom_m{job=\"j\"} 5"},
           SampleCase{"{type: Counter, value_name: a}", R"({"a":7}|{"a":"3"}|{"a":null})",
                      "promtail_custom_m{job=\"j\"} 10"},
           SampleCase{"{type: Counter, value_name: a, value: \"2\"}", R"({"a":7}|{"a":null}|{})",
                      "promtail_custom_m{job=\"j\"} 2"},
           SampleCase{"{type: Counter, value_name: a, value_type: kb}", R"({"a":7})",
                      "promtail_custom_m{job=\"j\"} 7000"},
           SampleCase{"{type: Gauge, value: \"4\", action: set}", "x", "promtail_custom_m{job=\"j\"} 4"},
           SampleCase{"{type: Gauge, value_name: a, action: add, value_type: percent}", R"({"a":50}|{"a":25})",
                      "promtail_custom_m{job=\"j\"} 0.75"},
           SampleCase{"{type: Gauge, action: inc, match: '|= \"x\"'}", "x|y|xx", "promtail_custom_m{job=\"j\"} 2"},
           SampleCase{"{type: Gauge, value_name: job_size, match: ''}", R"({"a":1})", ""},
       }) {
    TestingPipeline test("- json: {expressions: {a: }}\n- metrics:\n    m: " + std::string(metric));
    REQUIRE_MESSAGE(test.error.empty(), metric << test.error);
    std::string_view rest = lines;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('|'), rest.size());
      test.feed(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (sample.empty()) CHECK_MESSAGE(test.metrics_text().find("custom_m") == std::string::npos, metric);
    else CHECK_MESSAGE(test.shows(sample), metric << test.metrics_text());
  }
}

TEST_CASE("configuration errors say what is wrong") {
  struct Case {
    std::string_view metrics, error;
  };
  for (const auto& [metrics, error] : {
           Case{"{}", "empty metric stage configuration"},
           Case{"{m: {type: Summary}}",
                "invalid metric type 'Summary', metric type must be one of 'counter', 'gauge', or 'histogram'"},
           Case{"{m: {type: Counter}}", "counter action must be defined as either `inc` or `add`"},
           Case{"{m: {type: Counter, config: {action: set}}}",
                "action set is not valid, action must be either `inc` or `add`"},
           Case{"{m: {type: Counter, config: {action: inc, match_all: true, value: x}}}",
                "`match_all: true` cannot be combined with `value`"},
           Case{"{m: {type: Counter, config: {action: add, count_entry_bytes: true}}}",
                "can only be set with `match_all: true`"},
           Case{"{m: {type: Counter, config: {action: inc, count_entry_bytes: true, match_all: true}}}",
                "can only be used with `action: add`"},
           Case{"{m: {type: Gauge}}", "gauge action must be defined as `set`, `inc`, `dec`, `add`, or `sub`"},
           Case{"{m: {type: Histogram, config: {buckets: [2, 1]}}}", "histogram buckets must be in increasing order"},
           Case{"{m: {type: Gauge, max_idle_duration: 10ms, config: {action: set}}}",
                "max_idle_duration less than 1s not allowed"},
           Case{"{m: {type: Gauge, max_idle_duration: x, config: {action: set}}}",
                "max_idle_duration could not be parsed as a time.Duration: "},
           Case{"{m: {type: Histogram, value_name: a, value_type: furlongs}}",
                "metric m: value_type \"furlongs\" is not one of number, "},
           Case{"{m: {type: Counter, match: 'level='}}", "metric m: invalid match: 7: expected a value"},
           Case{"{m: {type: Counter, match: 'a~b'}}", "metric m: invalid match: 2: expected an operator"},
           Case{"{m: {type: Counter, match: 'a=~\"(\"'}}", "metric m: invalid match: 4: error parsing regexp"},
           Case{"{m: {type: Gauge, value_name: a, config: {value_name: b}}}",
                "metric m: \"value_name\" given both directly and under config"},
           Case{"{m: {type: Gauge, value_name: a, source: b}}", "metric m: value_name and source differ"},
           Case{"{m: {type: Counter, match: '', value: \"-1\"}}", "metric m: value of a counter must not be negative"},
           Case{"{m: {type: Counter, match: '', value: many}}", "metric m: value \"many\" is not a number"},
       }) {
    const TestingPipeline test("- metrics: " + std::string(metrics));
    CHECK_MESSAGE(test.error.find("pipeline_stages[0] (line 1): invalid metrics stage config: ") == 0, test.error);
    CHECK_MESSAGE(test.error.find(error) != std::string::npos, test.error);
  }
}

TEST_CASE("conditions look at extracted values, then labels, then the line") {
  struct Case {
    std::string_view condition, line;
    bool holds;
  };
  for (const auto& [condition, line, holds] : {
           Case{"", "{}", true},
           Case{"{}", "{}", true},
           Case{"a=\"1\"", R"({"a":1})", true},
           Case{"{a='1'}", R"({"a":1})", true},
           Case{"a=\"\"", R"({"a":null})", true},
           Case{"nope=\"\"", "{}", true},
           Case{"job=`j`", "{}", true},
           Case{"job!=\"j\"", "{}", false},
           Case{"a=~\"x.*\"", R"({"a":"xyz"})", true},
           Case{"a=~\"y\"", R"({"a":"xyz"})", false},
           Case{"a!~\"y\"", R"({"a":"xyz"})", true},
           Case{"a>1, a<=3", R"({"a":"3"})", true},
           Case{"a>1 and a<3", R"({"a":3})", false},
           Case{"a > 1 && job = \"j\"", R"({"a":3})", true},
           Case{"a>1", R"({"a":"three"})", false},
           Case{"a==\"x\" |= \"y\"", R"({"a":"x","b":"y"})", true},
           Case{"a=\"x\" != \"b\"", R"({"a":"x","b":"y"})", false},
           Case{"|~ \"b.:\"", R"({"b":1})", true},
           Case{"a=~\"\\d+\"", R"({"a":12})", true},
           Case{"a=10", R"({"a":"10"})", true},
           Case{"a=\"say \\\"hi\\\"\"", R"({"a":"say \"hi\""})", true},
       }) {
    TestingPipeline test(
        "- json: {expressions: {a: }}\n- metrics: {m: {type: Counter, match: " + yaml_scalar(condition) + "}}");
    REQUIRE_MESSAGE(test.error.empty(), test.error);
    test.feed(line);
    CHECK_MESSAGE(test.shows("promtail_custom_m{job=\"j\"} 1") == holds, condition << " on " << line);
  }
}

TEST_CASE("a strict schema takes stray keys as Promtail does") {
  TestingPipeline test("");
  test.schema = StageContext::MetricsSchema::kStrict;
  test.rebuild("- metrics: {m: {type: Counter, match: 'a', config: {match_all: true, action: inc}}}");
  REQUIRE(test.error.empty());
  CHECK(test.diagnostics.warnings.size() == 1);
  test.feed("x");
  CHECK(test.shows("promtail_custom_m{job=\"j\"} 1"));
}

TEST_CASE("series show visible labels only and go when idle") {
  TestingPipeline test(R"(
- tenant: {value: t}
- metrics: {m: {type: Counter, max_idle_duration: 2s, config: {match_all: true, action: inc}}}
)");
  test.feed("a");
  CHECK(test.shows("promtail_custom_m{job=\"j\"} 1"));
  test.clock.advance(std::chrono::seconds(3));
  CHECK(test.shows("promtail_custom_m{job=\"j\"} 1"));
  CHECK_FALSE(test.shows("promtail_custom_m{job=\"j\"} 1"));
  test.feed("b");
  CHECK(test.shows("promtail_custom_m{job=\"j\"} 1"));
}

TEST_CASE("exemplars carry the trace") {
  TestingPipeline test(R"(
- json: {expressions: {trace_id: , d: }}
- metrics:
    d: {type: Histogram, config: {buckets: [1, 2]}}
    n_total: {type: Counter, config: {match_all: true, action: inc}}
)");
  test.feed(R"({"trace_id":"4bf92f3577b34da6","d":1.5})");
  const std::string text = test.registry.render(MetricsFormat::kOpenMetrics);
  CHECK(
      text.find(
          "promtail_custom_d_bucket{job=\"j\",le=\"2.0\"} 1 # {trace_id=\"4bf92f3577b34da6\"} 1.5 1717200000.000\n") !=
      std::string::npos);
  CHECK(text.find("# TYPE promtail_custom_n counter\n") != std::string::npos);
  CHECK(text.find("promtail_custom_n_total{job=\"j\"} 1 # {trace_id=\"4bf92f3577b34da6\"} 1 1717200000.000\n") !=
        std::string::npos);
  CHECK(text.ends_with("# EOF\n"));
  CHECK(test.metrics_text().find("trace_id") == std::string::npos);
}

TEST_CASE("what is shown is always well-formed") {
  TestingPipeline test(R"(
- static_labels: {a-b: "1", a_b: "2", "é": "3"}
- json: {expressions: {trace_id: }}
- metrics: {page-hits: {type: Counter, config: {match_all: true, action: inc}}}
- metrics: {page_hits: {type: Counter, config: {match_all: true, action: inc}}}
)");
  REQUIRE(test.error.empty());
  test.feed("{\"trace_id\":\"\xff\"}");
  test.feed("{\"trace_id\":\"" + std::string(100, 'a') + "\"}");
  CHECK(test.shows(R"(promtail_custom_page_hits{a_b_="1",a_b="2",job="j",__="3"} 4)"));
  CHECK(test.registry.render(MetricsFormat::kOpenMetrics).find("trace_id") == std::string::npos);
}

TEST_CASE("names of the agent's own metrics") {
  TestingPipeline test("");
  const auto builtin =
      test.registry.histogram("promtail_request_duration_seconds", "Duration of send requests.", Labels{{"host", "h"}});
  builtin->observe(0.2);
  test.rebuild(
      "- json: {expressions: {d: }}\n- metrics: {request_duration_seconds: {type: Histogram, prefix: promtail_, "
      "value_name: d, buckets: [3]}}");
  REQUIRE(test.error.empty());
  CHECK(test.diagnostics.warnings.size() == 1);
  test.feed(R"({"d":2})");
  CHECK(test.shows("promtail_request_duration_seconds_bucket{job=\"j\",le=\"3\"} 1"));
  CHECK(test.shows("promtail_request_duration_seconds_count{host=\"h\"} 1"));
  CHECK(test.shows("# HELP promtail_request_duration_seconds Duration of send requests."));
  test.rebuild("- metrics: {request_duration_seconds: {type: Counter, prefix: promtail_, match: ''}}");
  CHECK(test.error.find("metric promtail_request_duration_seconds is a histogram of the agent itself") !=
        std::string::npos);
}

TEST_CASE("a series of the agent that comes late takes no name from a custom metric of another type") {
  TestingPipeline test("- metrics: {late_seconds: {type: Counter, prefix: promtail_, match: ''}}");
  test.feed("x");
  test.registry.histogram("promtail_late_seconds", "Of the agent.", Labels{{"host", "h"}})->observe(1);
  CHECK(test.shows("# TYPE promtail_late_seconds counter"));
  CHECK(test.shows("promtail_late_seconds{job=\"j\"} 1"));
  CHECK_FALSE(test.shows("promtail_late_seconds_count{host=\"h\"} 1"));
}

TEST_CASE("a metric without a description has a help text all the same") {
  TestingPipeline test("- metrics: {m: {type: Counter, match: ''}}");
  test.feed("x");
  CHECK(test.shows("# HELP promtail_custom_m Made from log lines by a metrics stage without a description."));
}

TEST_CASE("a gauge with a counter's name shows no type") {
  const ManualClock clock(TimestampNs{0});
  MetricRegistry registry{clock};
  const auto files = registry.gauge("promtail_files_active_total", "files");
  CHECK(registry.render(MetricsFormat::kPrometheus).find("# TYPE promtail_files_active_total untyped\n") !=
        std::string::npos);
}

TEST_CASE("a new configuration may change a metric's type and keeps what stays the same") {
  TestingPipeline test("- metrics: {m: {type: Counter, match: ''}, k: {type: Counter, match: ''}}");
  test.feed("x");
  auto old = std::move(test.pipeline);
  test.registry.begin_generation();
  test.rebuild("- metrics: {m: {type: Gauge, action: dec}, k: {type: Counter, match: ''}}");
  REQUIRE(test.error.empty());
  old.reset();
  test.feed("y");
  CHECK(test.shows("# TYPE promtail_custom_m gauge"));
  CHECK(test.shows("promtail_custom_m{job=\"j\"} -1"));
  CHECK(test.shows("promtail_custom_k{job=\"j\"} 2"));
  test.rebuild("- metrics: {a: {type: Counter, match: ''}}\n- metrics: {a: {type: Gauge, action: inc}}");
  CHECK(test.error.find("metric promtail_custom_a is defined twice with different types or buckets") !=
        std::string::npos);
}

}  // namespace
}  // namespace kvasir::agent
