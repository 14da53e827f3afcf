#include "ingest/wire/otlp.h"

#include <doctest/doctest.h>

#include <protozero/pbf_builder.hpp>
#include <random>

#include "ingest/wire/metadata_name.h"

namespace kvasir::ingest {
namespace {

constexpr TimestampNs kNow{99};

std::string describe(const DecodedPush& push) {
  std::string out;
  for (const auto& stream : push.streams) {
    out += std::string(stream.labels) + "\n";
    for (const auto& entry : push.entries_of(stream)) {
      out += " " + std::to_string(entry.timestamp.value) + " [" + std::string(entry.line) + "]";
      for (const auto& [name, value] : push.metadata_of(entry))
        out += " " + std::string(name) + "=" + std::string(value);
      out += "\n";
    }
  }
  return out;
}

std::string json(std::string_view body, const OtlpConfig& config = {}) {
  DecodedPush push;
  push.body = body;
  const auto result = decode_otlp_json(config, kNow, push);
  return result ? describe(push) : "error " + result.error().message();
}

std::string record(std::string_view fields) {
  return R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{)" + std::string(fields) + "}]}]}]}";
}

constexpr std::string_view kSample = R"({"resourceLogs":[{"resource":{"attributes":[
   {"key":"service.name","value":{"stringValue":"checkout"}},
   {"key":"k8s.pod.name","value":{"stringValue":"p-1"}},
   {"key":"host.arch","value":{"stringValue":"arm64"}}]},
  "scopeLogs":[{"scope":{"name":"lib","version":"1.0"},"logRecords":[
   {"timeUnixNano":"1795253222000000000","observedTimeUnixNano":"1795253222000000500",
    "severityNumber":17,"severityText":"ERROR","body":{"stringValue":"boom"},
    "traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708",
    "attributes":[{"key":"http.status","value":{"intValue":"500"}},
                  {"key":"ctx","value":{"kvlistValue":{"values":[{"key":"a.b","value":{"boolValue":true}}]}}}]}]}]}]})";

constexpr std::string_view kSampleText =
    "{k8s_pod_name=\"p-1\", service_name=\"checkout\"}\n 1795253222000000000 [boom] http_status=500 ctx_a_b=true "
    "observed_timestamp=1795253222000000500 severity_number=17 severity_text=ERROR "
    "trace_id=0102030405060708090a0b0c0d0e0f10 span_id=0102030405060708 host_arch=arm64 scope_name=lib "
    "scope_version=1.0\n";

TEST_CASE("the json mapping") { CHECK(json(kSample) == kSampleText); }

void add_text(protozero::pbf_writer& parent, std::uint32_t field, const std::string& key, const std::string& text) {
  protozero::pbf_writer attribute(parent, field);
  attribute.add_string(1, key);
  protozero::pbf_writer value(attribute, 2);
  value.add_string(1, text);
}

/// The sample as protobuf, with the scope and the resource behind what they belong to.
std::string protobuf_sample() {
  std::string out;
  protozero::pbf_writer request(out);
  protozero::pbf_writer resource_logs(request, 1);
  {
    protozero::pbf_writer scope_logs(resource_logs, 2);
    {
      protozero::pbf_writer log(scope_logs, 2);
      log.add_fixed64(1, 1795253222000000000);
      log.add_enum(2, 17);
      log.add_string(3, "ERROR");
      {
        protozero::pbf_writer body(log, 5);
        body.add_string(1, "boom");
      }
      {
        protozero::pbf_writer attribute(log, 6);
        attribute.add_string(1, "http.status");
        protozero::pbf_writer value(attribute, 2);
        value.add_int64(3, 500);
      }
      {
        protozero::pbf_writer attribute(log, 6);
        attribute.add_string(1, "ctx");
        protozero::pbf_writer value(attribute, 2);
        protozero::pbf_writer map(value, 6);
        protozero::pbf_writer pair(map, 1);
        pair.add_string(1, "a.b");
        protozero::pbf_writer inner(pair, 2);
        inner.add_bool(2, true);
      }
      log.add_bytes(9, std::string("\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\x10", 16));
      log.add_bytes(10, std::string("\1\2\3\4\5\6\7\x8", 8));
      log.add_fixed64(11, 1795253222000000500);
    }
    protozero::pbf_writer scope(scope_logs, 1);
    scope.add_string(1, "lib");
    scope.add_string(2, "1.0");
  }
  protozero::pbf_writer resource(resource_logs, 1);
  add_text(resource, 1, "service.name", "checkout");
  add_text(resource, 1, "k8s.pod.name", "p-1");
  add_text(resource, 1, "host.arch", "arm64");
  return out;
}

