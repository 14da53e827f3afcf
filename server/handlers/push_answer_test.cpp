#include "server/handlers/push_answer.h"

#include <doctest/doctest.h>

#include "ingest/wire/otlp.h"

namespace kvasir::server {
namespace {

using ingest::PushVerdicts;

std::shared_ptr<ingest::DecodedPush> otlp(std::string body) {
  auto push = std::make_shared<ingest::DecodedPush>();
  push->body = std::move(body);
  REQUIRE(ingest::decode_otlp_json({}, {1}, *push));
  return push;
}

std::string record(std::string_view line) {
  return R"({"timeUnixNano":"1","body":{"stringValue":")" + std::string(line) + R"("}})";
}

TEST_CASE("records of OTLP are named by resource, scope and record, also behind empty scopes") {
  const auto push = otlp(R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[]},{"logRecords":[)" + record("a") + "," + record("b") +
                         R"(]}]},{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"x"}}]},)" +
                         R"("scopeLogs":[{"logRecords":[)" + record("c") + "]},{\"logRecords\":[" + record("d") + "]}]}]}");
  const LineNames names(*push);
  REQUIRE(names.names_records());
  const auto name = [&](std::uint32_t stream, std::uint32_t entry) {
    const auto at = names.record({stream, entry});
    return std::to_string(at.resource) + "/" + std::to_string(at.scope) + "/" + std::to_string(at.record);
  };
  REQUIRE(push->streams.size() == 2);
  CHECK(name(0, 0) == "0/1/0");
  CHECK(name(0, 1) == "0/1/1");
  CHECK(name(1, 0) == "1/0/0");
  CHECK(name(1, 1) == "1/1/0");
}

TEST_CASE("verdicts as JSON: refused lines with their reason, then repeated ones") {
  const std::vector<EntryView> entries(3);
  PushVerdicts verdicts;
  verdicts.set_first(entries.data());
  for (std::uint32_t i = 0; i < 3; ++i) verdicts.accept({1, i});
  verdicts.repeat(1);
  verdicts.repeat(1);
  verdicts.refuse({0, 4}, {ingest::DiscardReason::kLineTooLong, 400, "too \"long\"", 1, 9});
  CHECK(verdicts_json(verdicts, {}, true) ==
        R"({"accepted":2,"repeated":1,"refused":1,"verdicts":[)"
        R"({"stream":0,"entry":4,"status":400,"reason":"line_too_long","error":"too \"long\""},)"
        R"({"stream":1,"entry":1,"status":204,"reason":"repeated"}]})"
        "\n");
  // A repeated line that is refused after all is refused, and nothing else.
  verdicts.refuse_accepted(std::span(entries).subspan(1, 1), {ingest::DiscardReason::kTooFarBehind, 400, "late", 1, 4});
  CHECK(verdicts.repeated_count() == 0);
  CHECK(verdicts.accepted_count() == 2);
  verdicts.repeat_all();
  CHECK(verdicts_json(verdicts, {}, false).starts_with(
      R"({"accepted":0,"repeated":2,"refused":2,"incomplete":true,"verdicts":[)"));
}

TEST_CASE("OTLP's answer: nothing when all was taken, else how many were rejected and why") {
  CHECK(encode_otlp_response({}, "") == "");
  CHECK(encode_otlp_response({300, "why"}, "") == std::string("\x0a\x08\x08\xac\x02\x12\x03why"));
  CHECK(encode_otlp_response({}, "{}") == "\x7a\x02{}");
  CHECK(otlp_response_json({}) == "{}");
  CHECK(otlp_response_json({3, "a \"b\""}) ==
        R"({"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"a \"b\""}})");
  CHECK(encode_rpc_status("no") == "\x12\x02no");
}

}  // namespace
}  // namespace kvasir::server
