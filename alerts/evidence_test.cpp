#include "alerts/evidence.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include "alerts/alert_template.h"

namespace kvasir::alerts {
namespace {

using namespace std::chrono_literals;

constexpr TimestampNs kSlot{1'000'000'000'000};

std::string lines_of(std::string_view expr, const Labels& labels = {}) {
  const auto evidence = evidence_query(expr, labels, kSlot);
  if (!evidence) return evidence.error().message();
  return fmt::format("{} [{}s,{}s)", evidence->query, evidence->start.value / 1'000'000'000,
                     evidence->end.value / 1'000'000'000);
}

TEST_CASE("the log query of an expression, narrowed to an alert") {
  const Labels shop{{"service", "sh\"op"}};
  CHECK(lines_of(R"(sum by (service) (count_over_time({job="x"} | json | level="error" [1m])) > 3)", shop) ==
        R"({job="x"} | json | level="error" | service="sh\"op" [940s,1000s))");
  CHECK(lines_of(R"(rate({a="b"}[5m] offset 1m))") == R"({a="b"} [640s,940s))");
  CHECK(lines_of(R"(10 < sum(rate({a="b"}[5m])))") == R"({a="b"} [700s,1000s))");
  CHECK(lines_of(R"(sum(rate({a="1"}[5m])) / sum(rate({a="2"}[5m])) > 0.5)") == R"({a="1"} [700s,1000s))");
  CHECK(lines_of(R"(sum(sum_over_time({a="b"} | json | unwrap d [1m])))") == R"({a="b"} | json [940s,1000s))");
  CHECK(lines_of(R"x(label_replace(rate({a="b"}[1m]), "service", "$1", "a", "(.*)"))x", shop) ==
        R"({a="b"} [940s,1000s))");
  CHECK(lines_of(R"({a="b"} | stats count() as n by line)", Labels{{"line", "x"}}) == R"({a="b"} [-2600s,1000s))");
  CHECK(lines_of(R"(rate({service="sh\"op"}[1m]))", shop) == R"({service="sh\"op"} [940s,1000s))");
  CHECK(lines_of("vector(1)") == "the expression reads no lines");
}

TEST_CASE("long lines are cut between characters, trace ids are found once") {
  CHECK(evidence_line("short") == "short");
  std::string umlauts;
  for (int i = 0; i < 600; ++i) umlauts += "ü";
  const auto cut = evidence_line(umlauts);
  CHECK(cut.size() <= kEvidenceLineBytesMax);
  CHECK(cut.ends_with("ü…"));
  const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736", other = "ABCDEF00000000000000000000000000";
  CHECK(trace_ids({R"({"trace_id": ")" + id + R"(", "x": 1})", "trace_id=" + id,
                   "traceparent: 00-" + id + "-00f067aa0ba902b7-01", "TraceID=" + other + " done",
                   R"("trace_id":"00000000000000000000000000000000")", "trace_id=" + id + "ff"}) ==
        std::vector<std::string>{id, other});
}

TEST_CASE("annotations show lines, ids and the link to them") {
  const Labels labels{{"service", "shop"}}, none;
  const TemplateQuery no_query;
  std::string asked;
  const LineQuery lines = [&](const EvidenceQuery& query, std::size_t limit) -> Result<std::vector<std::string>> {
    asked = fmt::format("{} {}", query.query, limit);
    return std::vector<std::string>{"one trace_id=4bf92f3577b34da6a3ce929d0e0e4736", "two"};
  };
  const TemplateData data{labels, 7, none, "http://g", kSlot, no_query, R"(sum by (service)(rate({a="b"}[1m])) > 1)",
                          &lines};
  const auto text = [&](std::string_view source) { return expand_alert_template("A", source, data); };
  CHECK(text("{{ range logLines 2 }}<{{ . }}>{{ end }}") == "<one trace_id=4bf92f3577b34da6a3ce929d0e0e4736><two>");
  CHECK(asked == R"({a="b"} | service="shop" 2)");
  CHECK(text("{{ index (traceIDs 1) 0 }}") == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK(text("{{ logQuery }}") == R"({a="b"} | service="shop")");
  const auto link = text(R"({{ logLink "Loki" }})");
  CHECK(link.starts_with("http://g/explore?left=%7B%22datasource%22%3A%22Loki%22"));
  CHECK(link.find("%22from%22%3A%22940000%22%2C%22to%22%3A%221000000%22") != std::string::npos);
  text("{{ logLines 1000000 }}");
  CHECK(asked.ends_with(" 20"));
}

}  // namespace
}  // namespace kvasir::alerts
