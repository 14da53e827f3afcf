#include "ingest/line_scan.h"

#include <algorithm>
#include <cstring>

namespace kvasir::ingest {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<LogfmtPair> next_logfmt_pair(std::string_view& rest) {
  while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
  if (rest.empty()) return std::nullopt;
  std::size_t size = 0;
  while (size < rest.size() && rest[size] != '=' && !is_space(rest[size])) ++size;
  LogfmtPair pair{rest.substr(0, size), {}};
  rest.remove_prefix(size);
  if (!rest.starts_with('=')) return pair;
  rest.remove_prefix(1);
  if (rest.starts_with('"')) {
    std::size_t end = 1;
    while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
    end = std::min(end, rest.size());
    pair.value = rest.substr(1, end - 1);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return pair;
  }
  size = 0;
  while (size < rest.size() && !is_space(rest[size])) ++size;
  pair.value = rest.substr(0, size);
  rest.remove_prefix(size);
  return pair;
}

JsonStrings::JsonStrings(std::string_view text, std::uint64_t depth_max)
    : at_(text.data()), end_(at_ + text.size()), depth_max_(depth_max) {
  if (take('{')) depth_ = 1;
}

std::optional<JsonStrings::Member> JsonStrings::next() {
  while (depth_ > 0) {
    take(',');
    if (take('}')) {
      --depth_;
      continue;
    }
    const auto key = string();
    if (!key || !take(':')) return std::nullopt;
    skip_space();
    if (at_ == end_) return std::nullopt;
    if (*at_ == '"') {
      const auto value = string();
      if (!value) return std::nullopt;
      return Member{*key, *value};
    }
    if (*at_ == '{' && (depth_max_ == 0 || depth_ < depth_max_)) {
      ++at_;
      ++depth_;
    } else if (!skip_value()) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

void JsonStrings::skip_space() {
  while (at_ != end_ && is_space(*at_)) ++at_;
}

bool JsonStrings::take(char c) {
  skip_space();
  if (at_ == end_ || *at_ != c) return false;
  ++at_;
  return true;
}

std::optional<std::string_view> JsonStrings::string() {
  if (!take('"')) return std::nullopt;
  const char* const begin = at_;
  while (true) {
    const void* quote = std::memchr(at_, '"', static_cast<std::size_t>(end_ - at_));
    if (quote == nullptr) return std::nullopt;
    const char* found = static_cast<const char*>(quote);
    at_ = found + 1;
    std::size_t slashes = 0;
    while (found - slashes != begin && *(found - slashes - 1) == '\\') ++slashes;
    if (slashes % 2 == 0) return std::string_view(begin, static_cast<std::size_t>(found - begin));
  }
}

/// A number, a word, an array, or an object that is not entered.
bool JsonStrings::skip_value() {
  std::size_t open = 0;
  while (at_ != end_) {
    const char c = *at_;
    if (c == '"') {
      if (!string()) return false;
      continue;
    }
    const bool closes = c == '}' || c == ']';
    if (open == 0 && (closes || c == ',')) return true;
    if (closes) --open;
    if (c == '{' || c == '[') ++open;
    ++at_;
    if (closes && open == 0) return true;
  }
  return false;
}

}  // namespace kvasir::ingest
