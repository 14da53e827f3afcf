// log_pages.h -- the answer of a log query in pages of bounded size, so that any number of entries can go out in flat
// memory.
//
// Order:    by (timestamp, sequence) in the direction of the query, over all pages; a page begins where the one before
//           ended. A query that is ordered by a field has one page, whatever its size.
// Lifetime: the pager keeps the parsed query; the source may be another object for each page.
// Threads:  one at a time.
// Errors:   those of run_query(), for each page anew; after one the pager is of no more use.
// Limits:   page_bytes of memory in a page, but at least one entry.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/entry.h"
#include "logql/engine.h"
#include "logql/syntax/ast.h"

namespace kvasir::logql {

struct PagedRow {
  ResultEntry entry;
  std::shared_ptr<const Labels> labels;
};

struct LogPage {
  std::vector<PagedRow> rows;
  bool last = true;                     // no page follows
  std::optional<EntryPosition> resume;  // where a later query goes on; empty: there is nothing more in the range
  bool ordered_by_field = false;
};

/// `<timestamp ns>-<sequence>`: names one entry of a tenant for ever.
std::string format_cursor(EntryPosition position);
/// Errors: invalid_argument.
Result<EntryPosition> parse_cursor(std::string_view text);

class LogPager {
 public:
  /// Null: the query does not give entries. Errors: parse.
  static Result<std::unique_ptr<LogPager>> open(QueryParams params, std::uint64_t page_bytes,
                                                std::optional<EntryPosition> after);
  /// params.limit counts over all pages. page_bytes 0: one page. REQUIRES: a log query without `let`.
  LogPager(QueryParams params, ExprPtr query, std::uint64_t page_bytes, std::optional<EntryPosition> after);
  ~LogPager();

  /// REQUIRES: the last page has not been given. The context may be a new one for each page.
  Result<LogPage> next(LogSource& source, QueryContext& context);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Rows with equal labels together, streams in the order of their labels' text; a page that is ordered by a field keeps
/// its order.
Streams group_streams(LogPage page);

}  // namespace kvasir::logql
