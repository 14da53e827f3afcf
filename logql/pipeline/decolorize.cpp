#include "logql/pipeline/decolorize.h"

#include <re2/re2.h>

#include "logql/pipeline/steps.h"

namespace kvasir::logql {

namespace {

constexpr char kEscape = '\x1b';
constexpr std::string_view kCsi = "\xc2\x9b";  // U+009B

// What may follow the introducer.
const re2::RE2& sequence_tail() {
  static const re2::RE2 regex(
      R"([\[\]()#;?]*(?:(?:(?:[a-zA-Z\d]*(?:;[a-zA-Z\d]*)*)?\x07)|(?:(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PRZcf-ntqry=><~])))");
  return regex;
}

}  // namespace

std::size_t ansi_sequence_length(std::string_view text) {
  std::size_t head = 0;
  if (!text.empty() && text[0] == kEscape) head = 1;
  if (text.substr(0, kCsi.size()) == kCsi) head = kCsi.size();
  if (head == 0) return 0;
  const re2::StringPiece rest(text.data() + head, text.size() - head);
  re2::StringPiece tail;
  return sequence_tail().Match(rest, 0, rest.size(), re2::RE2::ANCHOR_START, &tail, 1) ? head + tail.size() : 0;
}

void append_decolorized(std::string& out, std::string_view text) {
  while (!text.empty()) {
    if (const std::size_t length = ansi_sequence_length(text); length != 0) {
      text.remove_prefix(length);
      continue;
    }
    std::size_t plain = 1;
    while (plain < text.size() && text[plain] != kEscape && text[plain] != kCsi[0]) ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
  }
}

bool may_have_colors(std::string_view text) {
  return text.find(kEscape) != std::string_view::npos || text.find(kCsi) != std::string_view::npos;
}

namespace {

class DecolorizeStep : public Step {
 public:
  bool apply(EntryState& entry) const override {
    if (!may_have_colors(entry.line)) return true;
    entry.scratch.clear();
    append_decolorized(entry.scratch, entry.line);
    entry.replace_line(entry.scratch);
    return true;
  }
};

}  // namespace

StepPtr make_decolorize_step() { return std::make_unique<DecolorizeStep>(); }

}  // namespace kvasir::logql
