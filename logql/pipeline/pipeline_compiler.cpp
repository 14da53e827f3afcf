#include "logql/pipeline/pipeline_compiler.h"

#include <algorithm>

#include "logql/pipeline/steps.h"
#include "logql/syntax/printer.h"

namespace kvasir::logql {

namespace {

template <class T>
bool is(const Stage& stage) {
  return std::holds_alternative<T>(stage);
}

bool is_parser(const Stage& stage) {
  return is<JsonParser>(stage) || is<LogfmtParser>(stage) || is<RegexpParser>(stage) || is<PatternParser>(stage);
}

bool calls_line(const std::string& text) { return text.find("__line__") != std::string::npos; }

bool reads_the_line(const Stage& stage) {
  if (const auto* format = std::get_if<LineFormat>(&stage)) return calls_line(format->text);
  if (const auto* format = std::get_if<LabelFormat>(&stage)) {
    return std::any_of(format->items.begin(), format->items.end(),
                       [](const LabelFormatItem& i) { return calls_line(i.source); });
  }
  return is_parser(stage) || is<LineFilter>(stage) || is<UnpackParser>(stage) || is<Decolorize>(stage);
}

bool changes_the_line(const Stage& stage) {
  return is<LineFormat>(stage) || is<UnpackParser>(stage) || is<Decolorize>(stage);
}

// One step to be: the stage, and whether it will run.
struct Planned {
  const Stage* stage;
  StepPtr step;
  LabelReads reads;
};

void collect_reads(const Stage& stage, LabelReads& reads) {
  if (const auto* filter = std::get_if<LabelFilter>(&stage)) collect_filter_names(*filter, reads.names);
  const auto add_items = [&](const std::vector<NameOrMatcher>& items) {
    for (const NameOrMatcher& item : items) {
      if (item.matcher != nullptr) reads.names.push_back(item.name);
    }
  };
  if (const auto* drop = std::get_if<Drop>(&stage)) add_items(drop->items);
  if (const auto* keep = std::get_if<Keep>(&stage)) add_items(keep->items);
}

Result<StepPtr> make_json(const JsonParser& parser, NameTable& names) {
  if (!parser.extractions.empty()) return make_json_extraction_step(parser, names);
  return make_json_step();
}

Result<StepPtr> make_logfmt(const LogfmtParser& parser, NameTable& names) {
  if (!parser.extractions.empty()) return make_logfmt_extraction_step(parser, names);
  return make_logfmt_step(parser);
}

Result<StepPtr> make_step(const Stage& stage, const PipelineOptions& options, NameTable& names, LabelReads& reads) {
  if (const auto* filter = std::get_if<LineFilter>(&stage)) {
    return make_line_filter_step(*filter, options.regex_literals);
  }
  if (const auto* json = std::get_if<JsonParser>(&stage)) return make_json(*json, names);
  if (const auto* logfmt = std::get_if<LogfmtParser>(&stage)) return make_logfmt(*logfmt, names);
  if (const auto* regexp = std::get_if<RegexpParser>(&stage)) return make_regexp_step(*regexp);
  if (const auto* pattern = std::get_if<PatternParser>(&stage)) return make_pattern_step(*pattern);
  if (const auto* filter = std::get_if<LabelFilter>(&stage)) return make_label_filter_step(*filter, names);
  if (const auto* format = std::get_if<LineFormat>(&stage)) return make_line_format_step(*format, names, reads);
  if (const auto* format = std::get_if<LabelFormat>(&stage)) return make_label_format_step(*format, names, reads);
  if (const auto* drop = std::get_if<Drop>(&stage)) return make_drop_step(*drop, names);
  if (const auto* keep = std::get_if<Keep>(&stage)) return make_keep_step(*keep, names);
  if (is<UnpackParser>(stage)) return make_unpack_step(true);
  return make_decolorize_step();
}

class Compiler {
 public:
  explicit Compiler(PipelineOptions options) : out_(std::make_unique<CompiledPipeline>()) {
    out_->options = std::move(options);
  }

  Result<std::unique_ptr<CompiledPipeline>> run(std::span<const Stage> stages, const Unwrap* unwrap) {
    KVASIR_CHECK_OK(make_steps(stages));
    KVASIR_CHECK_OK(make_unwrap(unwrap));
    leave_out_unread_formats();
    decide_needed_names();
    leave_out_unread_parsers();
    move_line_filters_forward();
    while (out_->line_filters < planned_.size() && is<LineFilter>(*planned_[out_->line_filters].stage))
      ++out_->line_filters;
    for (Planned& planned : planned_) {
      out_->reads_line |= reads_the_line(*planned.stage);
      out_->changes_line |= changes_the_line(*planned.stage);
      out_->steps.push_back(std::move(planned.step));
      out_->stage_of.push_back(static_cast<std::size_t>(planned.stage - stages.data()));
    }
    for (StepPtr& step : unwrap_steps_) out_->steps.push_back(std::move(step));
    out_->stages = stages.size();
    out_->stage_of.resize(out_->steps.size(), stages.size());
    return std::move(out_);
  }

