#include <charconv>
#include <map>
#include <utility>

#include <re2/re2.h>

#include "common/regex.h"
#include "logql/exec/vector_operations.h"

namespace kvasir::logql {
namespace {

bool is_name_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// `$1`, `${name}`, `$$`: as Go's regexp expands them. An unknown group is empty, a `$` that starts nothing stands for
/// itself.
class Expansion {
 public:
  Expansion(std::string_view text, const re2::RE2& regex) {
    while (!text.empty()) {
      const auto dollar = text.find('$');
      add_text(text.substr(0, dollar));
      if (dollar == std::string_view::npos) return;
      text.remove_prefix(dollar + 1);
      text.remove_prefix(take_reference(text, regex));
    }
  }

  std::string apply(const std::vector<std::string_view>& groups) const {
    std::string out;
    for (const auto& part : parts_) {
      if (!part.group) {
        out += part.text;
      } else if (*part.group < groups.size()) {
        out += groups[*part.group];
      }
    }
    return out;
  }

 private:
  struct Part {
    std::optional<std::size_t> group;
    std::string text;
  };

  void add_text(std::string_view text) {
    if (!text.empty()) parts_.push_back({std::nullopt, std::string(text)});
  }

  /// What follows a dollar; gives how much of it was taken.
  std::size_t take_reference(std::string_view text, const re2::RE2& regex) {
    if (text.starts_with('$')) {
      add_text("$");
      return 1;
    }
    const bool braced = text.starts_with('{');
    const std::size_t begin = braced ? 1 : 0;
    std::size_t end = begin;
    while (end < text.size() && is_name_character(text[end])) ++end;
    const bool closed = !braced || (end < text.size() && text[end] == '}');
    if (end == begin || !closed) {
      add_text("$");
      return 0;
    }
    parts_.push_back({group_index(text.substr(begin, end - begin), regex), {}});
    return end + (braced ? 1 : 0);
  }

  static std::size_t group_index(std::string_view name, const re2::RE2& regex) {
    constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    std::size_t index = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (rest == name.data() + name.size()) return error == std::errc() ? index : kNone;
    const auto& groups = regex.NamedCapturingGroups();
    const auto it = groups.find(std::string(name));
    return it == groups.end() ? kNone : static_cast<std::size_t>(it->second);
  }

  std::vector<Part> parts_;
};

constexpr std::uint64_t kChargedAtOnce = 64 << 10;  // what grows uncharged

/// By how much a label with this value is larger than the one that is there.
std::uint64_t growth(const Labels& labels, const std::string& name, const std::string& value) {
  const auto old = labels.get(name);
  if (!old) return sizeof(Label) + name.size() + value.size();
  return value.size() > old->size() ? value.size() - old->size() : 0;
}

}  // namespace

Result<StepVector> replace_label(const LabelReplace& node, StepVector operand, QueryContext& context) {
  KVASIR_TRY(const auto regex, compile_regex("^(?:" + node.regex + ")$", {}));
  const Expansion expansion(node.replacement, *regex);
  const auto groups = static_cast<std::size_t>(regex->NumberOfCapturingGroups()) + 1;
  std::vector<re2::StringPiece> found(groups);
  std::uint64_t grown = 0;
  for (auto& series : operand) {
    const std::string value(series.labels.value_or_empty(node.source));
    const RegexSubject subject(value);
    const auto text = subject.text();
    if (!regex->Match(text, 0, text.size(), re2::RE2::UNANCHORED, found.data(), static_cast<int>(groups))) continue;
    std::vector<std::string_view> texts;
    for (const auto& piece : found) texts.emplace_back(subject.original(piece).data(), subject.original(piece).size());
    const std::string replaced = expansion.apply(texts);
    if (!replaced.empty()) grown += growth(series.labels, node.target, replaced);
    if (grown >= kChargedAtOnce) KVASIR_CHECK_OK(context.keep_bytes(std::exchange(grown, 0)));
    replaced.empty() ? series.labels.erase(node.target) : series.labels.set(node.target, replaced);
  }
  KVASIR_CHECK_OK(context.keep_bytes(grown));
  return operand;
}

}  // namespace kvasir::logql
