#include "logql/pipeline/template/regex_functions.h"

#include <vector>

#include "common/number.h"
#include "common/regex.h"
#include "common/utf8.h"

namespace kvasir::gotemplate {

namespace {

using Groups = std::vector<re2::StringPiece>;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Calls on_match(groups) for every match, left to right. An empty match right behind the last one does not count.
template <class OnMatch>
void for_each_match(const re2::RE2& regex, std::string_view original, OnMatch&& on_match) {
  const RegexSubject subject(original);
  const re2::StringPiece whole = subject.text();
  const std::string_view text(whole.data(), whole.size());
  Groups groups(static_cast<std::size_t>(regex.NumberOfCapturingGroups()) + 1);
  std::size_t at = 0;
  std::size_t last_end = std::string_view::npos;
  while (at <= text.size()) {
    if (!regex.Match(whole, at, text.size(), re2::RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size())))
      return;
    const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
    const std::size_t end = begin + groups[0].size();
    if (end != begin || begin != last_end) {
      for (auto& group : groups) group = subject.original(group);
      on_match(groups);
    }
    last_end = end;
    at = end > at ? end : at + (at < text.size() ? decode_utf8(text.substr(at)).length : 1);
    if (end == begin && end > 0 && at == end) at += end < text.size() ? decode_utf8(text.substr(end)).length : 1;
  }
}

void append_group(std::string& out, const re2::RE2& regex, const Groups& groups, std::string_view name) {
  std::size_t index = groups.size();
  if (const auto number = parse_uint64(name)) {
    index = *number;
  } else if (const auto found = regex.NamedCapturingGroups().find(std::string(name));
             found != regex.NamedCapturingGroups().end()) {
    index = static_cast<std::size_t>(found->second);
  }
  if (index < groups.size())
    out.append(groups[index].data() == nullptr ? "" : groups[index].data(), groups[index].size());
}

void expand(std::string& out, std::string_view replacement, const re2::RE2& regex, const Groups& groups) {
  while (!replacement.empty()) {
    const std::size_t dollar = replacement.find('$');
    out += replacement.substr(0, dollar);
    if (dollar == std::string_view::npos) return;
    replacement.remove_prefix(dollar + 1);
    if (!replacement.empty() && replacement[0] == '$') {
      out += '$';
      replacement.remove_prefix(1);
      continue;
    }
    const bool braced = !replacement.empty() && replacement[0] == '{';
    std::size_t end = braced ? 1 : 0;
    while (end < replacement.size() && is_name_char(replacement[end])) ++end;
    const auto name = replacement.substr(braced ? 1 : 0, end - (braced ? 1 : 0));
    if (name.empty() || (braced && (end >= replacement.size() || replacement[end] != '}'))) {
      out += '$';  // not a reference
      continue;
    }
    append_group(out, regex, groups, name);
    replacement.remove_prefix(end + (braced ? 1 : 0));
  }
}

template <class Append>
std::string replace_all(const re2::RE2& regex, std::string_view text, const Append& append) {
  std::string out;
  std::size_t copied = 0;
  for_each_match(regex, text, [&](const Groups& groups) {
    const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
    out += text.substr(copied, begin - copied);
    append(out, groups);
    copied = begin + groups[0].size();
  });
  return out += text.substr(copied);
}

}  // namespace

std::string regex_replace_all(const re2::RE2& regex, std::string_view text, std::string_view replacement) {
  return replace_all(regex, text,
                     [&](std::string& out, const Groups& groups) { expand(out, replacement, regex, groups); });
}

std::string regex_replace_all_literal(const re2::RE2& regex, std::string_view text, std::string_view replacement) {
  return replace_all(regex, text, [&](std::string& out, const Groups&) { out += replacement; });
}

std::int64_t regex_count(const re2::RE2& regex, std::string_view text) {
  std::int64_t count = 0;
  for_each_match(regex, text, [&](const Groups&) { ++count; });
  return count;
}

}  // namespace kvasir::gotemplate
