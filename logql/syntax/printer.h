// printer.h -- a tree back to text.
//
// Law:      parse(print(q)) is the same tree and print is stable on it.
// Use:      print_stage() is the text that stage errors quote; format_query() is what the formatting endpoint answers.
#pragma once

#include <string>

#include "logql/syntax/ast.h"

namespace kvasir::logql {

/// One line, canonical.
std::string print(const Expr& expr);
std::string print(const Selector& selector);
std::string print(const LogQuery& query);
/// `| json a="b"`, `|= "x" or "y"`.
std::string print_stage(const Stage& stage);
std::string print_unwrap(const Unwrap& unwrap);
/// The label filter without the leading `| `.
std::string print_filter(const LabelFilter& filter);

/// `quantile(0.99, took)`: what a column of stats is named without `as`.
std::string print_stats_call(const StatsColumn& column);

/// As print(), but stages and operands of a long query stand on lines of their own.
std::string format_query(const Expr& expr);

/// Largest units first: 1w, 1h30m, 0s.
std::string print_range_duration(Duration duration);

}  // namespace kvasir::logql
