// The timestamp stage: the entry's time from an extracted value.
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/metric_registry.h"
#include "promtail-agent/stages/stage_options.h"
#include "promtail-agent/stages/timestamp_fudge.h"

namespace kvasir::agent {
namespace {

class TimestampStage final : public Stage {
 public:
  TimestampStage(std::string source, std::vector<TimestampFormat> formats, bool fudge, const StageContext& context)
      : source_(std::move(source)), formats_(std::move(formats)), fudges_(fudge), context_(context) {}

  std::string_view name() const override { return "timestamp"; }

  Verdict process(Entry& entry, EntrySink&) override {
    const auto time = read(entry);
    if (!time) count_failure();
    if (fudges_) {
      fudge_.apply(entry, time);
    } else if (time) {
      entry.set_timestamp(time->timestamp);
      entry.set_zone_offset(time->offset_seconds);
    }
    return Verdict::kPass;
  }

 private:
  std::optional<ReadTime> read(const Entry& entry) const {
    const Value value = entry.extracted().get(source_);
    if (!value.has_text()) return std::nullopt;
    NumberText scratch;
    const std::string_view text = value_text(value, scratch);
    const TimestampNs now = context_.clock->now();
    for (const TimestampFormat& format : formats_)
      if (const auto time = format.read(text, now)) return time;
    return std::nullopt;
  }

  void count_failure() {
    if (!failures_ && context_.metrics != nullptr)
      failures_ = context_.metrics->counter("promtail_timestamp_failures_total",
                                            "Entries whose timestamp could not be read", Labels{{"job", context_.job}});
    if (failures_) failures_->add(1);
  }

  std::string source_;
  std::vector<TimestampFormat> formats_;
  bool fudges_;
  StageContext context_;
  TimestampFudge fudge_;
  SeriesPtr failures_;
};

}  // namespace

StageResult make_timestamp_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  auto source = options.text("source", "");
  auto names = options.texts("fallback_formats");
  const auto format = options.text("format", "");
  const auto location = options.text("location");
  const auto action = options.text("action_on_failure", "fudge");
  if (source.empty()) options.fault("source", "timestamp source value is required if timestamp is specified");
  if (format.empty()) options.fault("format", "timestamp format is required");
  std::optional<TimeZone> zone;
  if (location) {
    zone = TimeZone::find(*location);
    if (!zone) options.fault("location", "invalid location specified: unknown time zone " + *location);
  }
  if (action != "fudge" && action != "skip")
    options.fault("action_on_failure", "invalid action on failure (supported values are [skip fudge])");
  KVASIR_CHECK_OK(options.finish());
  names.insert(names.begin(), format);
  std::vector<TimestampFormat> formats;
  for (const std::string& name : names) {
    formats.emplace_back(name, zone);
    if (!formats.back().plausible())
      options.warn("format \"" + name + "\" is neither a known name nor a layout of 2006-01-02 15:04:05");
  }
  return std::make_unique<TimestampStage>(std::move(source), std::move(formats), action == "fudge", context.stage);
}

}  // namespace kvasir::agent
