// The json stage: values of a JSON document by JMESPath. Expressions that are plain paths are found in one pass over
// the text; the others look at a tree of the document.
#include <algorithm>

#include "promtail-agent/stages/drop_counter.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/jmespath/expression.h"
#include "promtail-agent/stages/json_tree.h"
#include "promtail-agent/stages/source_text.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

/// Plain paths as a tree of names.
struct PathNode {
  std::string key;
  std::vector<std::size_t> outputs;  // expressions that end here
  std::vector<PathNode> children;

  PathNode& child(const std::string& name) {
    for (PathNode& node : children)
      if (node.key == name) return node;
    return children.emplace_back(PathNode{name, {}, {}});
  }
  const PathNode* find(std::string_view name) const {
    for (const PathNode& node : children)
      if (node.key == name) return &node;
    return nullptr;
  }
};

struct Output {
  std::string name;
  std::optional<jmespath::Expression> complex;  // empty: in the tree of paths
};

/// `extract_all`: every key of the document, those of nested objects joined by underscores.
struct ExtractAll {
  bool on = false;
  std::string prefix;
  std::size_t keys_max = 100;
};

class JsonStage final : public Stage {
 public:
  JsonStage(SourceText source, ExtractAll all, bool drop_malformed, MetricRegistry* metrics)
      : source_(std::move(source)),
        all_(std::move(all)),
        drop_malformed_(drop_malformed),
        dropped_(metrics, "json_malformed") {}

  void add(std::string name, jmespath::Expression expression) {
    if (const auto path = expression.as_path()) {
      PathNode* node = &root_;
      for (const std::string& key : *path) node = &node->child(key);
      node->outputs.push_back(outputs_.size());
      outputs_.push_back({std::move(name), std::nullopt});
    } else {
      outputs_.push_back({std::move(name), std::move(expression)});
      needs_tree_ = true;
    }
    found_.resize(outputs_.size());
  }

  std::string_view name() const override { return "json"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const auto text = source_.read(entry);
    if (!text) return Verdict::kPass;
    if (!extract(*text, entry)) {
      if (!drop_malformed_) return Verdict::kPass;
      dropped_.add();
      return Verdict::kDropped;
    }
    return Verdict::kPass;
  }

 private:
  struct Found {
    bool present = false;
    JsonSpan span;
  };

