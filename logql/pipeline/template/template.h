// template.h -- Go's text/template: parse once, execute per entry.
//
// Use:      Template::parse("line", text, logql_functions()); then execute(data, environment, out) for each entry.
// Errors:   parse errors as Go words them: `template: line:1: unclosed action`; execution errors likewise: `template:
//           line:1:4: executing "line" at <.a.z>: can't evaluate field z in type string`. After an execution error
//           `out` holds what was written so far; callers drop it.
// Limits:   kTemplateBytesMax of text, kNestingMax of blocks and calls, kOutputBytesMax of output.
// Threads:  a Template is immutable; an Environment belongs to one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "logql/pipeline/template/functions.h"
#include "logql/pipeline/template/value.h"

namespace kvasir::gotemplate {

inline constexpr std::size_t kTemplateBytesMax = 1 << 20;
inline constexpr std::size_t kOutputBytesMax = 16 << 20;
inline constexpr int kNestingMax = 200;

struct Program;  // the parsed tree, internal

class Template {
 public:
  /// `functions` must outlive the template.
  static Result<Template> parse(std::string_view name, std::string_view text, const FunctionSet& functions);

  /// Appends to `out`. Does not reset environment.heap: the caller does, once per entry.
  Result<void> execute(const Value& data, Environment& environment, std::string& out) const;

  /// The keys of the root map that an execution may read, or nothing if it may read any of them (`index . "x"`, `range
  /// .`).
  const std::optional<std::vector<std::string>>& fields() const;
  /// Set if the template is only text and fields of the root, `{{.a}} and {{.b}}`: callers may then do without
  /// execute().
  struct Segment {
    bool is_field = false;
    std::string text;  // or the name of the field
  };
  const std::vector<Segment>* segments() const;

 private:
  std::shared_ptr<const Program> program_;
};

}  // namespace kvasir::gotemplate
