#include <algorithm>

#include "logql/pipeline/steps.h"
#include "logql/pipeline/template/template.h"

namespace kvasir::logql {

namespace {

using gotemplate::Template;
using gotemplate::Value;

// Values that labels had before the stage wrote them: what its later templates still see.
struct Overlay {
  struct Old {
    NameId name;
    std::optional<std::string_view> value;
  };
  std::vector<Old> old;

  const Old* find(NameId name) const {
    for (const Old& item : old) {
      if (item.name == name) return &item;
    }
    return nullptr;
  }
  void remember(NameId name, const LabelState& labels) {
    if (find(name) == nullptr) old.push_back({name, labels.get(name)});
  }
};

// The labels of an entry as the map that a template reads.
class LabelMap : public gotemplate::MapSource {
 public:
  LabelMap(const LabelState& labels, const Overlay* overlay) : labels_(labels), overlay_(overlay) {}

  std::optional<std::string_view> text(NameId id) const {
    if (id == kErrorName && !labels_.error().empty()) return labels_.error();
    if (id == kErrorDetailsName && !labels_.error_details().empty()) return labels_.error_details();
    if (overlay_ != nullptr) {
      if (const auto* old = overlay_->find(id)) return old->value;
    }
    return labels_.get(id);
  }

  std::optional<Value> find(std::string_view key) const override {
    const NameId id = labels_.names().find(key);
    const auto value = id == kNoName ? std::nullopt : text(id);
    return value ? std::optional<Value>(Value::string(*value)) : std::nullopt;
  }
  Value missing() const override { return Value::string({}); }
  void each(const std::function<bool(std::string_view, const Value&)>& visit) const override {
    for (const LabelView& pair : sorted()) {
      if (!visit(pair.name, Value::string(pair.value))) return;
    }
  }
  std::size_t size() const override { return sorted().size(); }

 private:
  std::vector<LabelView> sorted() const {
    std::vector<LabelView> pairs;
    const auto add = [&](NameId id, std::string_view value) { pairs.push_back({labels_.names().name(id), value}); };
    labels_.for_each([&](NameId id, std::string_view value, LabelCategory) {
      const bool shadowed = (id == kErrorName && !labels_.error().empty()) ||
                            (id == kErrorDetailsName && !labels_.error_details().empty());
      if (!shadowed && (overlay_ == nullptr || overlay_->find(id) == nullptr)) add(id, value);
    });
    if (overlay_ != nullptr) {
      for (const Overlay::Old& old : overlay_->old) {
        if (old.value) add(old.name, *old.value);
      }
    }
    if (!labels_.error().empty()) add(kErrorName, labels_.error());
    if (!labels_.error_details().empty()) add(kErrorDetailsName, labels_.error_details());
    std::sort(pairs.begin(), pairs.end());
    return pairs;
  }

  const LabelState& labels_;
  const Overlay* overlay_;
};

// A template with its field names resolved, when it is only text and fields.
class CompiledTemplate {
 public:
  static Result<CompiledTemplate> compile(std::string_view name, std::string_view text, NameTable& names,
                                          LabelReads& reads) {
    CompiledTemplate out;
    KVASIR_TRY(out.template_, Template::parse(name, text, gotemplate::logql_functions()));
    if (const auto& fields = out.template_->fields()) {
      reads.names.insert(reads.names.end(), fields->begin(), fields->end());
    } else {
      reads.all = true;
    }
    if (const auto* segments = out.template_->segments()) {
      out.is_simple_ = true;
      for (const auto& segment : *segments) {
        out.segments_.push_back({segment.is_field ? names.intern(segment.text) : kNoName, segment.text});
      }
    }
    return out;
  }

