// conversions.h -- how Sprig reads its arguments: any value as a number, as text, as a list.
//
// Lifetime: as template values.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"
#include "logql/pipeline/template/functions.h"

namespace kvasir::agent::sprig {

using gotemplate::Call;
using gotemplate::FunctionSet;
using gotemplate::List;
using gotemplate::Value;
using Kind = gotemplate::Value::Kind;
using Answer = Result<Value>;

/// As printing shows it.
std::string to_text(const Value& value);

/// Errors: invalid_argument, if the value is not a list.
Result<const List*> need_list(const Value& value, const char* function);
Result<const gotemplate::MapSource*> need_map(const Value& value, const char* function);

Value new_list(const Call& call, List items);
inline Unexpected wrong(std::string text) { return fail(ErrorCode::kInvalidArgument, std::move(text)); }

// Each adds the functions of one kind.
void add_string_functions(FunctionSet& set);
void add_number_functions(FunctionSet& set);
void add_list_functions(FunctionSet& set);
void add_codec_functions(FunctionSet& set);
void add_time_functions(FunctionSet& set);

}  // namespace kvasir::agent::sprig
