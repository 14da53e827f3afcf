#include "promtail-agent/inspect.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "common/time.h"

namespace kvasir::agent {

namespace {

constexpr int kRed = 31;
constexpr int kGreen = 32;
constexpr int kYellow = 33;

/// A line in a colour, if standard error is a terminal.
std::string coloured(int colour, const std::string& text) {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  return terminal ? fmt::format("\x1b[{}m{}\x1b[0m\n", colour, text) : text + "\n";
}

}  // namespace

InspectPrinter::View InspectPrinter::view_of(const Entry& entry) {
  View view;
  view["Entry.Line"] = entry.line();
  view["Entry.Timestamp"] = format_rfc3339(entry.timestamp());
  for (const Label& label : entry.labels()->labels) view["Labels[\"" + label.name + "\"]"] = label.value;
  for (const LabelView& pair : entry.metadata())
    view[fmt::format("StructuredMetadata[\"{}\"]", pair.name)] = pair.value;
  entry.extracted().for_each([&](std::string_view key, const Value& value) {
    NumberText scratch;
    view[fmt::format("Extracted[\"{}\"]", key)] = value.has_text() ? std::string(value_text(value, scratch)) : "null";
  });
  return view;
}

InspectPrinter::InspectPrinter() : print_([](const std::string& text) { std::fputs(text.c_str(), stderr); }) {}

/// Of this thread: stages within stages, the innermost last.
std::vector<InspectPrinter::Frame>& InspectPrinter::frames() {
  thread_local std::vector<Frame> frames;
  return frames;
}

void InspectPrinter::before(std::string_view, const Entry& entry) { frames().push_back({&entry, view_of(entry)}); }

void InspectPrinter::after(std::string_view stage, const Entry& entry, Verdict verdict) {
  std::string text = fmt::format("[inspect: {} stage]: \n", stage);
  if (verdict == Verdict::kDropped) text += coloured(kYellow, "\tdropped");
  if (verdict == Verdict::kHeld) text += coloured(kYellow, "\theld back");
  const View before = std::move(frames().back().view);
  frames().pop_back();
  View none;  // of a stage around this one: what is shown here is not shown there again
  View& outer = !frames().empty() && frames().back().entry == &entry ? frames().back().view : none;
  const View after = verdict == Verdict::kPass ? view_of(entry) : before;
  bool changed = verdict != Verdict::kPass;
  for (const auto& [path, value] : after) {
    const auto old = before.find(path);
    if (old != before.end() && old->second == value) continue;
    changed = true;
    text += path + ":\n";
    if (old != before.end()) text += coloured(kRed, "\t-: " + old->second);
    text += coloured(kGreen, "\t+: " + value);
    outer[path] = value;
  }
  for (const auto& [path, value] : before) {
    if (after.contains(path)) continue;
    changed = true;
    text += path + ":\n" + coloured(kRed, "\t-: " + value);
    outer.erase(path);
  }
  if (!changed) text += coloured(kRed, "none");
  print_(text);
}

}  // namespace kvasir::agent
