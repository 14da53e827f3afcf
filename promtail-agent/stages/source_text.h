// source_text.h -- what json, logfmt, regex and replace read: the line, or an extracted value as text.
//
// Lifetime: the view lives as long as the entry's pass.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "promtail-agent/stages/entry.h"

namespace kvasir::agent {

class SourceText {
 public:
  SourceText() = default;
  /// An empty name is the error `empty source`.
  static Result<SourceText> create(std::optional<std::string> name) {
    if (name && name->empty()) return fail(ErrorCode::kInvalidArgument, "empty source");
    SourceText out;
    out.name_ = std::move(name);
    return out;
  }

  bool is_line() const { return !name_; }
  const std::string& name() const { return *name_; }

  /// Nothing if the key is missing or null.
  std::optional<std::string_view> read(Entry& entry) const {
    if (!name_) return entry.line();
    const Value value = entry.extracted().get(*name_);
    if (!value.has_text()) return std::nullopt;
    NumberText scratch;
    const std::string_view text = value_text(value, scratch);
    const bool in_scratch = text.data() == static_cast<const char*>(scratch);
    return in_scratch ? entry.arena().copy(text) : text;
  }

 private:
  std::optional<std::string> name_;
};

}  // namespace kvasir::agent
