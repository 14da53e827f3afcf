#include "server/encode_result.h"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <limits>

using namespace kvasir;
using namespace kvasir::server;

namespace {

std::string head_of(const logql::QueryResult& result, const EncodeOptions& options = {}) {
  std::string out;
  append_query_answer(out, result, {}, options);
  simdjson::dom::parser parser;
  CHECK(parser.parse(simdjson::padded_string(out)).error() == simdjson::SUCCESS);
  return out.substr(0, out.find(",\"stats\""));
}

}  // namespace

TEST_CASE("streams, merged and categorised") {
  logql::ResultEntry entry{{5}, 1, "a <b> \"c\"", Labels{{"m", "1"}}, Labels{{"p", "2"}}};
  const logql::Streams streams{{{Labels{{"app", "x"}}, {entry, {{6}, 2, "", {}, {}}}}}};
  CHECK(
      head_of(streams) ==
      R"({"status":"success","data":{"resultType":"streams","result":[{"stream":{"app":"x"},"values":[["5","a \u003cb\u003e \"c\""],["6",""]]}])");
  EncodeOptions options;
  options.encoding_flags = {"categorize-labels", "other"};
  options.categorize = true;
  CHECK(
      head_of(streams, options) ==
      R"({"status":"success","data":{"resultType":"streams","encodingFlags":["categorize-labels","other"],"result":[{"stream":{"app":"x"},)"
      R"("values":[["5","a \u003cb\u003e \"c\"",{"structuredMetadata":{"m":"1"},"parsed":{"p":"2"}}],["6","",{}]]}])");
}

TEST_CASE("metrics") {
  const logql::Series one{Labels{{"a", "b"}}, {{1500, 0.5}, {2000, 1e21}}};
  CHECK(
      head_of(logql::Matrix{{one}}) ==
      R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1.5,"0.5"],[2,"1000000000000000000000"]]}])");
  CHECK(head_of(logql::Vector{{{Labels{}, {{4000000000000, 2}}}}}) ==
        R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[4000000000,"2"]}])");
  CHECK(head_of(logql::Scalar{{1, std::numeric_limits<double>::infinity()}}) ==
        R"({"status":"success","data":{"resultType":"scalar","result":[0.001,"+Inf"])");
  CHECK(head_of(logql::Matrix{}) == R"({"status":"success","data":{"resultType":"matrix","result":[])");
}

TEST_CASE("warnings stand where clients look for them") {
  EncodeOptions options;
  options.warnings = {"w"};
  CHECK(head_of(logql::Streams{}, options).starts_with(R"({"status":"success","warnings":["w"],"data")"));
  std::string out;
  append_query_answer(out, logql::Matrix{}, {}, options);
  CHECK(out.ends_with(R"(}},"warnings":["w"]})"));
}

TEST_CASE("seconds keep up to three decimals") {
  const auto f = [](std::int64_t ms, const char* want) {
    std::string out;
    append_seconds(out, ms);
    CHECK(out == want);
  };
  f(0, "0");
  f(1, "0.001");
  f(1500, "1.5");
  f(1795253222500, "1795253222.5");
  f(1795253222010, "1795253222.01");
  f(-1500, "-1.5");
}
