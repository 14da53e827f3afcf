#include "server/open_metrics.h"

namespace kvasir::server {
namespace {

constexpr std::string_view kTotal = "_total";

/// `name rest of the line`, split at the first blank.
std::pair<std::string_view, std::string_view> split_name(std::string_view text) {
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return {text, {}};
  return {text.substr(0, blank), text.substr(blank + 1)};
}

void append_type(std::string& out, std::string_view name, std::string_view type) {
  if (type == "counter" && !name.ends_with(kTotal)) type = "unknown";
  if (type == "untyped") type = "unknown";
  if (type == "counter") name.remove_suffix(kTotal.size());
  out += "# TYPE ";
  out += name;
  out += ' ';
  out += type;
  out += '\n';
}

}  // namespace

bool wants_open_metrics(std::string_view accept) {
  return accept.find("application/openmetrics-text") != std::string_view::npos;
}

std::string to_open_metrics(std::string_view text) {
  constexpr std::string_view kHelp = "# HELP ", kType = "# TYPE ";
  std::string out;
  out.reserve(text.size() + 16);
  std::pair<std::string_view, std::string_view> help;  // its name depends on the type, which comes after it
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.starts_with(kHelp)) {
      help = split_name(line.substr(kHelp.size()));
    } else if (line.starts_with(kType)) {
      const auto [name, type] = split_name(line.substr(kType.size()));
      append_type(out, name, type);
      if (help.first != name) continue;
      const bool bare = type == "counter" && name.ends_with(kTotal);
      out += kHelp;
      out += bare ? name.substr(0, name.size() - kTotal.size()) : name;
      out += ' ';
      out += help.second;
      out += '\n';
    } else if (!line.empty()) {
      out += line;
      out += '\n';
    }
  }
  return out += "# EOF\n";
}

}  // namespace kvasir::server
