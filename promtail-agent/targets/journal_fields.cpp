#include "promtail-agent/targets/journal_fields.h"

#include <array>
#include <cctype>

#include "common/json_writer.h"

namespace kvasir::agent {

namespace {
constexpr std::array<std::string_view, 8> kKeywords = {"emerg",   "alert",  "crit", "error",
                                                       "warning", "notice", "info", "debug"};
}  // namespace

void add_journal_field(std::string_view data, JournalFields& fields) {
  const std::size_t equals = data.find('=');
  if (equals == std::string_view::npos) return;
  fields[std::string(data.substr(0, equals))] = data.substr(equals + 1);
}

Labels journal_labels(const JournalFields& fields) {
  std::vector<Label> pairs;
  for (const auto& [name, value] : fields) {
    std::string lower = "__journal_";
    for (const char c : name) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    pairs.push_back({std::move(lower), value});
    if (name != "PRIORITY") continue;
    const bool digit = value.size() == 1 && value[0] >= '0' && value[0] <= '7';
    pairs.push_back({"__journal_priority_keyword",
                     digit ? std::string(kKeywords[static_cast<std::size_t>(value[0] - '0')]) : value});
  }
  return Labels::from_unsorted(std::move(pairs));
}

std::string journal_json(const JournalFields& fields) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  for (const auto& [name, value] : fields) json.key(name).string(value);
  json.end_object();
  return out;
}

Result<std::vector<std::string>> parse_journal_matches(std::string_view text) {
  std::vector<std::string> terms;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \t\n"), text.size());
    const std::string_view term = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + 1));
    if (term.empty()) continue;
    if (term != "+" && (term.find('=') == std::string_view::npos || term[0] == '=')) {
      return fail(ErrorCode::kInvalidArgument, "Error parsing journal reader 'matches' config value");
    }
    terms.emplace_back(term);
  }
  return terms;
}

}  // namespace kvasir::agent
