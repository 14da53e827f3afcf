#include "ingest/generic_fields.h"

#include <simdjson.h>

#include "ingest/line_scan.h"

namespace kvasir::ingest {
namespace {

namespace dom = simdjson::dom;

std::optional<std::string> json_path(dom::element root, std::string_view path) {
  dom::element at = root;
  while (true) {
    const std::string_view step = path.substr(0, path.find('.'));
    if (!at.is_object() || at.get_object().at_key(step).get(at) != simdjson::SUCCESS) return std::nullopt;
    if (step.size() == path.size()) break;
    path.remove_prefix(step.size() + 1);
  }
  if (at.is_string()) return std::string(at.get_string().value());
  return simdjson::minify(at);
}

std::optional<std::string> from_json(const std::vector<std::string>& hints, std::string_view line) {
  thread_local dom::parser parser;
  dom::element root;
  if (parser.parse(line.data(), line.size()).get(root) != simdjson::SUCCESS) return std::nullopt;
  for (const auto& hint : hints) {
    if (auto value = json_path(root, hint)) return value;
  }
  return std::nullopt;
}

std::optional<std::string> from_logfmt(const std::vector<std::string>& hints, std::string_view line) {
  for (const auto& hint : hints) {
    std::string_view rest = line;
    while (const auto pair = next_logfmt_pair(rest)) {
      if (pair->key == hint && !pair->value.empty()) return std::string(pair->value);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> find_generic_field(const std::vector<std::string>& hints, const Labels& labels,
                                              std::span<const LabelView> metadata, std::string_view line) {
  for (const auto& hint : hints) {
    if (const auto value = labels.get(hint)) return std::string(*value);
  }
  for (const auto& hint : hints) {
    for (const auto& pair : metadata) {
      if (pair.name == hint) return std::string(pair.value);
    }
  }
  const std::string_view text = trim_blanks(line);
  if (text.starts_with('{') && text.ends_with('}')) return from_json(hints, text);
  if (text.find('=') != std::string_view::npos) return from_logfmt(hints, text);
  return std::nullopt;
}

}  // namespace kvasir::ingest
