// query_shape.h -- what the text of a query says about the order and the number of its entries.
#pragma once

#include <vector>

#include "cli/commands.h"

namespace kvasir::cli {

/// The flags with what the query asks for itself: `| limit` is a limit; `| order by timestamp` says which end comes
/// first, whatever --forward says; ordered by anything else the entries come as answered, all at once, since no time
/// says where a next page would begin. A query that cannot be read leaves the flags as they are.
QueryFlags fitted_to_query(QueryFlags flags);

/// The entries of an answer as they are to be printed.
std::vector<PrintEntry> in_order(const std::vector<logql::ResultStream>& streams, const QueryFlags& flags);

}  // namespace kvasir::cli
