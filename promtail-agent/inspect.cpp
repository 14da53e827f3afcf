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

InspectPrinter::View& InspectPrinter::last_view() {
  thread_local View view;
  return view;
}

void InspectPrinter::before(std::string_view, const Entry& entry) { last_view() = view_of(entry); }

void InspectPrinter::after(std::string_view stage, const Entry& entry, Verdict verdict) {
  std::string text = fmt::format("[inspect: {} stage]: \n", stage);
  if (verdict == Verdict::kDropped) text += coloured(kYellow, "\tdropped");
  if (verdict == Verdict::kHeld) text += coloured(kYellow, "\theld back");
  const View before = std::move(last_view());
  const View after = verdict == Verdict::kPass ? view_of(entry) : before;
  bool changed = verdict != Verdict::kPass;
  for (const auto& [path, value] : after) {
    const auto old = before.find(path);
    if (old != before.end() && old->second == value) continue;
    changed = true;
    text += path + ":\n";
    if (old != before.end()) text += coloured(kRed, "\t-: " + old->second);
    text += coloured(kGreen, "\t+: " + value);
  }
  for (const auto& [path, value] : before) {
    if (after.contains(path)) continue;
    changed = true;
    text += path + ":\n" + coloured(kRed, "\t-: " + value);
  }
  if (!changed) text += coloured(kRed, "none");
  std::fputs(text.c_str(), stderr);
}

}  // namespace kvasir::agent
