#include "logql/pipeline/pattern.h"

#include <algorithm>

namespace kvasir::logql {

namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_char(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

// Length of a `<name>` at the front; 0 if it is something else.
std::size_t capture_length(std::string_view text) {
  if (text.size() < 3 || text[0] != '<' || !is_name_start(text[1])) return 0;
  std::size_t end = 2;
  while (end < text.size() && is_name_char(text[end])) ++end;
  return end < text.size() && text[end] == '>' ? end + 1 : 0;
}

Unexpected refuse(std::string message) { return fail(ErrorCode::kParse, std::move(message)); }

Result<void> check_neighbours(const std::vector<Pattern::Part>& parts) {
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (!parts[i].is_capture || !parts[i - 1].is_capture) continue;
    return refuse("found consecutive capture '<" + parts[i - 1].text + "><" + parts[i].text + ">': invalid expression");
  }
  return {};
}

}  // namespace

std::vector<Pattern::Part> Pattern::split(std::string_view text) {
  std::vector<Part> parts;
  std::string literal;
  while (!text.empty()) {
    const std::size_t capture = capture_length(text);
    if (capture == 0) {
      literal += text[0];
      text.remove_prefix(1);
      continue;
    }
    if (!literal.empty()) parts.push_back({false, std::exchange(literal, {})});
    parts.push_back({true, std::string(text.substr(1, capture - 2))});
    text.remove_prefix(capture);
  }
  if (!literal.empty()) parts.push_back({false, std::move(literal)});
  return parts;
}

Result<Pattern> Pattern::for_parser(std::string_view text) {
  if (text.empty()) {
    return refuse("parse error at line 1, col 1: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL");
  }
  Pattern pattern;
  pattern.parts_ = split(text);
  std::vector<std::string_view> names;
  for (const Part& part : pattern.parts_) {
    if (part.is_named()) names.push_back(part.text);
  }
  if (names.empty()) return refuse("at least one capture is required");
  KVASIR_CHECK_OK(check_neighbours(pattern.parts_));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<std::ptrdiff_t>(i)) {
      return refuse("duplicate capture name (" + std::string(names[i]) + "): invalid expression");
    }
  }
  return pattern;
}

Result<Pattern> Pattern::for_filter(std::string_view text) {
  Pattern pattern;
  pattern.parts_ = split(text);
  for (const Part& part : pattern.parts_) {
    if (part.is_named()) return refuse("named captures are not allowed: found '<" + part.text + ">'");
  }
  KVASIR_CHECK_OK(check_neighbours(pattern.parts_));
  return pattern;
}

bool Pattern::matches(std::string_view line) const {
  if (parts_.empty() || line.empty()) return parts_.empty() && line.empty();
  std::size_t offset = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].is_capture) continue;
    const std::size_t at = find_bytes(line.substr(offset), parts_[i].text);
    if (at == std::string_view::npos || (i != 0 && at == 0)) return false;  // a wildcard takes at least one byte
    offset += at + parts_[i].text.size();
  }
  return parts_.back().is_capture ? offset < line.size() : offset == line.size();
}

}  // namespace kvasir::logql
