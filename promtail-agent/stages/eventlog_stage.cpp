// The eventlogmessage stage: `Key: value` lines of a Windows event message become extracted values.
#include <algorithm>

#include "promtail-agent/stages/drop_counter.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n\v\f");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n\v\f") - begin + 1);
}

class EventLogMessageStage final : public Stage {
 public:
  struct Options {
    std::string source;
    bool drop_invalid_labels = false;
    bool overwrite_existing = false;
  };
  EventLogMessageStage(Options options, MetricRegistry* metrics)
      : options_(std::move(options)), dropped_(metrics, "eventlogmessage_stage") {}
  std::string_view name() const override { return "eventlogmessage"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const Value value = entry.extracted().get(options_.source);
    if (value.missing()) return Verdict::kPass;
    if (!value.has_text()) {
      dropped_.add();
      return Verdict::kDropped;
    }
    NumberText scratch;
    std::string_view rest = entry.arena().copy(value_text(value, scratch));
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find("\r\n"), rest.size());
      pair(rest.substr(0, end), entry);
      rest.remove_prefix(std::min(end + 2, rest.size()));
    }
    return Verdict::kPass;
  }

 private:
  void pair(std::string_view line, Entry& entry) const {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return;
    std::string_view key = line.substr(0, colon);
    if (!is_label_name(key)) {
      if (options_.drop_invalid_labels) return;
      key = sanitised(key, entry.arena());
    }
    if (!options_.overwrite_existing && !entry.extracted().get(key).missing()) key = suffixed(key, entry.arena());
    entry.extracted().set(key, Value::of(trimmed(line.substr(colon + 1))));
  }

  static std::string_view sanitised(std::string_view key, Arena& arena) {
    char* const begin = arena.allocate(key.size());
    std::transform(key.begin(), key.end(), begin, [](char c) {
      const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
      return good ? c : '_';
    });
    return {begin, key.size()};
  }

  static std::string_view suffixed(std::string_view key, Arena& arena) {
    static constexpr std::string_view kSuffix = "_extracted";
    char* const begin = arena.allocate(key.size() + kSuffix.size());
    std::copy(kSuffix.begin(), kSuffix.end(), std::copy(key.begin(), key.end(), begin));
    return {begin, key.size() + kSuffix.size()};
  }

  Options options_;
  DropCounter dropped_;
};

}  // namespace

StageResult make_eventlogmessage_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  EventLogMessageStage::Options parsed;
  parsed.source = options.text("source", "message");
  parsed.drop_invalid_labels = options.flag("drop_invalid_labels");
  parsed.overwrite_existing = options.flag("overwrite_existing");
  KVASIR_CHECK_OK(options.finish());
  if (parsed.source.empty()) return invalid("empty source");
  context.produces_any = true;
  return std::make_unique<EventLogMessageStage>(std::move(parsed), context.stage.metrics);
}

}  // namespace kvasir::agent
