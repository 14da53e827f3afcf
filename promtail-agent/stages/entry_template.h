// entry_template.h -- Go templates over an entry: .Value, .Entry, and every extracted key as text.
//
// Missing:  a key that is not extracted, or null, prints `<no value>`.
// Functions: docs/agent/stages.md lists them: Go's, Promtail's capitalised ones and Sprig's text functions.
// Threads:  one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "logql/pipeline/template/template.h"
#include "promtail-agent/stages/entry.h"

namespace kvasir::agent {

class EntryTemplate {
 public:
  /// Errors: parse, in Go's words.
  static Result<EntryTemplate> parse(std::string_view text);

  struct Data {
    std::optional<std::string_view> value;  // .Value
    bool line = false;                      // .Entry is there
  };
  /// Appends to `out`; false if the execution failed, and then `out` is of no use.
  bool render(const Entry& entry, const Data& data, std::string& out);

 private:
  explicit EntryTemplate(gotemplate::Template program);

  gotemplate::Template program_;
  std::unique_ptr<gotemplate::Environment> environment_;
};

}  // namespace kvasir::agent
