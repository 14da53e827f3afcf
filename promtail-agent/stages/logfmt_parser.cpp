#include "promtail-agent/stages/logfmt_parser.h"

#include <string>

#include "common/utf8.h"
#include "promtail-agent/stages/arena.h"
#include "promtail-agent/stages/json_scanner.h"

namespace kvasir::agent {
namespace {

bool divides(char c) { return static_cast<unsigned char>(c) <= 0x20; }

}  // namespace

bool LogfmtParser::next(LogfmtPair& pair) {
  while (true) {
    while (!rest_.empty() && divides(rest_.front())) rest_.remove_prefix(1);
    if (rest_.empty()) return false;
    if (read_pair(pair)) return true;
    ++errors_;
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) return false;
    rest_.remove_prefix(end);
  }
}

bool LogfmtParser::read_pair(LogfmtPair& pair) {
  std::size_t end = 0;
  while (end < rest_.size() && rest_[end] != '=' && rest_[end] != '"' && !divides(rest_[end])) ++end;
  pair.key = rest_.substr(0, end);
  pair.value = {};
  rest_.remove_prefix(end);
  if (pair.key.empty() || !is_valid_utf8(pair.key)) return false;
  if (rest_.empty() || divides(rest_.front())) return true;
  if (rest_.front() == '"') return false;
  rest_.remove_prefix(1);
  return read_value(pair.value);
}

bool LogfmtParser::read_value(std::string_view& value) {
  if (rest_.empty() || divides(rest_.front())) return true;
  if (rest_.front() == '"') return read_quoted(value);
  std::size_t end = 0;
  while (end < rest_.size() && !divides(rest_[end])) {
    if (rest_[end] == '=' || rest_[end] == '"') return false;
    ++end;
  }
  value = rest_.substr(0, end);
  rest_.remove_prefix(end);
  return true;
}

bool LogfmtParser::read_quoted(std::string_view& value) {
  std::size_t end = 1;
  bool escaped = false;
  while (end < rest_.size() && rest_[end] != '"' && rest_[end] != '\n') {
    const bool escape = rest_[end] == '\\';
    escaped = escaped || escape;
    end += escape ? 2 : 1;
  }
  if (end >= rest_.size() || rest_[end] != '"') return false;
  const std::string_view quoted = rest_.substr(0, end + 1);
  if (!escaped) {
    value = quoted.substr(1, quoted.size() - 2);
    rest_.remove_prefix(quoted.size());
    return true;
  }
  // JSON's escapes and \': JSON's scanner checks them with the apostrophes taken out of the way.
  std::string checked;
  for (std::size_t i = 0; i < quoted.size(); ++i) {
    const bool apostrophe = quoted[i] == '\\' && i + 1 < quoted.size() && quoted[i + 1] == '\'';
    const bool pair = quoted[i] == '\\' && !apostrophe && i + 1 < quoted.size();
    if (apostrophe) ++i;
    checked += static_cast<unsigned char>(quoted[i]) < 0x20 ? ' ' : quoted[i];
    if (pair) checked += quoted[++i];
  }
  JsonSpan span;
  JsonScanner scanner(checked);
  if (!scanner.string(span) || !scanner.at_end()) return false;
  value =
      arena_.copy(decode_json_string({JsonType::kString, true, false, quoted.substr(1, quoted.size() - 2)}, arena_));
  rest_.remove_prefix(quoted.size());
  return true;
}

}  // namespace kvasir::agent
