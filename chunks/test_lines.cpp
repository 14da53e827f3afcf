#include "chunks/test_lines.h"

#include <array>

#include "common/time.h"

namespace kvasir::chunks {
namespace {

using Random = std::mt19937_64;

std::string number(std::uint64_t value) { return std::to_string(value); }

std::string hex(Random& random, std::size_t digits) {
  std::string text;
  for (std::size_t i = 0; i < digits; ++i) text += "0123456789abcdef"[random() % 16];
  return text;
}

template <std::size_t N>
std::string pick(const std::array<const char*, N>& words, Random& random) {
  return words[random() % N];
}

constexpr std::array<const char*, 4> kLevels = {"info", "error", "warn", "debug"};
constexpr std::array<const char*, 6> kMessages = {"request completed", "cache miss", "retrying upstream call",
                                                  "slow query",        "ok",         "token validated"};
constexpr std::array<const char*, 5> kPaths = {"/", "/api/v1/orders", "/api/v1/users/77", "/static/app.js", "/health"};
constexpr std::array<const char*, 14> kOddValues = {
    "-0",      "007",     "12345678901234567890", "1e5", "",  "2026-02-30T00:00:00Z",
    "\\u0041", "a\\\"b",  "DEADBEEFdeadbeef",     "-",   ".", "1.",
    "0.10",    "\xc3\xa9"};

std::string message(Random& random) {
  std::string text = pick(kMessages, random);
  if (random() % 2 == 0) text += " id=" + number(random() % 5000);
  if (random() % 4 == 0) text += " after " + number(random() % 9) + "ms";
  return text;
}

std::string value(Random& random) { return random() % 40 == 0 ? pick(kOddValues, random) : number(random() % 1500); }

std::string json_line(std::int64_t ts, Random& random) {
  return R"({"ts":")" + format_rfc3339({ts}) + R"(","level":")" + pick(kLevels, random) + R"(","status":)" +
         number(random() % 3 == 0 ? 500 : 200) + R"(,"duration_ms":)" + value(random) + R"(,"trace_id":")" +
         hex(random, 32) + R"(","msg":")" + message(random) + R"("})";
}

std::string nested_line(Random& random) {
  std::string line = R"({"a": {"b": )" + value(random) + R"(, "c d": ")" + message(random) + R"("}, "list": [)";
  for (std::uint64_t n = random() % 3; n > 0; --n) line += number(random() % 10) + (n > 1 ? "," : "");
  line += R"(], "ok": )" + std::string(random() % 2 == 0 ? "true" : "null") + R"(, "a_b": "dup")";
  if (random() % 3 == 0) line += R"(, "user-id": ")" + number(random() % 100) + "\"";
  return line + "}";
}

std::string logfmt_line(std::int64_t ts, Random& random) {
  return "ts=" + format_rfc3339({ts}) + " level=" + pick(kLevels, random) + " msg=\"" + message(random) +
         "\" duration=" + value(random) + "ms n=" + number(random() % 7) + " trace_id=" + hex(random, 32);
}

std::string access_line(Random& random) {
  return "10.0." + number(random() % 256) + "." + number(random() % 256) +
         " - - [10/Jan/2026:08:00:" + number(10 + random() % 50) + " +0000] \"GET " + pick(kPaths, random) +
         " HTTP/1.1\" " + number(random() % 5 == 0 ? 500 : 200) + " " + number(random() % 90'000) + " \"-\"";
}

std::string plain_line(std::int64_t ts, Random& random) {
  return format_rfc3339({ts / 1'000'000'000 * 1'000'000'000}) + " " + pick(kLevels, random) + " [worker-" +
         number(random() % 8) + "] job " + number(random() % 100'000) + " took " + number(random() % 900) + "ms, blk_" +
         hex(random, 8) + " " + message(random);
}

std::string odd_line(Random& random) {
  std::string line;
  for (std::uint64_t n = random() % 40; n > 0; --n) {
    constexpr std::string_view kBytes("{}[]\":,= \\ab01-.\n\0\xff", 19);
    line += kBytes[random() % kBytes.size()];
  }
  return line;
}

void damage(std::string& line, Random& random) {
  if (line.empty()) return;
  const std::size_t at = random() % line.size();
  switch (random() % 5) {
    case 0: line[at] = static_cast<char>(random()); break;
    case 1: line.insert(at, 1, "\"\\\0\n\xff=}"[random() % 7]); break;
    case 2: line.resize(at); break;
    case 3: line.erase(at, 1 + random() % 5); break;
    default: line.insert(at, pick(kOddValues, random)); break;
  }
}

}  // namespace

void TestRows::add(std::int64_t ts, std::uint64_t sequence, std::string line, const std::vector<LabelView>& metadata) {
  auto& mine = pairs.emplace_back();
  for (const LabelView& pair : metadata) {
    const std::string& name = texts.emplace_back(pair.name);
    mine.push_back({name, texts.emplace_back(pair.value)});
  }
  views.push_back({{ts}, sequence, texts.emplace_back(std::move(line)), mine});
}

std::string test_line(TestKind kind, std::int64_t ts, Random& random) {
  switch (kind) {
    case TestKind::kJson: return json_line(ts, random);
    case TestKind::kLogfmt: return logfmt_line(ts, random);
    case TestKind::kAccess: return access_line(random);
    case TestKind::kPlain: return plain_line(ts, random);
    case TestKind::kJsonNested: return nested_line(random);
    case TestKind::kOdd: return odd_line(random);
  }
  return {};
}

TestRows random_rows(Random& random) {
  TestRows rows;
  const auto first = static_cast<TestKind>(random() % kTestKinds),
             second = static_cast<TestKind>(random() % kTestKinds);
  const std::size_t count = 1 + random() % 600;
  const std::uint64_t damage_every = random() % 3 == 0 ? 1'000'000 : 5 + random() % 60;
  std::int64_t ts = random() % 20 == 0 ? -5'000'000'000 : 1'768'032'000'000'000'000;
  for (std::size_t i = 0; i < count; ++i) {
    ts += static_cast<std::int64_t>(random() % 1000) * 1'000'000 +
          (random() % 2 == 0 ? static_cast<std::int64_t>(random() % 1000) : 0);
    std::string line = test_line(random() % 5 == 0 ? second : first, ts, random);
    if (random() % damage_every == 0) damage(line, random);
    std::vector<LabelView> metadata;
    const std::string id = hex(random, 32);
    if (random() % 3 != 0) metadata = {{"detected_level", "info"}, {"trace_id", id}};
    if (random() % 50 == 0) metadata.push_back({"detected_level", "twice"});
    rows.add(ts, i, std::move(line), metadata);
  }
  return rows;
}

}  // namespace kvasir::chunks
