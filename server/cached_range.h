// cached_range.h -- answers a range query from parts that are cached, and evaluates only what is missing.
//
// Shape:    the steps of a query are cut at multiples of kPartSteps. A part may be kept when all its steps were
//           computed and every line that they read is in an immutable segment: none is in the head. It is of use as
//           long as the very same segments and delete requests are there, so a late line, a merge or a deletion is seen
//           at once. What is missing is evaluated in one piece.
// Law:      the answer is the one that evaluate() gives for the whole query.
// Threads:  one object per query.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/result.h"
#include "ingest/ingester.h"
#include "logql/engine.h"
#include "logql/syntax/ast.h"
#include "server/query_readings.h"
#include "server/result_cache.h"
#include "server/services.h"

namespace kvasir::server {

inline constexpr std::int64_t kPartSteps = 32;

/// True if each step can be computed by itself from the lines in its windows.
bool is_cacheable(const logql::Expr& expr, const logql::QueryParams& params);

class CachedRange {
 public:
  using Evaluate = std::function<Result<logql::QueryResult>(const logql::QueryParams&)>;

  /// REQUIRES: is_cacheable(). The references must outlive the object.
  CachedRange(const Services& services, const logql::Expr& expr, const logql::QueryParams& params);

  Result<logql::QueryResult> run(const Evaluate& evaluate);

 private:
  struct Part {
    std::int64_t first = 0;   // its steps, whether the query has them all or not
    std::int64_t last = 0;
    std::string key;
    std::optional<std::string> origin;  // absent: some line is in the head
    ResultCache::Part cached;
  };
  /// One moment of the tenant's data.
  struct Moment {
    ingest::TenantSnapshot snapshot;
    std::string deletes;
  };

  Moment look() const;
  std::optional<std::string> origin_of(const Part& part, const Moment& moment) const;
  void make_parts();
  void keep(const std::vector<logql::Series>& series) const;

  const Services& services_;
  const logql::QueryParams& params_;
  const std::string text_;
  const std::vector<Reading> readings_;
  Duration back_{0};      // the furthest that a step looks back
  Duration forward_{0};   // and forward, because of negative offsets
  std::int64_t step_;
  std::int64_t first_;
  std::int64_t last_;
  std::vector<Part> parts_;
};

}  // namespace kvasir::server
