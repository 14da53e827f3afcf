// query_checks.h -- the checks of a query against a tenant's settings, before anything is read.
//
// Errors:   invalid_argument, limit_exceeded: the texts that clients know.
// Threads:  free functions.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"
#include "logql/engine.h"
#include "logql/syntax/ast.h"
#include "server/tenant_settings.h"

namespace kvasir::server {

/// metric, filter (a log query with stages), limited (a log query without).
std::string_view query_kind(const logql::Expr& expr);

Result<void> check_blocked(const logql::Expr& expr, std::string_view text, std::string_view tags,
                           const QuerySettings& settings);
/// Refuses `{}` where the tenant does not allow it.
Result<void> check_empty_selectors(const logql::Expr& expr, const QuerySettings& settings);
Result<void> check_matcher_count(const logql::Expr& expr, const QuerySettings& settings);
Result<void> check_required_labels(const logql::Expr& expr, const QuerySettings& settings);
Result<void> check_range_width(const logql::Expr& expr, const QuerySettings& settings);
/// What a query between two times `between` apart reads: with the largest range and offset of its aggregations. An
/// offset into the future counts as none.
Duration query_length(const logql::Expr& expr, Duration between);
Result<void> check_entry_limit(std::uint32_t limit, const QuerySettings& settings);

}  // namespace kvasir::server
