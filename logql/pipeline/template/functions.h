// functions.h -- the functions a template may call. Sets are plugged together: Go's builtins, LogQL's, and whatever a
// caller adds (the agent's Sprig set).
//
// Signature: one letter a parameter: s string, i integer, f float, t time, a anything; a trailing `*` repeats the last
//            one. The executor checks counts and types and words the errors as Go does; a function sees checked
//            arguments.
// Errors:    a function's Error message appears as `error calling NAME: MESSAGE`.
// Threads:   a FunctionSet is immutable once built; functions keep no state.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "common/result.h"
#include "common/time.h"
#include "logql/pipeline/template/value.h"

namespace re2 {
class RE2;
}

namespace kvasir::gotemplate {

/// Compiled regexes by text, since templates may compute them.
class RegexCache {
 public:
  Result<std::shared_ptr<const re2::RE2>> get(std::string_view pattern);

 private:
  boost::unordered_flat_map<std::string, std::shared_ptr<const re2::RE2>> compiled_;
};

/// What functions can see besides their arguments; one per executing thread.
struct Environment {
  std::string_view line;                 // __line__
  TimestampNs timestamp;                 // __timestamp__
  std::optional<TimestampNs> now;        // the real clock when absent
  TimeZone zone = TimeZone::local();     // of `date`, `toDate`
  Heap heap;
  RegexCache regexes;
};

struct Call {
  std::span<const Value> arguments;
  Environment& environment;

  const Value& operator[](std::size_t i) const { return arguments[i]; }
  std::size_t size() const { return arguments.size(); }
  std::string_view text(std::size_t i) const { return arguments[i].as_string(); }
  std::int64_t integer(std::size_t i) const { return arguments[i].as_int(); }
  Value string(std::string_view text) const { return environment.heap.string(text); }
};

using FunctionBody = Result<Value> (*)(const Call& call);

struct Function {
  std::string_view signature;
  FunctionBody body = nullptr;
};

class FunctionSet {
 public:
  /// `name` must outlive the set (a literal).
  FunctionSet& add(std::string_view name, std::string_view signature, FunctionBody body);
  FunctionSet& add_all(const FunctionSet& other);
  const Function* find(std::string_view name) const;

 private:
  boost::unordered_flat_map<std::string_view, Function> functions_;
};

/// print, printf, eq, index ... (`and` and `or` are part of the language, since they stop early).
const FunctionSet& builtin_functions();
/// The capitalised functions and regex replacement, which LogQL and Promtail share.
const FunctionSet& shared_functions();
/// Everything that line_format and label_format know, builtins included.
const FunctionSet& logql_functions();

}  // namespace kvasir::gotemplate
