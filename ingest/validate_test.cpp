#include "ingest/validate.h"

#include <doctest/doctest.h>

#include "ingest/push_verdicts.h"
#include "ingest/refusal_text.h"
#include "ingest/wire/push_json.h"

namespace kvasir::ingest {
namespace {

constexpr TimestampNs kNow{1'795'253'222'000'000'000};  // 2026-11-21T09:27:02Z
const std::string kTs = std::to_string(kNow.value);

/// A validator at a fixed time, fed with JSON.
struct Fixture {
  ManualClock clock{kNow};
  PushValidator validator{clock};
  std::shared_ptr<TenantLimits> limits = std::make_shared<TenantLimits>();

  void change(const std::function<void(TenantLimits&)>& edit) {
    limits = std::make_shared<TenantLimits>(*limits);
    edit(*limits);
  }
  ValidateResult push(std::string_view body) {
    auto decoded = std::make_shared<DecodedPush>();
    decoded->body = body;
    REQUIRE(decode_push_json(JsonForm::kV1, *decoded).has_value());
    return validator.validate("t", std::move(decoded), limits);
  }
  /// `{stream} ts [line] name=value ...` for each entry, then `status: text` of rejections.
  std::string run(std::string_view body) {
    const auto result = push(body);
    if (const auto* refusal = std::get_if<Refusal>(&result))
      return std::to_string(refusal->status) + ": " + refusal->message;
    const auto& [batch, rejections, rates] = std::get<Validated>(result);
    std::string out;
    for (const auto& stream : batch.streams) {
      out += stream.identity->text + "\n";
      for (const auto& entry : stream.entries) {
        out += " " + std::to_string(entry.timestamp.value - kNow.value) + " [" + std::string(entry.line) + "]";
        for (const auto& [name, value] : entry.metadata) out += " " + std::string(name) + "=" + std::string(value);
        out += "\n";
      }
    }
    if (!rejections.empty()) out += std::to_string(rejections.status()) + ": " + rejections.text();
    if (!rates.empty()) out += std::to_string(rates.status()) + ": " + rates.first_message();
    return out;
  }
};

std::string entry(std::string_view line, std::string_view metadata = "{}", std::int64_t offset = 0) {
  return "[\"" + std::to_string(kNow.value + offset) + "\",\"" + std::string(line) + "\"," + std::string(metadata) +
         "]";
}
std::string stream(std::string_view labels, std::string_view values) {
  return "{\"stream\":" + std::string(labels) + ",\"values\":[" + std::string(values) + "]}";
}
std::string body(std::string_view streams) { return "{\"streams\":[" + std::string(streams) + "]}"; }

constexpr std::int64_t kHour = 3'600'000'000'000;

TEST_CASE("service_name is found in the listed order") {
  Fixture fixture;
  fixture.change([](auto& limits) { limits.discover_log_levels = false; });
  const auto name = [&](std::string_view labels) {
    const std::string out = fixture.run(body(stream(labels, entry("x"))));
    return out.substr(0, out.find('\n'));
  };
  CHECK(name("{}") == "{service_name=\"unknown_service\"}");
  CHECK(name(R"({"app":"a"})") == "{app=\"a\", service_name=\"a\"}");
  CHECK(name(R"({"job":"j","container":"c"})") == "{container=\"c\", job=\"j\", service_name=\"c\"}");
  CHECK(name(R"({"service_name":"s","app":"a"})") == "{app=\"a\", service_name=\"s\"}");
  CHECK(name(R"({"__pattern__":"p"})") == "{__pattern__=\"p\"}");
  fixture.change([](auto& limits) { limits.discover_service_name.clear(); });
  CHECK(name(R"({"app":"a"})") == "{app=\"a\"}");
  CHECK(fixture.run(body(stream("{}", entry("x")))) == "400: error at least one label pair is required per stream");
}

TEST_CASE("requests that are refused whole") {
  Fixture fixture;
  CHECK(fixture.run("{}") == "422: error at least one valid stream is required for ingestion");
  CHECK(fixture.run(body(stream(R"({"a-b":"x"})", entry("x")) + "," + stream(R"({"a":"b"})", entry("y")))) ==
        "400: couldn't parse labels: 1:3: parse error: unexpected character inside braces: '-'");
  CHECK(fixture.run(body(stream(R"({"a":"b"})", ""))) == "");
}

TEST_CASE("limits of labels") {
  Fixture fixture;
  const auto run = [&](std::string_view labels) { return fixture.run(body(stream(labels, entry("x")))); };
  fixture.change([](auto& limits) {
    limits.max_label_names_per_series = 2;
    limits.max_label_name_length = 12;
    limits.max_label_value_length = 4;
  });
  CHECK(run(R"({"app":"a","b":"1","c":"2"})") ==
        "400: entry for stream '{app=\"a\", b=\"1\", c=\"2\", service_name=\"a\"}' has 3 label names; limit 2");
  CHECK(run(R"({"app":"a","b":"1"})").starts_with("{app=\"a\", b=\"1\", service_name=\"a\"}\n"));
  CHECK(run(R"({"a234567890123":"a","service":"s"})") ==
        "400: stream '{a234567890123=\"a\", service=\"s\", service_name=\"s\"}' has label name too long: "
        "'a234567890123'");
  CHECK(run(R"({"app":"12345"})") ==
        "400: stream '{app=\"12345\", service_name=\"12345\"}' has label value too long: '12345'");
  fixture.change([](auto& limits) { limits.enforced_labels = {"env", "app", "zone"}; });
  CHECK(
      run(R"({"app":"a"})") ==
      "400: missing required labels 'env,zone' for user 't' for stream '{app=\"a\", service_name=\"a\"}' (policy: '')");
}

TEST_CASE("limits of entries; good entries go on") {
  Fixture fixture;
  fixture.change([](auto& limits) {
    limits.discover_log_levels = false;
    limits.max_line_size = 10;
    limits.max_structured_metadata_size = 8;
    limits.max_structured_metadata_entries_count = 2;
  });
  const auto run = [&](std::string_view values) { return fixture.run(body(stream(R"({"app":"x"})", values))); };
  const std::string good = "{app=\"x\", service_name=\"x\"}\n 0 [good]\n";
  const std::string name = "'{app=\"x\", service_name=\"x\"}'";
  CHECK(run(entry("a", "{}", -169 * kHour) + "," + entry("good")) ==
        good + "400: entry for stream " + name +
            " has timestamp too old: 2026-11-14T08:27:02Z, oldest acceptable timestamp is: 2026-11-14T09:27:02Z");
  CHECK(run(entry("good") + "," + entry("a", "{}", kHour)) ==
        good + "400: entry for stream " + name + " has timestamp too new: 2026-11-21T10:27:02Z");
  CHECK(run(entry("12345678901") + "," + entry("good")) == good +
                                                               "400: max entry size '10' bytes exceeded for stream " +
                                                               name + " while adding an entry with length '11' bytes");
  CHECK(run(entry("a", R"({"key":"value1"})") + "," + entry("good")) ==
        good + "400: stream " + name +
            " has structured metadata too large: '9' bytes, limit: '8' bytes. Please see "
            "`limits_config.max_structured_metadata_size` or contact your Loki administrator to increase it");
  CHECK(run(entry("a", R"({"a":"1","b":"2","c":"3"})") + "," + entry("good")) ==
        good + "400: stream " + name +
            " has too many structured metadata labels: '3', limit: '2'. Please see "
            "`limits_config.max_structured_metadata_entries_count` or contact your Loki administrator to increase it");
  fixture.change([](auto& limits) { limits.allow_structured_metadata = false; });
  CHECK(run(entry("a", R"({"a":"1"})") + "," + entry("good")) ==
        good + "400: stream " + name +
            " includes structured metadata, but this feature is disallowed. Please see "
            "`limits_config.allow_structured_metadata` or contact your Loki administrator to enable it");
}

TEST_CASE("several errors are grouped by their text") {
  Fixture fixture;
  const std::string old = entry("a", "{}", -200 * kHour);
  const std::string future = entry("b", "{}", kHour);
  CHECK(fixture.run(body(stream(R"({"app":"x"})", old + "," + future + "," + future))) ==
        "400: 1 errors like: entry for stream '{app=\"x\", service_name=\"x\"}' has timestamp too old: "
        "2026-11-13T01:27:02Z, "
        "oldest acceptable timestamp is: 2026-11-14T09:27:02Z; 2 errors like: entry for stream '{app=\"x\", "
        "service_name=\"x\"}' has timestamp too new: 2026-11-21T10:27:02Z");
}

TEST_CASE("reasons are counted with entries and bytes") {
  Fixture fixture;
  const auto result =
      fixture.push(body(stream(R"({"app":"x"})", entry("abc", R"({"k":"v"})", kHour) + "," + entry("ok"))));
  const auto& counts = std::get<Validated>(result).rejections.by_reason();
  CHECK(counts[static_cast<std::size_t>(DiscardReason::kTooFarInFuture)].entries == 1);
  CHECK(counts[static_cast<std::size_t>(DiscardReason::kTooFarInFuture)].bytes == 5);
  CHECK(std::get<Validated>(result).batch.entry_count == 1);
  CHECK(std::get<Validated>(result).batch.bytes == 2);
  CHECK(discard_reason_name(DiscardReason::kRequestBodyTooLarge) == "request_body_too_large");
}

TEST_CASE("long lines can be cut instead") {
  Fixture fixture;
  fixture.change([](auto& limits) {
    limits.discover_log_levels = false;
    limits.max_line_size = 6;
    limits.max_line_size_truncate = true;
    limits.max_line_size_truncate_identifier = "...";
  });
  CHECK(fixture.run(body(stream(R"({"app":"x"})", entry("1234567") + "," + entry("123456")))) ==
        "{app=\"x\", service_name=\"x\"}\n 0 [123...]\n 0 [123456]\n");
}

TEST_CASE("structured metadata is put in form") {
  Fixture fixture;
  fixture.change([](auto& limits) { limits.discover_log_levels = false; });
  const auto run = [&](std::string_view metadata) {
    const std::string out = fixture.run(body(stream(R"({"app":"x"})", entry("l", metadata))));
    const std::size_t at = out.find("[l]");
    return at == std::string::npos ? out.substr(0, 3) : out.substr(at + 3, out.size() - at - 4);
  };
  CHECK(run(R"({"z":"1","a":"2","m":"3"})") == " a=2 m=3 z=1");
  CHECK(run(R"({"a.b":"1","a_b":"2"})") == " a_b=1");
  CHECK(run(R"({"a__b":"1","__r":"2","x-y z":"3","ünï":"4","__a.b__":"5","1a":"6"})") ==
        " __a_b__=5 _n_=4 _r=2 a_b=1 key_1a=6 x_y_z=3");
  CHECK(run(R"({"a":"","b":"x"})") == " b=x");
  CHECK(run("{\"a\":\"x\xef\xbf\xbdy\"}") == " a=x y");
  CHECK(run(R"({"":"x"})") == "400");
  CHECK(run(R"({"é":"x"})") == "400");
}

TEST_CASE("detected_level from labels, metadata and severity numbers") {
  Fixture fixture;
  const auto level = [&](std::string_view labels, std::string_view metadata, std::string_view line = "l") {
    const std::string out = fixture.run(body(stream(labels, entry(line, metadata))));
    const std::size_t at = out.find("detected_level=");
    return at == std::string::npos ? "none" : out.substr(at + 15, out.find_first_of(" \n", at) - at - 15);
  };
  CHECK(level("{}", R"({"detected_level":"WARNING"})") == "warn");
  CHECK(level("{}", R"({"detected_level":"odd"})") == "odd");
  CHECK(level(R"({"level":"notice"})", "{}", "level=error") == "notice");
  CHECK(level(R"({"level":"ERR"})", R"({"k":"v"})", "x") == "error");
  CHECK(level(R"({"level":"odd"})", R"({"k":"v"})", "x") == "odd");
  CHECK(level(R"({"severity":"debug"})", R"({"level":"error"})") == "debug");
  CHECK(level("{}", R"({"level":"Information"})") == "info");
  CHECK(level("{}", R"({"log.level":"error"})", "x") == "unknown");
  CHECK(level("{}", R"({"severity_number":"17"})") == "error");
  CHECK(level("{}", R"({"severity_number":"0"})") == "unknown");
  CHECK(level("{}", R"({"severity_number":"25"})") == "unknown");
  CHECK(level("{}", R"({"severity_number":"x"})") == "info");
  CHECK(level("{}", "{}", "plain") == "unknown");
  fixture.change([](auto& limits) { limits.discover_log_levels = false; });
  CHECK(level("{}", "{}", "level=error") == "none");
}

TEST_CASE("generic fields are copied from labels, metadata and the line") {
  Fixture fixture;
  fixture.change([](auto& limits) {
    limits.discover_log_levels = false;
    limits.discover_generic_fields = {{"org", {"org_id", "tenant.id"}}, {"trace", {"trace_id"}}};
  });
  const auto found = [&](std::string_view labels, std::string_view metadata, std::string_view line) {
    const std::string out = fixture.run(body(stream(labels, entry(line, metadata))));
    const std::size_t at = out.find("] ");
    return at == std::string::npos ? "" : out.substr(at + 2, out.size() - at - 3);
  };
  CHECK(found(R"({"org_id":"1"})", R"({"trace_id":"t"})", "org_id=3") == "org=1 trace=t trace_id=t");
  CHECK(found("{}", "{}", "a=b tenant.id=7 trace_id=\\\"x y\\\"") == "org=7 trace=x y");
  CHECK(found("{}", "{}", R"({\"tenant\":{\"id\":5},\"trace_id\":\"q\"})") == "org=5 trace=q");
  CHECK(found("{}", "{}", "{broken}").empty());
  CHECK(found("{}", R"({"org":"mine"})", "org_id=3") == "org=mine");
}

TEST_CASE("equal timestamps are moved apart when asked") {
  Fixture fixture;
  fixture.change([](auto& limits) {
    limits.discover_log_levels = false;
    limits.increment_duplicate_timestamp = true;
  });
  const std::string values = entry("a") + "," + entry("b") + "," + entry("b") + "," + entry("c") + "," +
                             entry("d", "{}", -5) + "," + entry("e");
  CHECK(fixture.run(body(stream(R"({"app":"x"})", values))) ==
        "{app=\"x\", service_name=\"x\"}\n 0 [a]\n 1 [b]\n 0 [b]\n 1 [c]\n -5 [d]\n 0 [e]\n");
}

TEST_CASE("the tenant's rate refuses the whole push, and lets go with time") {
  Fixture fixture;
  fixture.change([](auto& limits) {
    limits.discover_log_levels = false;
    limits.ingestion_rate_mb = 10.0 / (1 << 20);
    limits.ingestion_burst_size_mb = 15.0 / (1 << 20);
  });
  const std::string ten = body(stream(R"({"app":"x"})", entry("12345") + "," + entry("67890")));
  const std::string refused =
      "429: ingestion rate limit exceeded for user t (limit: 10 bytes/sec) while attempting to ingest '2' lines "
      "totaling '10' "
      "bytes, reduce log volume or contact your Loki administrator to see if the limit can be increased";
  CHECK(fixture.run(ten).starts_with("{app"));
  CHECK(fixture.run(ten) == refused);
  fixture.clock.advance(std::chrono::milliseconds(500));
  CHECK(fixture.run(ten).starts_with("{app"));
  CHECK(fixture.run(ten) == refused);
}

TEST_CASE("a stream's rate refuses that stream alone") {
  Fixture fixture;
  fixture.change([](auto& limits) {
    limits.discover_log_levels = false;
    limits.per_stream_rate_limit = 100;
    limits.per_stream_rate_limit_burst = 100;
  });
  const std::string big(150, 'x');
  CHECK(fixture.run(body(stream(R"({"app":"x"})", entry(big)) + "," + stream(R"({"app":"y"})", entry("ok")))) ==
        "{app=\"y\", service_name=\"y\"}\n 0 [ok]\n429: entry with timestamp 2026-11-21 09:27:02 +0000 UTC ignored, "
        "reason: "
        "'Per stream rate limit exceeded (limit: 100B/sec) while attempting to ingest for stream '{app=\"x\", "
        "service_name=\"x\"}' totaling 150B, consider splitting a stream via additional labels or contact your Loki "
        "administrator to see if the limit can be increased',\nuser 't', total ignored: 1 out of 1 for stream: "
        "{app=\"x\", "
        "service_name=\"x\"}");
}

TEST_CASE("blocked ingestion, by tenant and by policy") {
  Fixture fixture;
  fixture.change([](auto& limits) {
    limits.discover_log_levels = false;
    limits.block_ingestion_until = kNow + std::chrono::hours(1);
  });
  const std::string one = body(stream(R"({"app":"x"})", entry("a")));
  CHECK(fixture.run(one) == "260: ingestion blocked for user 't' until '2026-11-21T10:27:02Z' with status code '260'");
  fixture.clock.advance(std::chrono::hours(2));
  CHECK(fixture.run(body(stream(R"({"app":"x"})", entry("a", "{}", kHour)))).starts_with("{app"));
  fixture.change([](auto& limits) {
    limits.block_ingestion_until.reset();
    limits.policy_stream_mapping["finance"] = {{{LabelMatcher::create("app", MatchOp::kEqual, "x").value()}, 1}};
    limits.policy_stream_mapping["ops"] = {{{LabelMatcher::create("app", MatchOp::kRegex, ".+").value()}, 2}};
    limits.block_ingestion_policy_until["ops"] = kNow + std::chrono::hours(9);
    limits.block_ingestion_status_code = 456;
  });
  CHECK(fixture.run(one) ==
        "456: ingestion blocked for user 't' (policy: 'ops') until '2026-11-21T18:27:02Z' with status code '456'");
}

TEST_CASE("verdicts name refused lines as the client sent them") {
  Fixture f;
  f.change([](TenantLimits& limits) {
    limits.max_line_size = 5;
    limits.max_label_value_length = 8;
    limits.discover_service_name.clear();
  });
  auto push = std::make_shared<DecodedPush>();
  push->body = R"({"streams":[{"stream":{"a":"much too long"},"values":[["TS","1"],["TS","2"]]},)"
               R"({"stream":{"a":"b"},"values":[["TS","good"],["TS","too long"],["TS","fine"]]}]})";
  for (std::size_t at; (at = push->body.find("TS")) != std::string::npos;) push->body.replace(at, 2, kTs);
  REQUIRE(decode_push_json(JsonForm::kV1, *push).has_value());
  const auto verdicts = std::make_shared<PushVerdicts>();
  auto result = f.validator.validate("t", std::move(push), f.limits, verdicts);
  const auto text = [&] {
    std::string out = std::to_string(verdicts->accepted_count());
    for (const auto& verdict : verdicts->refused()) {
      out += " " + std::to_string(verdict.place.stream) + ":" + std::to_string(verdict.place.entry) + " " +
             std::string(discard_reason_name(verdict.reason));
    }
    return out;
  };
  CHECK(text() == "2 0:0 label_value_too_long 0:1 label_value_too_long 1:1 line_too_long");
  // Admission refuses an accepted line later: it finds its place again.
  const auto& batch = std::get<Validated>(result).batch;
  REQUIRE(batch.streams.size() == 1);
  batch.verdicts->refuse_accepted(batch.streams[0].entries.subspan(1, 1),
                                  {DiscardReason::kTooFarBehind, 400, "late", 1, 4});
  CHECK(text() == "1 0:0 label_value_too_long 0:1 label_value_too_long 1:1 line_too_long 1:2 too_far_behind");
  CHECK(verdicts->refused_count() == 4);
}

TEST_CASE("labels that cannot be read refuse their stream alone where verdicts are asked for") {
  Fixture f;
  const std::string good = stream(R"({"a":"b"})", entry("1"));
  const std::string broken = stream(R"({"bad-name":"x"})", entry("2") + "," + entry("3"));
  const auto run = [&](std::shared_ptr<PushVerdicts> verdicts) {
    auto push = std::make_shared<DecodedPush>();
    push->body = body(broken + "," + good);
    REQUIRE(decode_push_json(JsonForm::kV1, *push).has_value());
    return f.validator.validate("t", std::move(push), f.limits, std::move(verdicts));
  };
  const std::string text = "couldn't parse labels: 1:5: parse error: unexpected character inside braces: '-'";
  const auto whole = run(nullptr);
  CHECK(std::get<Refusal>(whole).message == text);
  const auto verdicts = std::make_shared<PushVerdicts>();
  const auto result = run(verdicts);
  const auto& taken = std::get<Validated>(result);
  REQUIRE(taken.batch.streams.size() == 1);
  CHECK(taken.rejections.status() == 400);
  CHECK(verdicts->accepted_count() == 1);
  REQUIRE(verdicts->refused().size() == 2);
  CHECK(verdicts->refused()[1].place.stream == 0);
  CHECK(verdicts->refused()[1].place.entry == 1);
  CHECK(discard_reason_name(verdicts->refused()[1].reason) == "invalid_labels");
  CHECK(verdicts->refused()[1].message == text);
}

TEST_CASE("a known stream comes with the same identity until the limits change") {
  Fixture fixture;
  const auto identity = [&](std::string_view labels) {
    const auto result = fixture.push(body(stream(labels, entry("a"))));
    return std::get<Validated>(result).batch.streams.front().identity;
  };
  const auto first = identity(R"({"app":"x"})");
  CHECK(identity(R"({"app":"x"})") == first);
  CHECK(identity(R"({"app":"y"})") != first);
  fixture.change([](auto& limits) { limits.discover_service_name = {"env"}; });
  CHECK(identity(R"({"app":"x"})")->text == "{app=\"x\", service_name=\"unknown_service\"}");
}

TEST_CASE("byte counts as people read them") {
  CHECK(humanised_bytes(0) == "0B");
  CHECK(humanised_bytes(150) == "150B");
  CHECK(humanised_bytes(3 << 20) == "3MB");
  CHECK(humanised_bytes(1536) == "1KB512B");
}

}  // namespace
}  // namespace kvasir::ingest
