// Stages that Promtail lacks and its users ask for: unpack, truncate, luhn.
#include <algorithm>

#include "common/number.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/json_scanner.h"
#include "promtail-agent/stages/line_regex.h"
#include "promtail-agent/stages/source_text.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

/// The reverse of pack: text members become labels, `_entry` the line.
class UnpackStage final : public Stage {
 public:
  explicit UnpackStage(LabelSetTable* sets) : sets_(sets) {}
  std::string_view name() const override { return "unpack"; }

  Verdict process(Entry& entry, EntrySink&) override {
    members_.clear();
    JsonScanner scanner(entry.line());
    scanner.skip_space();
    std::optional<std::string_view> line;
    const bool good = scanner.object([&](const JsonSpan& key, JsonScanner& inner) {
      JsonSpan value;
      if (!inner.value(value)) return false;
      if (value.type != JsonType::kString) return true;
      const std::string_view name = decode_json_string(key, entry.arena());
      const std::string_view text = decode_json_string(value, entry.arena());
      if (name == "_entry") line = text;
      else members_.push_back({name, text});
      return true;
    });
    scanner.skip_space();
    if (!good || !scanner.at_end() || !line) return Verdict::kPass;
    for (const LabelView& member : members_) {
      if (!is_label_name(member.name) || !is_utf8_line(member.value)) continue;
      entry.set_labels(sets_->with(entry.labels(), member.name, member.value));
      entry.extracted().set(member.name, Value::of(member.value));
    }
    entry.set_line(*line);
    return Verdict::kPass;
  }

 private:
  LabelSetTable* sets_;
  std::vector<LabelView> members_;
};

struct TruncateRule {
  enum class Field { kLine, kLabel, kMetadata } field = Field::kLine;
  std::string name;
  std::size_t limit = 0;
  std::string suffix;
};

class TruncateStage final : public Stage {
 public:
  TruncateStage(std::vector<TruncateRule> rules, LabelSetTable* sets) : rules_(std::move(rules)), sets_(sets) {}
  std::string_view name() const override { return "truncate"; }

  Verdict process(Entry& entry, EntrySink&) override {
    for (const TruncateRule& rule : rules_) apply(rule, entry);
    return Verdict::kPass;
  }

 private:
  using Field = TruncateRule::Field;

  void apply(const TruncateRule& rule, Entry& entry) {
    const std::string_view before = rule.field == Field::kLine    ? entry.line()
                                    : rule.field == Field::kLabel ? entry.labels()->labels.value_or_empty(rule.name)
                                                                  : entry.metadata_value(rule.name);
    if (before.size() <= rule.limit) return;
    text_.assign(before.substr(0, cut(before, rule.limit - std::min(rule.limit, rule.suffix.size()))));
    text_ += rule.suffix;
    if (rule.field == Field::kLine) entry.set_line_copy(text_);
    else if (rule.field == Field::kLabel) entry.set_labels(sets_->with(entry.labels(), rule.name, text_));
    else entry.set_metadata(rule.name, text_);
  }

  // Not inside a character.
  static std::size_t cut(std::string_view text, std::size_t at) {
    std::size_t begin = at;
    while (begin > 0 && at - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
    return begin;
  }

  std::vector<TruncateRule> rules_;
  LabelSetTable* sets_;
  std::string text_;
};

/// Masks digits that look like payment card numbers: right length, right check digit.
class LuhnStage final : public Stage {
 public:
  struct Options {
    std::string replacement;
    std::size_t min_length = 13;
    std::string delimiters;
  };
  LuhnStage(SourceText source, Options options) : source_(std::move(source)), options_(std::move(options)) {}
  std::string_view name() const override { return "luhn"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const auto text = source_.read(entry);
    if (!text || !mask(*text)) return Verdict::kPass;
    const std::string_view masked = entry.arena().copy(out_);
    if (source_.is_line()) entry.set_line(masked);
    else entry.extracted().set(source_.name(), Value::of(masked));
    return Verdict::kPass;
  }

