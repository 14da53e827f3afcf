#include "logql/pipeline/json_scan.h"
#include "logql/pipeline/steps.h"

namespace kvasir::logql {

namespace {

using json::Member;
using json::MemberStep;
using json::Scanner;
using json::ValueKind;

enum class Walk { kGoOn, kStop, kError };

// `| json`: every scalar property becomes a label, nested names joined with `_`.
class JsonStep : public Step {
 public:
  bool apply(EntryState& entry) const override {
    if (entry.labels.all_wanted_found()) return true;
    entry.keys.start_line();
    std::string_view error;
    if (walk_object(entry, entry.line, {kNoName, 0}, error) == Walk::kError)
      entry.parser_failed(kJsonParserError, error);
    return true;
  }

 private:
  struct Place {
    NameId path = kNoName;  // flattened name of the object
    int depth = 0;
  };

  static Walk walk_object(EntryState& entry, std::string_view text, Place place, std::string_view& error) {
    Scanner scanner(text);
    if (!json::open_object(scanner)) return error = scanner.error(), Walk::kError;
    bool first = true;
    Member member;
    for (;;) {
      const MemberStep step = json::next_member(scanner, first, entry.arena, member);
      if (step == MemberStep::kEnd) return Walk::kGoOn;
      if (step != MemberStep::kMember) return error = scanner.error(), Walk::kError;
      const Walk walk = take_member(entry, member, place, error);
      if (walk != Walk::kGoOn) return walk;
    }
  }

  static Walk take_member(EntryState& entry, const Member& member, Place place, std::string_view& error) {
    if (member.value.kind == ValueKind::kNull || member.value.kind == ValueKind::kArray) return Walk::kGoOn;
    const KeyNames::Key key = entry.keys.find(place.path, member.key);
    if (member.value.kind == ValueKind::kObject) {
      if (place.depth >= json::kJsonDepthMax) return Walk::kGoOn;
      return walk_object(entry, member.value.text, {key.name, place.depth + 1}, error);
    }
    if (!key.needed || key.name == kNoName) return Walk::kGoOn;
    return entry.extract(key, json::label_text(member.value, entry.arena)) ? Walk::kGoOn : Walk::kStop;
  }
};

// `| unpack`: string properties become labels and `_entry` the line, if there is an `_entry`.
class UnpackStep : public Step {
 public:
  explicit UnpackStep(bool extracts) : extracts_(extracts) {}

  bool apply(EntryState& entry) const override {
    if (entry.line.empty()) return true;
    if (entry.line[0] != '{') {
      entry.parser_failed(kJsonParserError, "expecting json object(6), but it is not");
      return true;
    }
    const auto line = find_entry(entry);
    if (!line) return true;
    if (extracts_) extract_labels(entry);
    entry.line = *line;
    return true;
  }

 private:
  // The text of `_entry`. Walks the whole object, so an error anywhere is noticed before a label is set.
  static std::optional<std::string_view> find_entry(EntryState& entry) {
    std::optional<std::string_view> found;
    Scanner scanner(entry.line);
    json::open_object(scanner);
    bool first = true;
    Member member;
    for (;;) {
      const MemberStep step = json::next_member(scanner, first, entry.arena, member);
      if (step == MemberStep::kEnd) return found;
      if (step != MemberStep::kMember) {
        entry.parser_failed(kJsonParserError, scanner.error());
        return std::nullopt;
      }
      if (member.value.kind == ValueKind::kString && member.key == "_entry") {
        found = json::label_text(member.value, entry.arena);
      }
    }
  }

  static void extract_labels(EntryState& entry) {
    entry.keys.start_line();
    Scanner scanner(entry.line);
    json::open_object(scanner);
    bool first = true;
    Member member;
    while (json::next_member(scanner, first, entry.arena, member) == MemberStep::kMember) {
      if (member.value.kind != ValueKind::kString || member.key == "_entry") continue;
      const KeyNames::Key key = entry.keys.find(kNoName, member.key);
      if (key.name != kNoName && key.needed) entry.extract(key, json::label_text(member.value, entry.arena));
    }
  }

  bool extracts_;
};

}  // namespace

StepPtr make_json_step() { return std::make_unique<JsonStep>(); }
StepPtr make_unpack_step(bool extracts) { return std::make_unique<UnpackStep>(extracts); }

}  // namespace kvasir::logql