TEST_CASE("protobuf") {
  DecodedPush push;
  push.body = protobuf_sample();
  REQUIRE(decode_otlp_protobuf({}, kNow, push).has_value());
  CHECK(describe(push) == kSampleText);
}

TEST_CASE("damaged protobuf never reads outside the body") {
  const std::string good = protobuf_sample();
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    DecodedPush push;
    push.body = good.substr(0, random() % (good.size() + 1));
    for (std::size_t hits = random() % 4; hits > 0 && !push.body.empty(); --hits) {
      push.body[random() % push.body.size()] = static_cast<char>(random());
    }
    if (decode_otlp_protobuf({}, kNow, push)) describe(push);
  }
}

TEST_CASE("bodies and attribute values as text") {
  const auto line = [](std::string_view value) {
    const std::string out = json(record(R"("timeUnixNano":"1","body":)" + std::string(value)));
    return out.starts_with("error") ? out : out.substr(out.find('[') + 1, out.rfind(']') - out.find('[') - 1);
  };
  CHECK(line(R"({"stringValue":"a\nb"})") == "a\nb");
  CHECK(line(R"({"intValue":"-7"})") == "-7");
  CHECK(line(R"({"intValue":8})") == "8");
  CHECK(line(R"({"doubleValue":1.5})") == "1.5");
  CHECK(line(R"({"doubleValue":12})") == "12");
  CHECK(line(R"({"boolValue":false})") == "false");
  CHECK(line(R"({"bytesValue":"aGVsbG8="})") == "aGVsbG8=");
  CHECK(line(R"({"arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"b"}]}})") == R"(["a","b"])");
  CHECK(
      line(
          R"({"kvlistValue":{"values":[{"key":"z","value":{"intValue":"1"}},{"key":"a","value":{"stringValue":"<"}}]}})") ==
      R"({"a":"\u003c","z":1})");
  CHECK(line("{}") == "");
  CHECK(line(R"({"intValue":"x"})").starts_with("error"));
}

TEST_CASE("times, ids and counts") {
  CHECK(json(record(R"("body":{"stringValue":"x"})")) == "{}\n 99 [x]\n");
  CHECK(json(record(R"("observedTimeUnixNano":"5")")) == "{}\n 5 []\n");
  CHECK(json(record(R"("timeUnixNano":7,"traceId":"0000000000000000","flags":1,"droppedAttributesCount":2)")) ==
        "{}\n 7 [] dropped_attributes_count=2 flags=1\n");
  CHECK(json(record(R"("traceId":"xyz")")) == "error invalid id \"xyz\"");
}

TEST_CASE("empty and broken requests") {
  CHECK(json("{}") == "");
  CHECK(json("null") == "");
  CHECK(json(R"({"resourceLogs":[{"scopeLogs":[]}]})") == "");
  CHECK(json("") == "error EOF");
  CHECK(json("{").starts_with("error couldn't parse otlp json"));
  CHECK(json(R"({"resourceLogs":{}})").starts_with("error couldn't parse otlp json"));
  std::string deep = R"("body":)";
  for (int i = 0; i < 40; ++i) deep += R"({"arrayValue":{"values":[)";
  deep += R"({"intValue":1})";
  for (int i = 0; i < 40; ++i) deep += "]}}";
  CHECK(json(record(deep)) == "error attribute value nested too deep");
  CHECK(json(record(R"("attributes":[{"key":"","value":{"stringValue":"x"}}])")) ==
        "error symbolizer lookup: label name is empty");
}

