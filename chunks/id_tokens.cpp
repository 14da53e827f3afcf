#include "chunks/id_tokens.h"

#include <algorithm>
#include <array>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "chunks/segment_reader.h"

namespace kvasir::chunks {
namespace {

constexpr std::size_t kRunMin = 12;  // the last group of a UUID
constexpr std::size_t kUuidBytes = 36;
constexpr std::uint8_t kDigit = 1, kHex = 2, kOther = 4;

constexpr std::array<std::uint8_t, 256> kKinds = [] {
  std::array<std::uint8_t, 256> kinds{};
  for (unsigned c = 0; c < 256; ++c) {
    if (c >= '0' && c <= '9') kinds[c] = kDigit;
    else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) kinds[c] = kHex;
    else if ((c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z')) kinds[c] = kOther;
  }
  return kinds;
}();

std::uint8_t kind(char c) { return kKinds[static_cast<unsigned char>(c)]; }

bool all_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (kind(c) & (kDigit | kHex)) != 0; });
}
bool has_digit(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return kind(c) == kDigit; });
}

/// Whether the run that begins at `begin` is the last group of a UUID.
bool ends_uuid(std::string_view text, std::size_t begin) {
  constexpr std::size_t kBefore = kUuidBytes - kRunMin;
  if (begin < kBefore || begin + kRunMin > text.size()) return false;
  const std::string_view uuid = text.substr(begin - kBefore, kUuidBytes);
  if (uuid[8] != '-' || uuid[13] != '-' || uuid[18] != '-' || uuid[23] != '-') return false;
  return all_hex(uuid.substr(0, 8)) && all_hex(uuid.substr(9, 4)) && all_hex(uuid.substr(14, 4)) &&
         all_hex(uuid.substr(19, 4)) && all_hex(uuid.substr(24));
}

/// Calls visit(begin, end) for every run of at least kRunMin. Looks at one byte in kRunMin until it meets a run.
template <class Visit>
void for_each_run(std::string_view text, Visit visit) {
  std::size_t begin = 0;
  while (begin + kRunMin <= text.size()) {
    std::size_t i = begin + kRunMin;
    while (i > begin && kind(text[i - 1]) != 0) --i;
    if (i > begin) {
      begin = i;  // after the last byte that breaks the run
      continue;
    }
    std::size_t end = begin + kRunMin;
    while (end < text.size() && kind(text[end]) != 0) ++end;
    visit(begin, end);
    begin = end + 1;
  }
}

bool is_indexed_run(std::string_view run) {
  return run.size() >= kIdTokenMin && run.size() <= kIdTokenMax && has_digit(run);
}

}  // namespace

bool is_id_byte(char c) { return kind(c) != 0; }

std::uint64_t id_hash(std::string_view token) {
  std::array<char, kIdTokenMax> folded;
  std::size_t size = 0;
  for (const char c : token) {
    if (c == '-' || size == folded.size()) continue;
    folded[size++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return XXH3_64bits(folded.data(), size);
}

void find_id_tokens(std::string_view text, IdTokens& found) {
  for_each_run(text, [&](std::size_t begin, std::size_t end) {
    const std::string_view run = text.substr(begin, end - begin);
    if (run.size() >= kIdTokenMin) found.lengths |= std::uint64_t{1} << std::min<std::size_t>(run.size(), 63);
    if (is_indexed_run(run)) found.hashes.push_back(id_hash(run));
    if (ends_uuid(text, begin))
      found.hashes.push_back(id_hash(text.substr(begin - (kUuidBytes - kRunMin), kUuidBytes)));
  });
}

std::vector<IdTokenPlace> locate_id_tokens(std::string_view text) {
  std::vector<IdTokenPlace> places;
  for_each_run(text, [&](std::size_t begin, std::size_t end) {
    if (is_indexed_run(text.substr(begin, end - begin))) places.push_back({begin, end, false});
    if (ends_uuid(text, begin)) places.push_back({begin - (kUuidBytes - kRunMin), begin + kRunMin, true});
  });
  return places;
}

bool is_indexed_id(std::string_view token) {
  if (token.size() == kUuidBytes && ends_uuid(token, kUuidBytes - kRunMin)) return true;
  return is_indexed_run(token) && std::all_of(token.begin(), token.end(), is_id_byte);
}

}  // namespace kvasir::chunks
