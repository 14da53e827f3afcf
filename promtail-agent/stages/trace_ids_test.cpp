#include "promtail-agent/stages/trace_ids.h"

#include <doctest/doctest.h>

namespace kvasir::agent {
namespace {

std::string found(std::string_view text) {
  const TraceIds ids = find_trace_ids(text);
  return std::string(ids.trace.view()) + "/" + std::string(ids.span.view());
}

TEST_CASE("ids are found in the forms that programs write") {
  struct Case {
    std::string_view text, ids;
  };
  for (const auto& [text, ids] : {
           Case{R"({"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})",
                "4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7"},
           Case{"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7"},
           Case{"traceparent=ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "/"},
           Case{"traceparent=00-00000000000000000000000000000000-00f067aa0ba902b7-01", "/"},
           Case{R"({"trace_id":"4BF92F3577B34DA6A3CE929D0E0E4736","span_id":"00F067AA0BA902B7"})",
                "4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7"},
           Case{R"({"msg":"{\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}"})", "4bf92f3577b34da6a3ce929d0e0e4736/"},
           Case{"level=info traceID=a3ce929d0e0e4736 msg=x", "a3ce929d0e0e4736/"},
           Case{"trace.id=4bf92f35-77b3-4da6-a3ce-929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736/"},
           Case{"X-B3-TraceId: 463ac35c9f6413ad48485a3953bb6124, X-B3-SpanId: a2fb4a1d1a96d312",
                "463ac35c9f6413ad48485a3953bb6124/a2fb4a1d1a96d312"},
           Case{"b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90",
                "80f198ee56343ba864fe8b2a57d3eff7/e457b5a2e4d86bd1"},
           Case{"b3=0", "/"},
           Case{"uber-trace-id: 5af7183fb1d4cf5f:6b221d5bc9e6496c:0:1", "5af7183fb1d4cf5f/6b221d5bc9e6496c"},
           Case{"uber-trace-id=af7183fb1d4cf5f:6b221d5bc9e6496:0:1", "0af7183fb1d4cf5f/06b221d5bc9e6496"},
           Case{"no ids here", "/"},
           Case{"trace_id=", "/"},
           Case{"trace_id=short", "/"},
           Case{"trace_id=12345", "/"},
           Case{"trace_id=0000000000000000", "/"},
           Case{"trace_id=4bf92f3577b34da6a3ce929d0e0e4736zz", "/"},
           Case{"my_trace_id_count=4bf92f3577b34da6", "/"},
           Case{"span_id=4bf92f3577b34da6a3ce929d0e0e4736", "/"},
       })
    CHECK_MESSAGE(found(text) == ids, text);
}

TEST_CASE("decimal ids become hex") {
  CHECK(HexId::from_decimal("255").view() == "00000000000000ff");
  CHECK(HexId::from_decimal("18446744073709551615").view() == "ffffffffffffffff");
  CHECK(HexId::from_decimal("0").empty());
  CHECK(found(R"({"dd.trace_id":"255","dd.span_id":"16"})") == "00000000000000ff/0000000000000010");
}

}  // namespace
}  // namespace kvasir::agent
