// pattern.h -- `<ip> - <_> "<method> <path>"`: literals and captures, for the pattern parser and the pattern filter.
//
// Errors:   parse; texts as Loki words them: `found consecutive capture '<a><b>': invalid expression`.
// Threads:  a Pattern is immutable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/find_bytes.h"
#include "common/result.h"

namespace kvasir::logql {

class Pattern {
 public:
  struct Part {
    bool is_capture = false;
    std::string text;  // the literal, or the name of the capture; `_` captures nothing
    bool is_named() const { return is_capture && text != "_"; }
  };

  /// For the parser stage: at least one named capture, names unique, no two captures side by side.
  static Result<Pattern> for_parser(std::string_view text);
  /// For the filter: only `<_>`, no two side by side. May be empty.
  static Result<Pattern> for_filter(std::string_view text);

  const std::vector<Part>& parts() const { return parts_; }

  /// The filter's question: does the line fit? One greedy scan; a leading literal may stand anywhere.
  bool matches(std::string_view line) const;

  /// The parser's: calls take(index of the named capture, text) for each capture it finds, in order, until it gives
  /// false.
  template <class Take>
  void extract(std::string_view line, Take&& take) const;

 private:
  static std::vector<Part> split(std::string_view text);

  std::vector<Part> parts_;
};

template <class Take>
void Pattern::extract(std::string_view line, Take&& take) const {
  std::size_t i = 0;
  if (!parts_[0].is_capture) {
    const std::string& literal = parts_[0].text;
    if (line.substr(0, literal.size()) != literal) return;
    line.remove_prefix(literal.size());
    i = 1;
  }
  std::size_t named = 0;
  for (; i < parts_.size(); i += 2) {  // a capture, then its literal
    const Part& part = parts_[i];
    const std::size_t end = i + 1 < parts_.size() ? find_bytes(line, parts_[i + 1].text) : std::string_view::npos;
    const auto text = line.substr(0, end);
    if (part.is_named() && !take(named++, text)) return;
    if (end == std::string_view::npos) return;
    line.remove_prefix(end + parts_[i + 1].text.size());
  }
}

}  // namespace kvasir::logql