 private:
  Result<void> make_steps(std::span<const Stage> stages) {
    for (const Stage& stage : stages) {
      Planned planned{&stage, nullptr, {}};
      auto step = make_step(stage, out_->options, out_->names, planned.reads);
      if (!step)
        return fail(ErrorCode::kParse, "parse error : stage '" + print_stage(stage) + "' : " + step.error().message());
      planned.step = std::move(*step);
      collect_reads(stage, planned.reads);
      planned_.push_back(std::move(planned));
    }
    return {};
  }

  Result<void> make_unwrap(const Unwrap* unwrap) {
    if (unwrap == nullptr) return {};
    out_->unwrap_label = out_->names.intern(unwrap->label);
    unwrap_reads_.names.push_back(unwrap->label);
    unwrap_steps_.push_back(make_unwrap_step(*unwrap, out_->names));
    for (const LabelFilter& filter : unwrap->post_filters) {
      auto step = make_label_filter_step(filter, out_->names);
      if (!step) {
        return fail(ErrorCode::kParse,
                    "parse error : stage '| " + print_filter(filter) + "' : " + step.error().message());
      }
      unwrap_steps_.push_back(std::move(*step));
      collect_filter_names(filter, unwrap_reads_.names);
    }
    return {};
  }

  // When nobody reads the final line, a line_format or decolorize with no reader behind it has nothing to do.
  void leave_out_unread_formats() {
    bool line_is_read = out_->options.needs_line;
    for (std::size_t i = planned_.size(); i-- > 0;) {
      const Stage& stage = *planned_[i].stage;
      if (!line_is_read && (is<LineFormat>(stage) || is<Decolorize>(stage))) {
        planned_.erase(planned_.begin() + static_cast<std::ptrdiff_t>(i));
        continue;
      }
      line_is_read |= reads_the_line(stage);
    }
  }

  void decide_needed_names() {
    NeededNames& needed = out_->needed;
    const ResultGrouping& grouping = out_->options.grouping;
    for (const std::string& label : grouping.labels) out_->grouping.push_back(out_->names.intern(label));
    needed.restricted = out_->options.only_needed_labels && grouping.kind == ResultGrouping::Kind::kBy;
    needed.names = grouping.labels;
    for (const Planned& planned : planned_) add_reads(planned.reads);
    add_reads(unwrap_reads_);
    std::sort(needed.names.begin(), needed.names.end());
    needed.names.erase(std::unique(needed.names.begin(), needed.names.end()), needed.names.end());
    if (!needed.restricted) return;
    out_->reads_metadata = !needed.names.empty();
    const bool has_error = needed.needs("__error__") || needed.needs("__error_details__");
    for (const std::string& name : needed.names) {
      if (!has_error) out_->wanted.push_back(out_->names.intern(name));
    }
  }

  void add_reads(const LabelReads& reads) {
    out_->needed.names.insert(out_->needed.names.end(), reads.names.begin(), reads.names.end());
    if (reads.all) out_->needed.restricted = false;
  }

  // With no label needed at all a parser has nothing to find. `unpack` still replaces the line.
  void leave_out_unread_parsers() {
    const NeededNames& needed = out_->needed;
    if (!needed.restricted || !needed.names.empty()) return;
    std::erase_if(planned_, [](const Planned& planned) { return is_parser(*planned.stage); });
    for (Planned& planned : planned_) {
      if (is<UnpackParser>(*planned.stage)) planned.step = make_unpack_step(false);
    }
  }

  // A line filter is cheap and only reads the line, so it runs before whatever leaves the line alone.
  void move_line_filters_forward() {
    std::size_t to = 0;
    for (std::size_t i = 0; i < planned_.size(); ++i) {
      if (changes_the_line(*planned_[i].stage)) to = i + 1;
      if (!is<LineFilter>(*planned_[i].stage)) continue;
      const auto begin = planned_.begin();
      std::rotate(begin + static_cast<std::ptrdiff_t>(to), begin + static_cast<std::ptrdiff_t>(i),
                  begin + static_cast<std::ptrdiff_t>(i) + 1);
      ++to;
    }
  }

  std::unique_ptr<CompiledPipeline> out_;
  std::vector<Planned> planned_;
  std::vector<StepPtr> unwrap_steps_;
  LabelReads unwrap_reads_;
};

}  // namespace

Result<std::unique_ptr<CompiledPipeline>> compile_pipeline(std::span<const Stage> stages, const Unwrap* unwrap,
                                                           PipelineOptions options) {
  return Compiler(std::move(options)).run(stages, unwrap);
}

}  // namespace kvasir::logql