  bool extract(std::string_view text, Entry& entry) {
    for (Found& found : found_) found.present = false;
    JsonScanner scanner(text);
    scanner.skip_space();
    JsonSpan whole;
    const bool object = scanner.at('{');
    if (!(object ? walk(scanner, root_, 0, entry.arena()) : scanner.value(whole) && whole.type == JsonType::kNull))
      return false;
    scanner.skip_space();
    if (!scanner.at_end()) return false;
    if (all_.on && object) extract_all(text, entry);
    if (needs_tree_) evaluate(text, entry);
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (outputs_[i].complex) continue;
      entry.extracted().set(outputs_[i].name, found_[i].present ? value_of(found_[i].span, entry) : Value::null());
    }
    return true;
  }

  // REQUIRES: the text is a well-formed object.
  void extract_all(std::string_view text, Entry& entry) {
    JsonScanner scanner(text);
    scanner.skip_space();
    std::size_t keys = 0;
    name_ = all_.prefix;
    flatten(scanner, entry, keys);
  }

  bool flatten(JsonScanner& scanner, Entry& entry, std::size_t& keys) {
    const std::size_t outer = name_.size();
    return scanner.object([&](const JsonSpan& key, JsonScanner& inner) {
      for (const char c : decode_json_string(key, entry.arena())) name_ += is_name_byte(c) ? c : '_';
      if (inner.at('{')) {
        name_ += '_';
        const bool good = flatten(inner, entry, keys);
        name_.resize(outer);
        return good;
      }
      JsonSpan value;
      const bool good = inner.value(value);
      if (good && name_.size() > all_.prefix.size() && keys++ < all_.keys_max)
        entry.extracted().set(entry.arena().copy(name_), value_of(value, entry));
      name_.resize(outer);
      return good;
    });
  }

  static bool is_name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }

  bool walk(JsonScanner& scanner, const PathNode& node, int depth, Arena& arena) {
    return scanner.object([&](const JsonSpan& key, JsonScanner& inner) {
      const PathNode* child = node.find(decode_json_string(key, arena));
      JsonSpan skipped;
      if (child == nullptr) return inner.value_at(skipped, depth + 1);
      forget(*child);
      return capture(inner, *child, depth + 1, arena);
    });
  }

  bool capture(JsonScanner& scanner, const PathNode& node, int depth, Arena& arena) {
    const char* const begin = scanner.position();
    Found found{true, {}};
    if (scanner.at('{') && !node.children.empty()) {
      if (depth > kJsonDepthMax || !walk(scanner, node, depth, arena)) return false;
      found.span.type = JsonType::kObject;
      found.span.text = std::string_view(begin, static_cast<std::size_t>(scanner.position() - begin));
    } else if (!scanner.value_at(found.span, depth)) {
      return false;
    }
    for (const std::size_t output : node.outputs) found_[output] = found;
    return true;
  }

  // The last of equal keys counts, with everything below it.
  void forget(const PathNode& node) {
    for (const std::size_t output : node.outputs) found_[output].present = false;
    for (const PathNode& child : node.children) forget(child);
  }

  Value value_of(const JsonSpan& span, Entry& entry) {
    switch (span.type) {
      case JsonType::kNull: return Value::null();
      case JsonType::kBool: return Value::of_bool(span.text == "true");
      case JsonType::kString: return Value::of(decode_json_string(span, entry.arena()));
      case JsonType::kNumber: return number(span.text, span.integer);
      default: break;
    }
    pool_.clear();
    return Value::of(compact(*parse_json(span.text, pool_), entry));
  }

  // Integers keep their digits: a double would round the long ones.
  static Value number(std::string_view text, bool integer) {
    const bool keep_digits = integer && text != "-0";
    return Value::of(decode_json_number(text), keep_digits ? text : std::string_view());
  }

  std::string_view compact(const JsonNode& node, Entry& entry) {
    text_.clear();
    append_json(text_, node);
    return entry.arena().copy(text_);
  }

  void evaluate(std::string_view text, Entry& entry) {
    tree_pool_.clear();
    const JsonNode* root = parse_json(text, tree_pool_);
    if (root == nullptr) return;
    for (const Output& output : outputs_) {
      if (!output.complex) continue;
      const auto result = output.complex->evaluate(*root, tree_pool_);
      if (result) entry.extracted().set(output.name, value_of(**result, entry));
    }
  }

  Value value_of(const JsonNode& node, Entry& entry) {
    switch (node.type) {
      case JsonType::kNull: return Value::null();
      case JsonType::kBool: return Value::of_bool(node.boolean);
      case JsonType::kString: return Value::of(entry.arena().copy(node.text));
      case JsonType::kNumber:
        return node.text.empty() ? Value::of(node.number) : number(entry.arena().copy(node.text), true);
      default: return Value::of(compact(node, entry));
    }
  }

  SourceText source_;
  ExtractAll all_;
  bool drop_malformed_;
  DropCounter dropped_;
  PathNode root_;
  std::vector<Output> outputs_;
  std::vector<Found> found_;
  bool needs_tree_ = false;
  JsonPool pool_;       // of one object or array that is written as text
  JsonPool tree_pool_;  // of the whole document
  std::string text_;
  std::string name_;  // of the key that extract_all is at
};

}  // namespace

StageResult make_json_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  const auto expressions = options.pairs("expressions");
  auto source = SourceText::create(options.text("source"));
  if (!source) options.fault("source", source.error().message());
  const bool drop_malformed = options.flag("drop_malformed");
  ExtractAll all;
  all.on = options.flag("extract_all");
  if (all.on) {
    all.prefix = options.text("prefix", "");
    all.keys_max = static_cast<std::size_t>(std::max<std::int64_t>(options.integer("max_keys", 100), 1));
    context.produces_any = true;
  }
  if (expressions.empty() && !all.on && !options.faulty())
    options.fault("expressions", "JMES expression is required");
  auto stage = std::make_unique<JsonStage>(source.value_or(SourceText()), std::move(all), drop_malformed,
                                           context.stage.metrics);
  for (const TextPair& pair : expressions) {
    auto expression = jmespath::Expression::compile(pair.value.empty() ? pair.name : pair.value);
    context.produced.insert(pair.name);
    if (expression) stage->add(pair.name, std::move(*expression));
    else
      options.fault("expressions",
                    "could not compile JMES expression: " + pair.name + ": " + expression.error().message());
  }
  KVASIR_CHECK_OK(options.finish());
  return stage;
}

}  // namespace kvasir::agent
