// The stages that rewrite the line: output, decolorize, pack.
#include <algorithm>

#include "common/json_writer.h"
#include "common/regex.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

class OutputStage final : public Stage {
 public:
  explicit OutputStage(std::string source) : source_(std::move(source)) {}
  std::string_view name() const override { return "output"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const Value value = entry.extracted().get(source_);
    if (!value.has_text()) return Verdict::kPass;
    if (value.kind == ValueKind::kString) {
      entry.set_line(value.text);
    } else {
      NumberText scratch;
      entry.set_line_copy(value_text(value, scratch));
    }
    return Verdict::kPass;
  }

 private:
  std::string source_;
};

// ANSI escape sequences: colours, cursor movements, window titles. \x9B is the character U+009B.
constexpr std::string_view kEscapePattern =
    R"([\x1B\x9B][[\]()#;?]*(?:(?:(?:[a-zA-Z\d]*(?:;[a-zA-Z\d]*)*)?\x07)|)"
    R"((?:(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PRZcf-ntqry=><~])))";

class DecolorizeStage final : public Stage {
 public:
  explicit DecolorizeStage(std::shared_ptr<const re2::RE2> escape) : escape_(std::move(escape)) {}
  std::string_view name() const override { return "decolorize"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const std::string_view line = entry.line();
    if (line.find('\x1b') == std::string_view::npos && line.find("\xc2\x9b") == std::string_view::npos)
      return Verdict::kPass;
    text_.assign(line);
    if (re2::RE2::GlobalReplace(&text_, *escape_, "") > 0) entry.set_line_copy(text_);
    return Verdict::kPass;
  }

 private:
  std::shared_ptr<const re2::RE2> escape_;
  std::string text_;
};

class PackStage final : public Stage {
 public:
  PackStage(std::vector<std::string> names, bool ingest_timestamp, const StageContext& context)
      : names_(std::move(names)),
        ingest_timestamp_(ingest_timestamp),
        clock_(*context.clock),
        sets_(context.label_sets) {}
  std::string_view name() const override { return "pack"; }

  Verdict process(Entry& entry, EntrySink&) override {
    NumberText scratch;
    text_.assign("{");
    for (const std::string& name : names_) {
      const Value value = entry.extracted().get(name);
      if (!value.has_text()) continue;
      append_json_string(text_, name);
      text_ += ':';
      append_json_string(text_, value_text(value, scratch));
      text_ += ',';
      entry.set_labels(sets_->without(entry.labels(), name));
    }
    text_ += "\"_entry\":";
    append_json_string(text_, entry.line());
    text_ += '}';
    entry.set_line_copy(text_);
    if (ingest_timestamp_) {
      entry.set_timestamp(clock_.now());
      entry.set_zone_offset(0);
    }
    return Verdict::kPass;
  }

 private:
  std::vector<std::string> names_;  // ascending
  bool ingest_timestamp_;
  const Clock& clock_;
  LabelSetTable* sets_;
  std::string text_;
};

}  // namespace

StageResult make_output_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  auto source = options.text("source", "");
  KVASIR_CHECK_OK(options.finish());
  if (source.empty()) return invalid("output source value is required if output is specified");
  return std::make_unique<OutputStage>(std::move(source));
}

StageResult make_decolorize_stage(const YamlNode&, BuildContext&) {
  KVASIR_TRY(auto escape, compile_regex(kEscapePattern, {}));
  return std::make_unique<DecolorizeStage>(std::move(escape));
}

StageResult make_pack_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  auto names = options.texts("labels");
  const bool ingest_timestamp = options.flag("ingest_timestamp", true);
  KVASIR_CHECK_OK(options.finish());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return std::make_unique<PackStage>(std::move(names), ingest_timestamp, context.stage);
}

}  // namespace kvasir::agent
