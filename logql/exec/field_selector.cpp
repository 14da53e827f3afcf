#include "logql/exec/field_selector.h"

#include <algorithm>
#include <array>

namespace kvasir::logql {
namespace {

constexpr std::size_t kDecimalIdDigitsMin = 10;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool all_of(std::string_view text, bool (*accept)(char)) { return std::all_of(text.begin(), text.end(), accept); }

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

bool is_ulid(std::string_view text) {
  const auto crockford = [](char c) {
    return is_digit(c) || (c >= 'A' && c <= 'Z' && c != 'I' && c != 'L' && c != 'O' && c != 'U');
  };
  return text.size() == 26 && all_of(text, crockford);
}

bool contains_word(std::string_view line, std::string_view word) {
  for (auto at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    const auto end = at + word.size();
    if ((at == 0 || !is_word(line[at - 1])) && (end == line.size() || !is_word(line[end]))) return true;
  }
  return false;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kLevels = {{
    {"trace", "trace"}, {"trc", "trace"}, {"debug", "debug"}, {"dbg", "debug"}, {"info", "info"}, {"inf", "info"},
    {"information", "info"}, {"warning", "warn"}, {"warn", "warn"}, {"wrn", "warn"}, {"error", "error"}, {"err", "error"},
    {"critical", "critical"}, {"crit", "critical"}, {"fatal", "fatal"},
}};

/// The level that a spelling stands for, or empty.
std::string_view level_of(std::string_view text) {
  if (text.size() > 11) return {};
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const auto it = std::find_if(kLevels.begin(), kLevels.end(), [&](const auto& level) { return level.first == lower; });
  return it == kLevels.end() ? std::string_view() : it->second;
}

bool selects_by_level(const LabelMatcher& matcher) {
  return matcher.name() == "level" && matcher.op() == MatchOp::kEqual && !level_of(matcher.value()).empty();
}

Result<PipelineRunner> make_runner(Stage parser) {
  auto pipeline = Pipeline::compile(std::span(&parser, 1), nullptr, {});
  if (!pipeline) return fail(std::move(pipeline).error());
  return PipelineRunner(std::move(*pipeline));
}

}  // namespace

bool may_select_by_field(const LabelMatcher& matcher) {
  const bool positive = matcher.op() == MatchOp::kEqual || matcher.op() == MatchOp::kRegex;
  return positive && !matcher.matches_empty();
}

std::string field_selector_token(const LabelMatcher& matcher) {
  if (matcher.op() != MatchOp::kEqual || selects_by_level(matcher)) return {};
  return matcher.value();
}

bool looks_like_id(std::string_view value) {
  if (value.size() >= 16 && value.size() <= 32 && value.size() % 16 == 0 && all_of(value, is_hex)) return true;
  if (value.size() >= kDecimalIdDigitsMin && all_of(value, is_digit)) return true;
  return is_uuid(value) || is_ulid(value);
}

Result<std::unique_ptr<FieldSelector>> FieldSelector::create(std::span<const LabelMatcher> matchers) {
  static const Labels kNoLabels;
  auto selector = std::make_unique<FieldSelector>();
  for (const auto& matcher : matchers) {
    KVASIR_TRY(auto json, make_runner(JsonParser{}));
    KVASIR_TRY(auto logfmt, make_runner(LogfmtParser{}));
    const bool by_word = matcher.op() == MatchOp::kEqual && looks_like_id(matcher.value());
    selector->conditions_.push_back({matcher, selects_by_level(matcher), by_word, std::move(json), std::move(logfmt)});
  }
  for (auto& condition : selector->conditions_) {
    condition.json.bind(kNoLabels);
    condition.logfmt.bind(kNoLabels);
  }
  return selector;
}

bool FieldSelector::value_matches(const Condition& condition, std::string_view value) {
  if (condition.by_level) return level_of(value) == level_of(condition.matcher.value());
  return condition.matcher.matches(value);
}

bool FieldSelector::line_matches(Condition& condition, std::string_view line) {
  const LabelMatcher& matcher = condition.matcher;
  if (matcher.op() == MatchOp::kEqual && !condition.by_level && line.find(matcher.value()) == std::string_view::npos) {
    return false;
  }
  if (condition.by_word && contains_word(line, matcher.value())) return true;
  const auto start = line.find_first_not_of(" \t\r\n");
  const bool is_json = start != std::string_view::npos && line[start] == '{';
  PipelineRunner& parser = is_json ? condition.json : condition.logfmt;
  if (!parser.process({}, line, {})) return false;
  const auto value = parser.label(matcher.name());
  return value && value_matches(condition, *value);
}

bool FieldSelector::matches(std::string_view line, std::span<const LabelView> metadata) {
  return std::all_of(conditions_.begin(), conditions_.end(), [&](Condition& condition) {
    const auto& name = condition.matcher.name();
    const bool by_metadata = std::any_of(metadata.begin(), metadata.end(), [&](const LabelView& label) {
      return label.name == name && value_matches(condition, label.value);
    });
    return by_metadata || line_matches(condition, line);
  });
}

}  // namespace kvasir::logql
