#include "server/rule_queries.h"

#include <algorithm>

#include "logql/syntax/parser.h"
#include "server/query_service.h"

namespace kvasir::server {
namespace {

QueryCall rule_call(const Services& services, const std::string& tenant, const std::string& query) {
  QueryCall call;
  call.tenants.tenants.push_back({tenant, services.tenants.of(tenant)});
  call.route = "rule";
  call.check_selectors = false;
  call.params.query = query;
  return call;
}

Result<logql::QueryResult> run(const Services& services, const QueryCall& call) {
  KVASIR_TRY(QueryOutcome outcome, QueryService(services).run(call));
  return std::move(outcome.result);
}

// Newest first, over all streams.
std::vector<std::string> newest(logql::Streams streams, std::size_t limit) {
  std::vector<logql::ResultEntry> entries;
  for (auto& stream : streams.streams)
    std::move(stream.entries.begin(), stream.entries.end(), std::back_inserter(entries));
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.timestamp, a.sequence) > std::pair(b.timestamp, b.sequence);
  });
  entries.resize(std::min(entries.size(), limit));
  std::vector<std::string> lines;
  for (auto& entry : entries) lines.push_back(std::move(entry.line));
  return lines;
}

}  // namespace

RuleQueries make_rule_queries(const Services& services) {
  RuleQueries queries;
  queries.values = [&services](const std::string& tenant, const std::string& text,
                               TimestampNs at) -> Result<logql::QueryResult> {
    // Said of the rule, as Loki says it, rather than of the instant query that it would make.
    if (const auto parsed = logql::parse_query(text); parsed && logql::is_log_query(**parsed)) {
      return fail(ErrorCode::kInvalidArgument, "rule result is not a vector or scalar");
    }
    QueryCall call = rule_call(services, tenant, text);
    call.params.instant = true;
    call.params.start = call.params.end = at;
    return run(services, call);
  };
  queries.lines = [&services](const std::string& tenant, const alerts::EvidenceQuery& evidence,
                              std::size_t limit) -> Result<std::vector<std::string>> {
    QueryCall call = rule_call(services, tenant, evidence.query);
    call.params.start = evidence.start;
    call.params.end = evidence.end;
    call.params.limit = static_cast<std::uint32_t>(limit);
    call.params.direction = logql::Direction::kBackward;
    KVASIR_TRY(auto result, run(services, call));
    auto* streams = std::get_if<logql::Streams>(&result);
    if (streams == nullptr) return fail(ErrorCode::kInternal, "the lines behind an alert came as no lines");
    return newest(std::move(*streams), limit);
  };
  return queries;
}

}  // namespace kvasir::server
