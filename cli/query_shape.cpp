#include "cli/query_shape.h"

#include <algorithm>
#include <vector>

#include "logql/syntax/parser.h"

namespace kvasir::cli {
namespace {

constexpr std::uint32_t kOrderedEntriesMax = 5000;

bool by_time_alone(const logql::OrderBy& order) {
  return order.keys.size() == 1 && order.keys.front().field == "timestamp";
}

void fit_order(QueryFlags& flags, const std::vector<const logql::OrderBy*>& orders) {
  if (orders.empty()) return;
  if (orders.size() == 1 && by_time_alone(*orders.front())) {
    flags.forward = !orders.front()->keys.front().descending;
    return;
  }
  flags.answer_order = true;
  if (flags.limit == 0) flags.limit = kOrderedEntriesMax;
  flags.batch = flags.limit;
}

}  // namespace

std::vector<PrintEntry> in_order(const std::vector<logql::ResultStream>& streams, const QueryFlags& flags) {
  return flags.answer_order ? in_answer_order(streams) : in_time_order(streams, flags.forward);
}

QueryFlags fitted_to_query(QueryFlags flags) {
  const auto parsed = logql::parse_log_query(flags.query);
  if (!parsed) return flags;  // the server words the error
  std::vector<const logql::OrderBy*> orders;
  for (const auto& pipe : parsed->pipes) {
    if (const auto* order = std::get_if<logql::OrderBy>(&pipe)) orders.push_back(order);
    if (const auto* limit = std::get_if<logql::Limit>(&pipe)) {
      const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(limit->count, UINT32_MAX));
      flags.limit = flags.limit == 0 ? count : std::min(flags.limit, count);
    }
  }
  fit_order(flags, orders);
  return flags;
}

}  // namespace kvasir::cli
