// The multiline stage: lines that do not look like the start of an entry are added to the one before, within a label
// set.
#include <algorithm>

#include "common/number.h"
#include "promtail-agent/stages/factories.h"
#include "promtail-agent/stages/line_regex.h"
#include "promtail-agent/stages/stage_options.h"

namespace kvasir::agent {
namespace {

constexpr std::int64_t kMaxLinesDefault = 128;
constexpr Duration kMaxWaitDefault = std::chrono::seconds(3);
constexpr int kIdleWaits = 10;  // a label set is forgotten after that many times max_wait_time

class MultilineStage final : public Stage {
 public:
  MultilineStage(LineRegex firstline, std::int64_t max_lines, Duration max_wait, const Clock& clock)
      : firstline_(std::move(firstline)), max_lines_(max_lines), max_wait_(max_wait), clock_(clock) {}
  std::string_view name() const override { return "multiline"; }

  Verdict process(Entry& entry, EntrySink& next) override {
    Block* block = blocks_.find(*entry.labels());
    if (firstline_.search(entry.line())) {
      if (block == nullptr) block = &make_block(entry.labels(), next);
      flush(*block, next);
      start(*block, entry);
    } else {
      if (block == nullptr) return Verdict::kPass;
      append(*block, entry);
    }
    const bool full = max_lines_ > 0 && block->lines >= max_lines_;
    if (full || held_bytes_ > kHeldBytesMax) flush(*block, next);
    return Verdict::kHeld;
  }

  void tick(EntrySink& next) override {
    const Duration now = clock_.steady();
    earliest_ = Duration::max();
    for (auto& [hash, block] : blocks_) {
      if (block.lines == 0) continue;
      if (block.deadline <= now) {
        flush(block, next);
      } else {
        earliest_ = std::min(earliest_, block.deadline);
      }
    }
    blocks_.erase_if(
        [&](const Block& block) { return block.lines == 0 && now - block.deadline > max_wait_ * (kIdleWaits - 1); });
  }

  Duration deadline() const override { return earliest_; }

  void close(EntrySink& next) override {
    for (auto& [hash, block] : blocks_) flush(block, next);
  }

 private:
  struct Block {
    LabelSetPtr labels;
    Entry start;  // timestamp, extracted values and metadata of the start line, for every block until the next one
    std::string text;
    std::vector<SourceRange> sources;
    std::int64_t lines = 0;
    Duration deadline{0};
  };

  Block& make_block(const LabelSetPtr& labels, EntrySink& next) {
    if (blocks_.size() >= kHeldSetsMax) {
      close(next);
      blocks_.clear();
    }
    return blocks_.insert(labels);
  }

  void start(Block& block, const Entry& entry) {
    block.start.copy_from(entry);
    block.start.set_line({});
    append(block, entry);
  }

  void append(Block& block, const Entry& entry) {
    if (block.lines++ > 0) block.text += '\n';
    block.text += entry.line();
    held_bytes_ += entry.line().size() + 1;
    for (const SourceRange& range : entry.sources()) add_range(block.sources, range);
    block.deadline = clock_.steady() + max_wait_;
    earliest_ = std::min(earliest_, block.deadline);
  }

  void flush(Block& block, EntrySink& next) {
    if (block.lines == 0) return;
    merged_.copy_from(block.start);
    merged_.set_line(block.text);
    merged_.set_sources(block.sources);
    held_bytes_ -= std::min(held_bytes_, block.text.size() + 1);
    block.lines = 0;
    block.sources.clear();
    next.accept(merged_);
    block.text.clear();
  }

  LineRegex firstline_;
  std::int64_t max_lines_;
  Duration max_wait_;
  const Clock& clock_;
  LabelSetMap<Block> blocks_;
  Entry merged_;
  std::size_t held_bytes_ = 0;
  Duration earliest_ = Duration::max();  // not after the first deadline
};

}  // namespace

StageResult make_multiline_stage(const YamlNode& node, BuildContext& context) {
  StageOptions options(node, context.place, context.diagnostics);
  const auto firstline = options.text("firstline", "");
  const auto max_lines = options.integer("max_lines", kMaxLinesDefault);
  const auto max_wait = options.text("max_wait_time");
  auto regex = LineRegex::compile(firstline);
  if (firstline.empty())
    options.fault("firstline", "multiline stage config must define `firstline` regular expression");
  else if (!regex)
    options.fault("firstline", "multiline stage first line regex compilation error: " + regex.error().message());
  Duration wait = kMaxWaitDefault;
  if (max_wait) {
    const auto parsed = parse_go_duration(*max_wait);
    if (!parsed)
      options.fault("max_wait_time",
                    "multiline stage `max_wait_time` parse error: time: invalid duration \"" + *max_wait + "\"");
    wait = parsed.value_or(wait);
  }
  KVASIR_CHECK_OK(options.finish());
  return std::make_unique<MultilineStage>(std::move(*regex), max_lines, wait, *context.stage.clock);
}

}  // namespace kvasir::agent