 private:
  static constexpr std::size_t kDigitsMax = 19;

  bool mask(std::string_view text) {
    out_.clear();
    bool masked = false;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = run_end(text, at);
      if (end == at) {
        out_ += text[at++];
        continue;
      }
      const bool card = is_card(text.substr(at, end - at));
      out_ += card ? std::string_view(options_.replacement) : text.substr(at, end - at);
      masked = masked || card;
      at = end;
    }
    return masked;
  }

  static bool digit(char c) { return c >= '0' && c <= '9'; }

  // Digits, with single delimiters between them.
  std::size_t run_end(std::string_view text, std::size_t at) const {
    std::size_t end = at;
    while (end < text.size()) {
      const bool delimiter = end > at && options_.delimiters.find(text[end]) != std::string::npos &&
                             end + 1 < text.size() && digit(text[end + 1]);
      if (!digit(text[end]) && !delimiter) break;
      ++end;
    }
    return end;
  }

  bool is_card(std::string_view run) const {
    int sum = 0;
    std::size_t digits = 0;
    for (std::size_t i = run.size(); i-- > 0;) {
      if (!digit(run[i])) continue;
      const int doubled = (run[i] - '0') * (digits % 2 == 1 ? 2 : 1);
      sum += doubled > 9 ? doubled - 9 : doubled;
      ++digits;
    }
    return digits >= options_.min_length && digits <= kDigitsMax && sum % 10 == 0;
  }

  SourceText source_;
  Options options_;
  std::string out_;
};

Result<TruncateRule> read_rule(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  TruncateRule rule;
  const auto field = options.text("field", "line");
  const auto limit = options.text("limit", "");
  rule.suffix = options.text("suffix", "");
  const auto bytes = parse_base2_size(limit);
  if (!bytes || *bytes == 0) options.fault("limit", "truncate rule needs a limit in bytes, got '" + limit + "'");
  rule.limit = bytes.value_or(0);
  if (field.starts_with("label:")) {
    rule.field = TruncateRule::Field::kLabel;
    rule.name = field.substr(6);
  } else if (field.starts_with("structured_metadata:")) {
    rule.field = TruncateRule::Field::kMetadata;
    rule.name = field.substr(20);
  } else if (field != "line") {
    options.fault("field",
                  "truncate field should be line, label:<name> or structured_metadata:<name>, got '" + field + "'");
  }
  KVASIR_CHECK_OK(options.finish());
  return rule;
}

}  // namespace

StageResult make_unpack_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  KVASIR_CHECK_OK(options.finish());
  context.produces_any = true;
  return std::make_unique<UnpackStage>(context.stage.label_sets);
}

StageResult make_truncate_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  const YamlNode* list = options.find("rules");
  KVASIR_CHECK_OK(options.finish());
  if (list == nullptr || list->items.empty()) return invalid("truncate stage needs rules");
  std::vector<TruncateRule> rules;
  std::optional<Error> first;
  for (const YamlNode& item : list->items) {
    auto rule = read_rule(item, context);
    if (rule) rules.push_back(std::move(*rule));
    else if (!first) first = rule.error();
  }
  if (first) return fail(*first);
  return std::make_unique<TruncateStage>(std::move(rules), context.stage.label_sets);
}

StageResult make_luhn_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  auto source = SourceText::create(options.text("source"));
  if (!source) options.fault("source", source.error().message());
  LuhnStage::Options luhn;
  luhn.replacement = options.text("replacement", "**REDACTED**");
  luhn.delimiters = options.text("delimiters", "");
  const auto min_length = options.integer("min_length", 13);
  if (min_length < 1 || min_length > 19) options.fault("min_length", "luhn min_length must be between 1 and 19");
  KVASIR_CHECK_OK(options.finish());
  luhn.min_length = static_cast<std::size_t>(min_length);
  return std::make_unique<LuhnStage>(std::move(*source), std::move(luhn));
}

}  // namespace kvasir::agent
