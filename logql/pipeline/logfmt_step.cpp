#include "logql/pipeline/json_path.h"
#include "logql/pipeline/logfmt_scan.h"
#include "logql/pipeline/steps.h"
#include "logql/pipeline/unicode_text.h"

namespace kvasir::logql {

namespace {

using Pair = LogfmtScanner::Pair;

// Calls take(pair) for each pair until it gives false. Broken pairs are skipped, or end the walk with an error if
// `strict`.
template <class Take>
void for_each_pair(EntryState& entry, bool strict, Take&& take) {
  LogfmtScanner scanner(entry.line, entry.arena);
  Pair pair;
  for (;;) {
    switch (scanner.next(pair)) {
      case LogfmtScanner::Step::kEnd: return;
      case LogfmtScanner::Step::kPair:
        if (!take(pair)) return;
        break;
      case LogfmtScanner::Step::kError:
        if (strict) {
          std::string& text = entry.scratch;
          text = "logfmt syntax error at pos " + std::to_string(scanner.error_position()) + " : ";
          text += scanner.error();
          entry.parser_failed(kLogfmtParserError, entry.arena.copy(text));
          return;
        }
        scanner.skip_pair();
    }
  }
}

// `| logfmt`: every pair becomes a label.
class LogfmtStep : public Step {
 public:
  LogfmtStep(bool strict, bool keep_empty) : strict_(strict), keep_empty_(keep_empty) {}

  bool apply(EntryState& entry) const override {
    if (entry.labels.all_wanted_found()) return true;
    entry.keys.start_line();
    for_each_pair(entry, strict_, [&](const Pair& pair) {
      const KeyNames::Key& key = entry.keys.find(kNoName, pair.key);
      if (key.name == kNoName || !key.needed || (pair.value.empty() && !keep_empty_)) return true;
      return entry.extract(key, spaces_for_bad_utf8(pair.value, entry.arena));
    });
    return true;
  }

 private:
  bool strict_;
  bool keep_empty_;
};

// `| logfmt x="key", y`.
class LogfmtExtractionStep : public Step {
 public:
  struct Request {
    std::string key;  // compared with the sanitised key
    NameId target;
  };

  LogfmtExtractionStep(std::vector<Request> requests, bool strict) : requests_(std::move(requests)), strict_(strict) {}

  bool apply(EntryState& entry) const override {
    LabelState& labels = entry.labels;
    for (const Request& request : requests_) {
      const NameId target = request.target;
      if (!labels.in_stream(target) && !labels.in_metadata(target)) labels.set(target, {});
    }
    entry.keys.start_line();
    for_each_pair(entry, strict_, [&](const Pair& pair) {
      const KeyNames::Key& key = entry.keys.find(kNoName, pair.key);
      if (key.name == kNoName) return true;
      const std::string_view name = entry.names.name(key.name);
      for (const Request& request : requests_) {
        if (request.key != name) continue;
        labels.set(labels.extraction_target(request.target), spaces_for_bad_utf8(pair.value, entry.arena));
      }
      return true;
    });
    return true;
  }

 private:
  std::vector<Request> requests_;
  bool strict_;
};

}  // namespace

StepPtr make_logfmt_step(const LogfmtParser& parser) {
  return std::make_unique<LogfmtStep>(parser.strict, parser.keep_empty);
}

Result<StepPtr> make_logfmt_extraction_step(const LogfmtParser& parser, NameTable& names) {
  std::vector<LogfmtExtractionStep::Request> requests;
  for (const Extraction& extraction : parser.extractions) {
    KVASIR_TRY(std::string key, parse_logfmt_key(extraction.expression));
    requests.push_back({std::move(key), names.intern(extraction.name)});
  }
  return std::make_unique<LogfmtExtractionStep>(std::move(requests), parser.strict);
}

}  // namespace kvasir::logql
