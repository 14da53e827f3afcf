// The stages that work with templates: template and replace.
#include "promtail-agent/stages/entry_template.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/line_regex.h"
#include "promtail-agent/stages/source_text.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

class TemplateStage final : public Stage {
 public:
  TemplateStage(std::string source, EntryTemplate program) : source_(std::move(source)), program_(std::move(program)) {}
  std::string_view name() const override { return "template"; }

  Verdict process(Entry& entry, EntrySink&) override {
    NumberText scratch;
    const Value value = entry.extracted().get(source_);
    EntryTemplate::Data data{std::nullopt, true};
    if (value.has_text()) data.value = value_text(value, scratch);
    text_.clear();
    if (!program_.render(entry, data, text_)) return Verdict::kPass;
    if (text_.empty()) entry.extracted().erase(source_);
    else entry.extracted().set(source_, Value::of(entry.arena().copy(text_)));
    return Verdict::kPass;
  }

 private:
  std::string source_;
  EntryTemplate program_;
  std::string text_;
};

/// What groups are replaced by: a constant, or a template over the group's text.
class Replacement {
 public:
  /// Errors: those of a template.
  static Result<Replacement> parse(const std::string& text) {
    Replacement out;
    if (text.find("{{") == std::string::npos) {
      out.constant_ = text;
    } else {
      KVASIR_TRY(out.program_, EntryTemplate::parse(text));
    }
    return out;
  }
  bool append(const Entry& entry, std::string_view group, std::string& out) {
    if (program_) return program_->render(entry, {group, false}, out);
    out += constant_;
    return true;
  }

 private:
  std::string constant_;
  std::optional<EntryTemplate> program_;
};

class ReplaceStage final : public Stage {
 public:
  ReplaceStage(LineRegex regex, SourceText source, Replacement replacement)
      : regex_(std::move(regex)), source_(std::move(source)), replacement_(std::move(replacement)) {}
  std::string_view name() const override { return "replace"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const auto text = source_.read(entry);
    if (!text || !rewrite(*text, entry)) return Verdict::kPass;
    const std::string_view result = entry.arena().copy(out_);
    for (const auto& [name, replaced] : named_) entry.extracted().set(name, Value::of(replaced));
    if (source_.is_line()) entry.set_line(result);
    else entry.extracted().set(source_.name(), Value::of(result));
    return Verdict::kPass;
  }

 private:
  // False if nothing matches or a template fails.
  bool rewrite(std::string_view text, Entry& entry) {
    out_.clear();
    named_.clear();
    std::size_t done = 0;        // of the text, in out_
    std::size_t from = 0;        // where the search goes on
    std::size_t matches = 0;
    std::size_t match_end = std::string_view::npos;
    while (from <= text.size() && regex_.search(text, from, groups_, scratch_)) {
      const std::size_t begin = position(text, groups_[0]);
      const std::size_t end = begin + groups_[0].size();
      // As in Go, an empty match right behind another one does not count.
      const bool counts = end > begin || begin != match_end;
      if (counts && !replace_groups(text, entry, matches++ == 0, done)) return false;
      match_end = end;
      from = end > begin ? end : end + rune_length(text, end);
    }
    if (matches == 0) return false;
    out_ += text.substr(done);
    return true;
  }

  static std::size_t position(std::string_view text, std::string_view part) {
    return static_cast<std::size_t>(part.data() - text.data());
  }

  static std::size_t rune_length(std::string_view text, std::size_t at) {
    std::size_t length = 1;
    while (at + length < text.size() && (static_cast<unsigned char>(text[at + length]) & 0xc0) == 0x80 && length < 4)
      ++length;
    return length;
  }

  bool replace_groups(std::string_view text, Entry& entry, bool first_match, std::size_t& done) {
    for (std::size_t i = 1; i < groups_.size(); ++i) {
      const std::string_view group = groups_[i];
      if (group.data() == nullptr) continue;
      replaced_.clear();
      if (!replacement_.append(entry, group, replaced_)) return false;
      if (first_match) remember(static_cast<int>(i), entry);
      const std::size_t begin = position(text, group);
      if (begin < done) continue;  // inside a group that is replaced already
      out_ += text.substr(done, begin - done);
      out_ += replaced_;
      done = begin + group.size();
    }
    return true;
  }

  void remember(int group, Entry& entry) {
    for (const auto& [index, name] : regex_.named_groups())
      if (index == group) named_.emplace_back(name, entry.arena().copy(replaced_));
  }

  LineRegex regex_;
  SourceText source_;
  Replacement replacement_;
  std::vector<std::string_view> groups_;
  LineRegex::Scratch scratch_;
  std::vector<std::pair<std::string_view, std::string_view>> named_;
  std::string out_;
  std::string replaced_;
};

}  // namespace

StageResult make_template_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  auto source = options.text("source", "");
  const auto text = options.text("template", "");
  if (source.empty()) options.fault("source", "template source value is required");
  auto program = EntryTemplate::parse(text);
  if (!program) options.fault("template", program.error().message());
  KVASIR_CHECK_OK(options.finish());
  context.produced.insert(source);
  return std::make_unique<TemplateStage>(std::move(source), std::move(*program));
}

StageResult make_replace_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  const auto expression = options.text("expression", "");
  const auto source_name = options.text("source");
  const auto text = options.text("replace", "");
  auto source = SourceText::create(source_name);
  if (!source) options.fault("source", "empty source in replace stage");
  auto regex = LineRegex::compile(expression);
  if (expression.empty()) options.fault("expression", "expression is required");
  else if (!regex)
    options.fault("expression", "could not compile regular expression: " + regex.error().message());
  auto replacement = Replacement::parse(text);
  if (!replacement) options.fault("replace", replacement.error().message());
  KVASIR_CHECK_OK(options.finish());
  for (const auto& group : regex->named_groups()) context.produced.insert(group.name);
  if (regex->group_count() == 0)
    options.warn("the expression has no capture group, so nothing is replaced: put ( ) around what shall be");
  return std::make_unique<ReplaceStage>(std::move(*regex), std::move(*source), std::move(*replacement));
}

}  // namespace kvasir::agent
