#include "ingest/wire/metadata_name.h"

#include <string>

namespace kvasir::ingest {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) { return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z'); }

bool is_in_form(std::string_view name) {
  if (name.empty() || is_digit(name.front())) return false;
  bool letters = false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (is_alphanumeric(name[i])) {
      letters = true;
    } else if (name[i] != '_' || (i > 0 && name[i - 1] == '_')) {
      return false;
    }
  }
  return letters;
}

void append_collapsed(std::string& out, std::string_view text) {
  bool gap = false;
  for (const char c : text) {
    if (is_alphanumeric(c)) {
      out += c;
      gap = false;
    } else if (!gap) {
      out += '_';
      gap = true;
    }
  }
}

}  // namespace

std::string_view metadata_name(std::string_view name, TextArena& arena) {
  if (is_in_form(name)) return name;
  std::string out;
  const bool wrapped = name.size() >= 4 && name.starts_with("__") && name.ends_with("__");
  if (wrapped) {
    out = "__";
    append_collapsed(out, name.substr(2, name.size() - 4));
    out += "__";
  } else {
    if (!name.empty() && is_digit(name.front())) out = "key_";
    append_collapsed(out, name);
  }
  if (out.find_first_not_of('_') == std::string::npos) return {};
  return arena.copy(out);
}

}  // namespace kvasir::ingest
