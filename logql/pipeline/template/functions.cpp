#include "logql/pipeline/template/functions.h"

#include <re2/re2.h>

#include "common/regex.h"

namespace kvasir::gotemplate {

namespace {
constexpr std::size_t kRegexesMax = 256;  // per environment; templates that compute more start afresh
}

Result<std::shared_ptr<const re2::RE2>> RegexCache::get(std::string_view pattern) {
  std::string key(pattern);
  if (const auto found = compiled_.find(key); found != compiled_.end()) return found->second;
  KVASIR_TRY(auto regex, compile_regex(pattern, {}));
  if (compiled_.size() >= kRegexesMax) compiled_.clear();
  compiled_.emplace(std::move(key), regex);
  return regex;
}

FunctionSet& FunctionSet::add(std::string_view name, std::string_view signature, FunctionBody body) {
  functions_[name] = Function{signature, body};
  return *this;
}

FunctionSet& FunctionSet::add_all(const FunctionSet& other) {
  for (const auto& [name, function] : other.functions_) functions_[name] = function;
  return *this;
}

const Function* FunctionSet::find(std::string_view name) const {
  const auto found = functions_.find(name);
  return found == functions_.end() ? nullptr : &found->second;
}

}  // namespace kvasir::gotemplate
