#include "common/labels.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/assert.h"
#include "common/utf8.h"

namespace kvasir {
namespace {

auto find_name(auto& pairs, std::string_view name) {
  return std::lower_bound(pairs.begin(), pairs.end(), name,
                          [](const Label& label, std::string_view wanted) { return label.name < wanted; });
}

void append_hex_escape(std::string& out, unsigned char byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += "\\x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

void append_quoted_ascii(std::string& out, unsigned char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\a': out += "\\a"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\v': out += "\\v"; return;
    default: break;
  }
  if (c < 0x20 || c == 0x7f) {
    append_hex_escape(out, c);
  } else {
    out += static_cast<char>(c);
  }
}

}  // namespace

Labels::Labels(std::initializer_list<Label> pairs) : Labels(from_unsorted(std::vector<Label>(pairs))) {}

Labels Labels::from_unsorted(std::vector<Label> pairs) {
  std::stable_sort(pairs.begin(), pairs.end(), [](const Label& a, const Label& b) { return a.name < b.name; });
  Labels labels;
  labels.pairs_.reserve(pairs.size());
  for (auto& pair : pairs) {
    if (!labels.pairs_.empty() && labels.pairs_.back().name == pair.name) {
      labels.pairs_.back().value = std::move(pair.value);
    } else {
      labels.pairs_.push_back(std::move(pair));
    }
  }
  return labels;
}

Labels Labels::from_sorted(std::vector<Label> pairs) {
  KVASIR_DASSERT(std::adjacent_find(pairs.begin(), pairs.end(),
                                    [](const Label& a, const Label& b) { return a.name >= b.name; }) == pairs.end(),
                 "labels are not sorted");
  Labels labels;
  labels.pairs_ = std::move(pairs);
  return labels;
}

std::optional<std::string_view> Labels::get(std::string_view name) const {
  const auto it = find_name(pairs_, name);
  if (it == pairs_.end() || it->name != name) return std::nullopt;
  return it->value;
}

std::string_view Labels::value_or_empty(std::string_view name) const { return get(name).value_or(std::string_view()); }

void Labels::set(std::string_view name, std::string_view value) {
  auto it = find_name(pairs_, name);
  if (it != pairs_.end() && it->name == name) {
    it->value = value;
    return;
  }
  if (pairs_.size() == pairs_.capacity()) {  // label sets are kept by the hundred thousand: no room for as many again
    const auto place = it - pairs_.begin();
    pairs_.reserve(pairs_.size() + pairs_.size() / 8 + 1);
    it = pairs_.begin() + place;
  }
  pairs_.insert(it, Label{std::string(name), std::string(value)});
}

void Labels::erase(std::string_view name) {
  const auto it = find_name(pairs_, name);
  if (it != pairs_.end() && it->name == name) pairs_.erase(it);
}

Fingerprint Labels::fingerprint() const {
  std::string text;
  for (const auto& pair : pairs_) {
    text += pair.name;
    text += '\xff';
    text += pair.value;
    text += '\xff';
  }
  return {XXH64(text.data(), text.size(), 0)};
}

std::string Labels::to_string() const {
  std::string out = "{";
  for (const auto& pair : pairs_) {
    if (out.size() > 1) out += ", ";
    out += pair.name;
    out += '=';
    append_go_quoted(out, pair.value);
  }
  out += '}';
  return out;
}

void append_go_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      append_quoted_ascii(out, c);
      ++i;
      continue;
    }
    const auto rune = decode_utf8(text.substr(i));
    if (rune.valid) {
      out.append(text.substr(i, rune.length));
    } else {
      append_hex_escape(out, c);
    }
    i += rune.length;
  }
  out += '"';
}

}  // namespace kvasir