TEST_CASE("a body that stands for much more than it holds is refused before the memory is taken") {
  const auto refused = [](bool as_json, std::string body, std::uint64_t made_max) {
    DecodedPush push;
    push.body = std::move(body);
    push.made_bytes_max = made_max;
    const auto result = as_json ? decode_otlp_json({}, {99}, push) : decode_otlp_protobuf({}, {99}, push);
    return !result && result.error().message().starts_with("request body too large: what it holds takes more than ") &&
           push.made_bytes() <= made_max + (64 << 10);
  };
  const auto field = [](int number, std::string_view content) {
    std::string out(1, static_cast<char>(number << 3 | 2));
    for (std::size_t size = content.size(); ; size >>= 7) {
      out += static_cast<char>(size >= 0x80 ? (size & 0x7f) | 0x80 : size);
      if (size < 0x80) break;
    }
    return out.append(content);
  };
  const auto many = [](std::string_view one, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += one;
    return out;
  };
  constexpr std::uint64_t kMade = 1 << 20;
  // 1,000 attributes of the resource, which each of 10,000 records of two bytes repeats.
  const std::string attribute = field(1, field(1, "k") + field(2, field(1, "v")));
  const std::string records = many(field(2, ""), 10'000);
  CHECK(refused(false, field(1, field(1, many(attribute, 1000)) + field(2, records)), kMade));
  // Empty records, and empty values of one array.
  CHECK(refused(false, field(1, field(2, many(field(2, ""), 100'000))), kMade));
  CHECK(refused(false, field(1, field(2, field(2, field(5, field(5, many(field(1, ""), 100'000)))))), kMade));
  // A map whose long name stands before each of its names.
  const std::string leaf = field(1, field(1, "k") + field(2, field(1, "v")));
  const std::string map = field(6, field(1, std::string(10'000, 'n')) + field(2, field(6, many(leaf, 1000))));
  CHECK(refused(false, field(1, field(2, field(2, map))), kMade));
  const std::string names = many(R"({"key":"k","value":{"stringValue":"v"}},)", 1000);
  CHECK(refused(true, R"({"resourceLogs":[{"resource":{"attributes":[)" + names.substr(0, names.size() - 1) +
                          R"(]},"scopeLogs":[{"logRecords":[)" + many("{},", 10'000) + "{}]}]}]}", kMade));
  CHECK(refused(true, std::string(kMade / 2, ' ') + "{}", kMade));
}

TEST_CASE("scopes without records take no memory") {
  std::string body(1, '\x0a');
  body += "\x90\x4e";  // 10,000 bytes: 5,000 scopes of nothing
  for (int i = 0; i < 5000; ++i) body += std::string("\x12\0", 2);
  DecodedPush push;
  push.body = std::move(body);
  CHECK(decode_otlp_protobuf({}, {99}, push));
  CHECK(push.otlp_scopes.size() <= 1);
}

TEST_CASE("the tenant's rules") {
  OtlpConfig config;
  config.resource_attributes = {{OtlpAction::kIndexLabel, {"team"}, ""}, {OtlpAction::kDrop, {}, "internal\\..*"}};
  config.log_attributes = {{OtlpAction::kDrop, {"secret"}, ""}};
  config.scope_attributes = {{OtlpAction::kDrop, {"x"}, ""}};
  const std::string_view body = R"({"resourceLogs":[{"resource":{"attributes":[
      {"key":"service.name","value":{"stringValue":"s"}},{"key":"team","value":{"stringValue":"t"}},
      {"key":"internal.id","value":{"stringValue":"i"}},{"key":"other","value":{"stringValue":"o"}}]},
    "scopeLogs":[{"scope":{"attributes":[{"key":"x","value":{"stringValue":"1"}},{"key":"y","value":{"stringValue":"2"}}]},
      "logRecords":[{"timeUnixNano":"1","severityText":"WARN","attributes":[{"key":"secret","value":{"stringValue":"p"}}]},
                    {"timeUnixNano":"2","severityText":"INFO"}]}]}]})";
  CHECK(
      json(body, config) ==
      "{service_name=\"s\", team=\"t\"}\n 1 [] severity_text=WARN other=o y=2\n 2 [] severity_text=INFO other=o y=2\n");
  config.ignore_defaults = true;
  config.severity_text_as_label = true;
  CHECK(json(body, config) ==
        "{severity_text=\"WARN\", team=\"t\"}\n 1 [] severity_text=WARN service_name=s other=o y=2\n"
        "{severity_text=\"INFO\", team=\"t\"}\n 2 [] severity_text=INFO service_name=s other=o y=2\n");
  config.log_attributes = {{OtlpAction::kDrop, {}, "("}};
  CHECK(json(body, config).starts_with("error error parsing regexp"));
}

TEST_CASE("names in stored form") {
  TextArena arena;
  CHECK(metadata_name("service.name", arena) == "service_name");
  CHECK(metadata_name("a_b", arena) == "a_b");
  CHECK(metadata_name("__a.b__", arena) == "__a_b__");
  CHECK(metadata_name("____", arena) == "");
  CHECK(metadata_name("", arena) == "");
  CHECK(metadata_name("9", arena) == "key_9");
  CHECK(metadata_name("a.", arena) == "a_");
}

}  // namespace
}  // namespace kvasir::ingest
