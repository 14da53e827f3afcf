#include "chunks/template_fields.h"

#include <algorithm>

#include "chunks/template_cursor.h"

namespace kvasir::chunks {
namespace {

constexpr int kJsonDepthMax = 32;
constexpr std::uint16_t kNoVariable = 0xffff;  // the value is fixed text

bool is_json_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_logfmt_blank(char c) { return c != '\0' && static_cast<unsigned char>(c) <= 0x20; }
bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string first_name(std::string name) {
  if (name[0] >= '0' && name[0] <= '9') name.insert(0, 1, '_');
  return name;
}

/// One JSON object, strictly, from the first byte to the last.
class JsonTemplate {
 public:
  explicit JsonTemplate(const RowTemplate& shape) : cursor_(shape) {}

  std::optional<TemplateFields> run() {
    if (!cursor_.skip('{') || !members("", 0) || !cursor_.at_end()) return std::nullopt;
    return std::move(found_);
  }

 private:
  void blanks() {
    while (is_json_blank(cursor_.peek())) cursor_.next();
  }

  /// Behind `{`, up to and with `}`.
  bool members(const std::string& prefix, int depth) {
    blanks();
    if (cursor_.skip('}')) return true;
    if (depth > kJsonDepthMax) return false;
    do {
      blanks();
      const auto key = this->key();
      if (!key) return false;
      blanks();
      if (!cursor_.skip(':')) return false;
      blanks();
      if (!value(prefix.empty() ? first_name(*key) : prefix + "_" + *key, depth)) return false;
      blanks();
    } while (cursor_.skip(','));
    return cursor_.skip('}');
  }

  std::optional<std::string> key() {
    if (!cursor_.skip('"')) return std::nullopt;
    std::string text;
    while (cursor_.peek() != '"') {
      const char c = cursor_.next();
      if (c == '\0' || c == '\\') return std::nullopt;  // a variable, the end, or an escape
      text += c;
    }
    cursor_.skip('"');
    return sanitised_key(text);
  }

  bool value(const std::string& name, int depth) {
    if (cursor_.skip('{')) return members(name, depth + 1);
    if (cursor_.skip('[')) return elements();
    if (cursor_.skip('"')) {
      if (!cursor_.at_variable()) return false;
      keep(name, cursor_.take_variable(), VariableRole::kJsonString);
      return cursor_.skip('"');
    }
    if (!cursor_.at_variable()) return false;
    keep(name, cursor_.take_variable(), VariableRole::kJsonBare);
    return true;
  }

  /// Behind `[`, up to and with its `]`. The stage steps over arrays by counting brackets outside strings.
  bool elements() {
    for (int open = 1; open > 0;) {
      if (cursor_.at_variable()) {
        cursor_.take_variable();  // bare: holds no bracket and no quote
        continue;
      }
      const char c = cursor_.next();
      if (c == '\0') return false;
      if (c == '[') ++open;
      if (c == ']') --open;
      if (c == '"' && !string_in_array()) return false;
    }
    return true;
  }

  /// Behind the opening quote: a variable or a key.
  bool string_in_array() {
    if (cursor_.at_variable()) cursor_.take_variable();
    while (cursor_.peek() != '"') {
      const char c = cursor_.next();
      if (c == '\0' || c == '\\') return false;
    }
    return cursor_.skip('"');
  }

  void keep(const std::string& name, std::uint16_t variable, VariableRole role) {
    found_.fields.push_back({name, variable, role, true});
  }

  TemplateCursor cursor_;
  TemplateFields found_;
};

/// Pairs between blanks. Text that is no pair is stepped over, as the stage does unless it is strict.
class LogfmtTemplate {
 public:
  explicit LogfmtTemplate(const RowTemplate& shape) : cursor_(shape) {}

  std::optional<TemplateFields> run() {
    for (;;) {
      while (is_logfmt_blank(cursor_.peek())) cursor_.next();
      if (cursor_.at_end()) return std::move(found_);
      if (!pair()) return std::nullopt;
    }
  }

 private:
  /// False: not certain.
  bool pair() {
    std::string key;
    bool has_variable = false;
    for (;;) {
      if (cursor_.at_variable()) {
        // Perhaps with a blank inside: only as a key would that matter. It has no name that a query could ask for.
        found_.fields.push_back({std::string(), cursor_.take_variable(), VariableRole::kLogfmtWord, false});
        has_variable = true;
        continue;
      }
      const char c = cursor_.peek();
      if (c == '\0' || is_logfmt_blank(c)) return true;  // a key without a value
      if (c == '"') return skip_bad();
      if (c == '=') break;
      key += cursor_.next();
    }
    cursor_.skip('=');
    if (has_variable) return false;
    if (key.empty()) return skip_bad();
    return value(key);
  }

  bool value(const std::string& key) {
    if (cursor_.at_end() || is_logfmt_blank(cursor_.peek())) return true;  // empty
    const auto name = sanitised_key(key);
    if (!name) return false;
    if (cursor_.skip('"')) return quoted(first_name(*name));
    if (!cursor_.at_variable()) return plain_fixed(first_name(*name));
    const std::uint16_t variable = cursor_.take_variable();
    const bool whole = cursor_.at_end() || is_logfmt_blank(cursor_.peek());
    found_.fields.push_back({first_name(*name), variable, VariableRole::kLogfmtPlain, whole});
    return whole || skip_plain();
  }

  /// Behind the opening quote.
  bool quoted(const std::string& name) {
    if (!cursor_.at_variable()) return false;
    const std::uint16_t variable = cursor_.take_variable();
    if (!cursor_.skip('"')) return false;
    found_.fields.push_back({name, variable, VariableRole::kLogfmtQuoted, true});
    return true;
  }

  /// The tokeniser leaves no value fixed but single punctuation; its text is not at hand here, so the name is marked
  /// unknown.
  bool plain_fixed(const std::string& name) {
    found_.fields.push_back({name, kNoVariable, VariableRole::kLogfmtPlain, false});
    return skip_plain();
  }

  /// To the next blank of an unquoted value, through fixed text only.
  bool skip_plain() {
    while (!cursor_.at_end() && !is_logfmt_blank(cursor_.peek())) {
      if (cursor_.at_variable()) return false;
      cursor_.next();
    }
    return true;
  }

  /// A bad pair ends at the next blank, wherever that is: a variable on the way might hold it.
  bool skip_bad() { return skip_plain(); }

  TemplateCursor cursor_;
  TemplateFields found_;
};

}  // namespace

std::optional<std::string> sanitised_key(std::string_view key) {
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  while (!key.empty() && kBlanks.find(key.front()) != key.npos) key.remove_prefix(1);
  while (!key.empty() && kBlanks.find(key.back()) != key.npos) key.remove_suffix(1);
  if (key.empty()) return std::nullopt;
  std::string name(key);
  for (char& c : name) {
    if (static_cast<unsigned char>(c) >= 0x7f || static_cast<unsigned char>(c) < 0x20) return std::nullopt;
    if (!is_name_byte(c)) c = '_';
  }
  return name;
}

std::optional<TemplateFields> json_fields(const RowTemplate& shape) { return JsonTemplate(shape).run(); }

std::optional<TemplateFields> logfmt_fields(const RowTemplate& shape) { return LogfmtTemplate(shape).run(); }

TemplateFields metadata_fields(const RowTemplate& shape) {
  TemplateFields out;
  for (std::uint16_t i = 0; i < shape.columns.size(); ++i) {
    out.fields.push_back({std::string(shape.fixed[i]), i, VariableRole::kMetadata, true});
  }
  return out;
}

}  // namespace kvasir::chunks
