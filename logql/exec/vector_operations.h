// vector_operations.h -- what happens to series after the logs were read: aggregation, operators, label_replace.
//
// Shape:    StepVector in, StepVector out; each step is computed on its own.
// Errors:   vector matching: internal, worded as clients of the reference system expect (it answers them with 500 as
//           well).
// Threads:  free functions without state.
#pragma once

#include "common/result.h"
#include "logql/exec/step_series.h"
#include "logql/query_context.h"
#include "logql/syntax/ast.h"

namespace kvasir::logql {

/// The labels of a group: `by` keeps, `without` removes, no clause gives none.
Labels group_labels(const Labels& labels, const std::optional<Grouping>& grouping);

StepVector aggregate_vector(const VectorAggregation& node, StepVector operand, std::size_t steps);

Result<StepVector> combine_vectors(const BinaryOperation& node, const StepVector& left, const StepVector& right,
                                   std::size_t steps);

/// One side is a number.
StepVector combine_with_number(const BinaryOperation& node, StepVector vector, double number, bool number_is_left);

/// Charges what the labels grow by while it makes them. Errors: limit_exceeded, too.
Result<StepVector> replace_label(const LabelReplace& node, StepVector operand, QueryContext& context);

}  // namespace kvasir::logql
