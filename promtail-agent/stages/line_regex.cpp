#include "promtail-agent/stages/line_regex.h"

#include <cstring>

#include "common/regex.h"
#include "common/utf8.h"

namespace kvasir::agent {
namespace {

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

void sanitise(std::string_view text, LineRegex::Scratch& scratch) {
  scratch.sanitised.clear();
  scratch.offsets.clear();
  std::size_t at = 0;
  while (at < text.size()) {
    const Rune rune = decode_utf8(text.substr(at));
    const std::string_view bytes = rune.valid ? text.substr(at, rune.length) : std::string_view("\xef\xbf\xbd");
    scratch.sanitised += bytes;
    // Inside a valid character each byte has its own place; a replacement stands for one byte.
    for (std::size_t i = 0; i < bytes.size(); ++i)
      scratch.offsets.push_back(static_cast<std::uint32_t>(rune.valid ? at + i : at));
    at += rune.length;
  }
  scratch.offsets.push_back(static_cast<std::uint32_t>(text.size()));
}

}  // namespace

bool is_utf8_line(std::string_view text) {
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    if ((word & 0x8080808080808080u) != 0) return is_valid_utf8(text.substr(at));
  }
  for (; at < text.size(); ++at)
    if ((static_cast<unsigned char>(text[at]) & 0x80) != 0) return is_valid_utf8(text.substr(at));
  return true;
}

Result<LineRegex> LineRegex::compile(std::string_view pattern) {
  LineRegex out;
  KVASIR_TRY(out.regex_, compile_regex(pattern, {}));
  for (const auto& [index, name] : out.regex_->CapturingGroupNames()) out.named_groups_.push_back({index, name});
  return out;
}

bool LineRegex::search(std::string_view text) const {
  if (is_utf8_line(text)) return re2::RE2::PartialMatch(piece(text), *regex_);
  Scratch scratch;
  sanitise(text, scratch);
  return re2::RE2::PartialMatch(scratch.sanitised, *regex_);
}

bool LineRegex::search(std::string_view text, std::size_t from, std::vector<std::string_view>& groups,
                       Scratch& scratch) const {
  const std::size_t count = static_cast<std::size_t>(group_count()) + 1;
  scratch.pieces.resize(count);
  groups.resize(count);
  if (is_utf8_line(text)) {
    if (!regex_->Match(piece(text), from, text.size(), re2::RE2::UNANCHORED, scratch.pieces.data(),
                       static_cast<int>(count)))
      return false;
    for (std::size_t i = 0; i < count; ++i) groups[i] = {scratch.pieces[i].data(), scratch.pieces[i].size()};
    return true;
  }
  sanitise(text, scratch);
  std::size_t start = 0;
  while (scratch.offsets[start] < from) ++start;
  if (!regex_->Match(scratch.sanitised, start, scratch.sanitised.size(), re2::RE2::UNANCHORED, scratch.pieces.data(),
                     static_cast<int>(count)))
    return false;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& found = scratch.pieces[i];
    groups[i] = {};
    if (found.data() == nullptr) continue;
    const auto begin = static_cast<std::size_t>(found.data() - scratch.sanitised.data());
    const std::size_t first = scratch.offsets[begin];
    groups[i] = text.substr(first, scratch.offsets[begin + found.size()] - first);
  }
  return true;
}

}  // namespace kvasir::agent
