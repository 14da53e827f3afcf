// Parameters and headers of the read routes, of Loki's API and of Prometheus': whatever they hold, the request ends in
// values within their limits or in an error. The first line is the query string, the second stands for each header.
#include <cstdint>

#include "common/assert.h"
#include "logql/log_pages.h"
#include "server/handlers/push_decoding.h"
#include "server/params.h"
#include "server/query_service.h"
#include "server/request_limits.h"
#include "server/tenant_gate.h"

namespace {

using namespace kvasir;
using namespace kvasir::server;

constexpr TimestampNs kNow{1'795'000'000'000'000'000};

void read_params(const net::HttpParams& params) {
  if (const auto range = parse_range_params(params, kNow)) {
    KVASIR_ASSERT(range->step.count() > 0, "a step of nothing");
    const double points = static_cast<double>(range->bounds.end.value - range->bounds.start.value) /
                          static_cast<double>(range->step.count());
    KVASIR_ASSERT(points <= static_cast<double>(kPointsMax) + 1, "too many points");
  }
  (void)parse_instant_params(params, kNow);
  if (const auto bounds = parse_bounds(params, kNow)) {
    const auto step = parse_step(params, *bounds);
    if (step) KVASIR_ASSERT(step->count() > 0, "a step of nothing");
  }
  (void)parse_limit(params, "limit", 10);
  (void)parse_limit(params, "line_limit", 10);
  (void)parse_direction(params);
}

void read_header(std::string_view text) {
  if (const auto cursor = logql::parse_cursor(text)) {
    const auto again = logql::parse_cursor(logql::format_cursor(*cursor));
    KVASIR_ASSERT(again.has_value() && *again == *cursor, "a cursor does not come back");
  }
  if (const auto tenants = parse_tenant_ids(text)) {
    for (const auto& tenant : *tenants) {
      KVASIR_ASSERT(
          tenant.find_first_of("/\\|:") == tenant.npos && tenant != ".." && tenant.size() <= kTenantIdBytesMax,
          "a tenant that could leave its folder");
    }
  }
  QuerySettings settings;
  const QuerySettings before = settings;
  if (tighten(settings, text)) {
    KVASIR_ASSERT(settings.max_query_length <= before.max_query_length &&
                      settings.query_timeout <= before.query_timeout &&
                      settings.max_entries_limit_per_query <= before.max_entries_limit_per_query,
                  "a client's limits are wider than ours");
  }
  KVASIR_ASSERT(clean_query_tags(text).find('\n') == std::string::npos, "tags with lines");
  net::HttpHeaders headers{{"X-Kvasir-Source", "file"}, {"X-Kvasir-Range", std::string(text)}};
  const auto origin = push_origin(headers);
  if (origin) KVASIR_ASSERT(origin->has_value() && (*origin)->begin_offset < (*origin)->end_offset, "an empty range");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(text.find('\n'), text.size());
  net::HttpRequest request;
  request.method = "POST";
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  request.body = text.substr(0, line);
  if (const auto params = merged_params(request)) read_params(*params);
  if (line < text.size()) read_header(text.substr(line + 1));
  return 0;
}
