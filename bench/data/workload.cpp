#include "bench/data/workload.h"

#include <array>
#include <iterator>

#include <fmt/format.h>

namespace kvasir::bench {
namespace {

constexpr std::array<std::string_view, 40> kServices{
    "checkout", "cart",     "payment", "orders",   "invoices", "shipping", "catalog",   "search",
    "reviews",  "ratings",  "users",   "sessions", "auth",     "gateway",  "edge",      "notify",
    "mailer",   "billing",  "ledger",  "fraud",    "stock",    "pricing",  "promo",     "media",
    "images",   "video",    "upload",  "export",   "reports",  "metrics",  "planner",   "router",
    "fleet",    "tracking", "geo",     "weather",  "audit",    "config",   "scheduler", "archive"};

constexpr std::array<std::string_view, 20> kMessages{"request completed",
                                                     "cache miss, loading from store",
                                                     "connection pool acquired",
                                                     "retrying upstream call",
                                                     "payment authorised",
                                                     "order state changed to shipped",
                                                     "user session refreshed",
                                                     "inventory reserved for order",
                                                     "failed to reach upstream service",
                                                     "deadline exceeded while waiting for lock",
                                                     "token validated",
                                                     "published event to topic orders.v2",
                                                     "consumed message from partition",
                                                     "database query finished",
                                                     "slow query detected",
                                                     "circuit breaker half open",
                                                     "feature flag evaluated",
                                                     "image resized",
                                                     "export job finished",
                                                     "rate limit applied to client"};

constexpr std::array<std::string_view, 24> kPaths{"/",
                                                  "/login",
                                                  "/logout",
                                                  "/api/v1/orders",
                                                  "/api/v1/cart",
                                                  "/api/v1/users",
                                                  "/api/v1/search",
                                                  "/api/v1/pay",
                                                  "/api/v2/pay",
                                                  "/api/v1/stock",
                                                  "/static/app.js",
                                                  "/static/app.css",
                                                  "/static/logo.svg",
                                                  "/health",
                                                  "/metrics",
                                                  "/api/v1/geo",
                                                  "/api/v1/media",
                                                  "/api/v1/export",
                                                  "/api/v1/report",
                                                  "/api/v1/review",
                                                  "/favicon.ico",
                                                  "/robots.txt",
                                                  "/admin",
                                                  "/api/v1/promo"};

constexpr std::array<std::string_view, 4> kAgents{
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0", "Mozilla/5.0 (Macintosh) Safari/605.1.15", "curl/8.5.0",
    "okhttp/4.12.0"};

constexpr std::array<int, 10> kStatuses{200, 200, 200, 200, 200, 201, 204, 404, 500, 503};

// Lines of each kind in a thousand, so that by bytes half is JSON and a fifth logfmt.
constexpr std::array<std::pair<LineKind, unsigned>, 5> kMix{{{LineKind::kJsonPython, 165},
                                                             {LineKind::kJsonGo, 185},
                                                             {LineKind::kLogfmt, 220},
                                                             {LineKind::kNginx, 145},
                                                             {LineKind::kPlain, 285}}};

LineKind kind_of_service(std::size_t service) {
  if (service < 12) return LineKind::kJsonPython;
  if (service < 24) return LineKind::kJsonGo;
  if (service < 32) return LineKind::kLogfmt;
  return service < 36 ? LineKind::kNginx : LineKind::kPlain;
}

std::string_view format_name(LineKind kind) {
  switch (kind) {
    case LineKind::kJsonPython:
    case LineKind::kJsonGo: return "json";
    case LineKind::kLogfmt: return "logfmt";
    case LineKind::kNginx: return "nginx";
    case LineKind::kPlain: return "plain";
  }
  return "plain";
}

}  // namespace

Workload::Workload(WorkloadOptions options)
    : options_(options), random_(options.seed), streams_by_kind_(5), traces_(256), now_(options.start) {
  for (std::size_t service = 0; service < kServices.size(); ++service) {
    for (std::size_t pod = 0; pod < options_.pods_per_service; ++pod) {
      const LineKind kind = kind_of_service(service);
      streams_by_kind_[static_cast<std::size_t>(kind)].push_back(streams_.size());
      const std::string name(kServices[service]);
      streams_.push_back(
          {Labels{{"cluster", "eu-1"},
                  {"format", std::string(format_name(kind))},
                  {"namespace", service % 3 == 0 ? "shop" : "core"},
                  {"pod", fmt::format("{}-{:08x}-{:05x}", name, random_() & 0xffffffff, random_() & 0xfffff)},
                  {"service", name}},
           kind});
    }
  }
}

GeneratedLine Workload::next() {
  const auto mean = static_cast<std::uint64_t>(options_.span.count()) / options_.lines_expected;
  now_ = now_ + Duration(static_cast<std::int64_t>(below(2 * mean + 1)));
  auto pick = below(1000);
  LineKind kind = LineKind::kPlain;
  for (const auto& [candidate, weight] : kMix) {
    kind = candidate;
    if (pick < weight) break;
    pick -= weight;
  }
  const auto& candidates = streams_by_kind_[static_cast<std::size_t>(kind)];
  const std::size_t stream = candidates[below(candidates.size())];
  line_.clear();
  append_line(streams_[stream]);
  return {stream, now_, line_};
}

void Workload::append_line(const WorkloadStream& stream) {
  switch (stream.kind) {
    case LineKind::kJsonPython: return append_json_python(stream);
    case LineKind::kJsonGo: return append_json_go(stream);
    case LineKind::kLogfmt: return append_logfmt(stream);
    case LineKind::kNginx: return append_nginx();
    case LineKind::kPlain: return append_plain();
  }
}

// Of 256 open traces one is taken; it closes after six lines.
const std::string& Workload::trace_id() {
  Trace& trace = traces_[below(traces_.size())];
  if (trace.lines_left == 0) {
    trace.id = fmt::format("{:016x}{:016x}", random_(), random_());
    trace.lines_left = 6;
    if (below(64) == 0 || sample_trace_id_.empty()) sample_trace_id_ = trace.id;
  }
  --trace.lines_left;
  return trace.id;
}

void Workload::append_hex(std::size_t digits) {
  fmt::format_to(std::back_inserter(line_), "{:0{}x}", digits < 16 ? random_() >> (64 - 4 * digits) : random_(),
                 digits);
}

void Workload::append_message() {
  line_ += kMessages[below(kMessages.size())];
  switch (below(4)) {
    case 0: fmt::format_to(std::back_inserter(line_), " id={}", below(10'000'000)); break;
    case 1: fmt::format_to(std::back_inserter(line_), " after {} attempts", below(9) + 1); break;
    case 2: fmt::format_to(std::back_inserter(line_), " for customer c-{}", below(500'000)); break;
    default: break;
  }
}

std::string_view Workload::level() {
  const auto pick = below(100);
  if (pick < 4) return "error";
  if (pick < 12) return "warn";
  return pick < 90 ? "info" : "debug";
}

void Workload::append_json_python(const WorkloadStream& stream) {
  const std::string time = format_rfc3339(TimestampNs{now_.value / 1'000'000 * 1'000'000});
  fmt::format_to(std::back_inserter(line_),
                 R"({{"timestamp": "{}", "level": "{}", "service": "{}", "logger": "app.{}", "message": ")",
                 time, level(), stream.labels.value_or_empty("service"), below(12));
  append_message();
  fmt::format_to(std::back_inserter(line_),
                 R"(", "status": {}, "duration_ms": {}.{:02}, "trace_id": "{}", "span_id": ")",
                 kStatuses[below(kStatuses.size())], below(900), below(100), trace_id());
  append_hex(16);
  line_ += "\"}";
}

void Workload::append_json_go(const WorkloadStream& stream) {
  fmt::format_to(std::back_inserter(line_), R"({{"level":"{}","ts":"{}","component":"{}","msg":")", level(),
                 format_rfc3339(now_), stream.labels.value_or_empty("service"));
  append_message();
  fmt::format_to(std::back_inserter(line_),
                 R"(","method":"{}","path":"{}","status":{},"duration_ms":{},"bytes":{},"trace_id":"{}","span_id":")",
                 below(3) == 0 ? "POST" : "GET", kPaths[below(kPaths.size())], kStatuses[below(kStatuses.size())],
                 below(1500), below(60'000), trace_id());
  append_hex(16);
  line_ += "\"}";
}

void Workload::append_logfmt(const WorkloadStream& stream) {
  fmt::format_to(std::back_inserter(line_), "ts={} level={} caller={}.go:{} component={} msg=\"", format_rfc3339(now_),
                 level(), stream.labels.value_or_empty("service"), below(900), stream.labels.value_or_empty("service"));
  append_message();
  fmt::format_to(std::back_inserter(line_), "\" duration={}.{:03}ms size={}B trace_id={}", below(800), below(1000),
                 below(100'000), trace_id());
}

void Workload::append_nginx() {
  const std::chrono::sys_time<Duration> instant{Duration(now_.value)};
  const std::chrono::hh_mm_ss clock{instant - std::chrono::floor<std::chrono::days>(instant)};
  fmt::format_to(
      std::back_inserter(line_),
      "10.{}.{}.{} - - [21/Nov/2026:{:02}:{:02}:{:02} +0000] \"{} {} HTTP/1.1\" {} {} \"-\" \"{}\" rt=0.{:03} rid=",
      below(4), below(256), below(256), clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
      below(5) == 0 ? "POST" : "GET", kPaths[below(kPaths.size())], kStatuses[below(kStatuses.size())], below(80'000),
      kAgents[below(kAgents.size())], below(1000));
  append_hex(16);
  append_hex(16);
}

void Workload::append_plain() {
  if (below(100'000) == 0) {
    fmt::format_to(std::back_inserter(line_), "container worker-{} was OOMKilled, restarting", below(64));
    return;
  }
  fmt::format_to(std::back_inserter(line_), "{} {} [worker-{}] job {} ", format_rfc3339(now_), level(), below(64),
                 below(1'000'000));
  if (below(3) == 0) {
    fmt::format_to(std::back_inserter(line_), "took {}ms on queue q{}", below(1000), below(16));
  } else {
    append_message();
  }
}

}  // namespace kvasir::bench