  // Gives the output in the arena.
  Result<std::string_view> run(EntryState& entry, const Overlay* overlay) const {
    const LabelMap map(entry.labels, overlay);
    std::string& out = entry.scratch;
    out.clear();
    if (is_simple_) {
      for (const Segment& segment : segments_) {
        out += segment.field == kNoName ? std::string_view(segment.text) : map.text(segment.field).value_or("");
      }
      return entry.arena.copy(out);
    }
    entry.environment.line = entry.line;
    entry.environment.timestamp = entry.timestamp;
    KVASIR_CHECK_OK(template_->execute(Value::map(&map), entry.environment, out));
    return entry.arena.copy(out);
  }

 private:
  struct Segment {
    NameId field;
    std::string text;
  };

  std::optional<Template> template_;
  std::vector<Segment> segments_;
  bool is_simple_ = false;
};

void template_failed(EntryState& entry, const Error& error) {
  entry.labels.set_error(kTemplateFormatError, entry.arena.copy(error.message()));
}

class LineFormatStep : public Step {
 public:
  explicit LineFormatStep(CompiledTemplate text) : template_(std::move(text)) {}

  bool apply(EntryState& entry) const override {
    const auto output = template_.run(entry, nullptr);
    if (output) {
      entry.line = *output;
    } else {
      template_failed(entry, output.error());
    }
    return true;
  }

 private:
  CompiledTemplate template_;
};

class LabelFormatStep : public Step {
 public:
  struct Item {
    NameId target;
    NameId source;  // of a rename
    std::optional<CompiledTemplate> text;
  };

  explicit LabelFormatStep(std::vector<Item> items) : items_(std::move(items)) {
    // Only writes that a later template of the stage could see need remembering.
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (items_[i].text) last_template_ = i;
    }
  }

  bool apply(EntryState& entry) const override {
    Overlay overlay;
    bool captured = false;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      captured |= items_[i].text.has_value();
      apply_item(entry, items_[i], captured && i < last_template_ ? &overlay : nullptr, overlay);
    }
    return true;
  }

 private:
  static void apply_item(EntryState& entry, const Item& item, Overlay* remember, const Overlay& overlay) {
    LabelState& labels = entry.labels;
    if (item.text) {
      const auto output = item.text->run(entry, &overlay);
      if (!output) return template_failed(entry, output.error());
      if (remember != nullptr) remember->remember(item.target, labels);
      labels.set(item.target, *output);
    } else if (const auto value = labels.get(item.source)) {
      if (remember != nullptr) {
        remember->remember(item.target, labels);
        remember->remember(item.source, labels);
      }
      labels.set(item.target, *value);
      labels.erase(item.source);
    }
  }

  std::vector<Item> items_;
  std::size_t last_template_ = 0;
};

}  // namespace

Result<StepPtr> make_line_format_step(const LineFormat& format, NameTable& names, LabelReads& reads) {
  auto text = CompiledTemplate::compile("line", format.text, names, reads);
  if (!text) return fail(text.error().with_context("invalid line template"));
  return std::make_unique<LineFormatStep>(std::move(*text));
}

Result<StepPtr> make_label_format_step(const LabelFormat& format, NameTable& names, LabelReads& reads) {
  std::vector<LabelFormatStep::Item> items;
  for (const LabelFormatItem& item : format.items) {
    if (item.target == "__error__") return fail(ErrorCode::kParse, "__error__ cannot be formatted");
    const NameId target = names.intern(item.target);
    for (const auto& earlier : items) {
      if (earlier.target != target) continue;
      return fail(ErrorCode::kParse,
                  "multiple label name '" + item.target + "' not allowed in a single format operation");
    }
    items.push_back({target, kNoName, std::nullopt});
    if (item.is_rename) {
      items.back().source = names.intern(item.source);
      reads.names.push_back(item.source);
      continue;
    }
    auto text = CompiledTemplate::compile("label", item.source, names, reads);
    if (!text) return fail(text.error().with_context("invalid template for label '" + item.target + "'"));
    items.back().text = std::move(*text);
  }
  return std::make_unique<LabelFormatStep>(std::move(items));
}

}  // namespace kvasir::logql
