#include "logql/pipeline/literal_search.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <emmintrin.h>

#include "common/find_bytes.h"
#include "logql/pipeline/unicode_text.h"

namespace kvasir::logql {

namespace {

char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

bool equal_lowered(const char* text, std::string_view lower) {
  for (std::size_t i = 0; i < lower.size(); ++i) {
    if (ascii_lower(text[i]) != lower[i]) return false;
  }
  return true;
}

__m128i load(const char* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }

}  // namespace

CaselessLiteral::CaselessLiteral(std::string_view needle) : lower_(to_lower(needle)) {
  for (const char c : lower_) {
    if (static_cast<unsigned char>(c) >= 0x80) ascii_ = false;
    if (c == 'k') has_k_ = true;
  }
}

bool CaselessLiteral::found_in(std::string_view text) const {
  if (ascii_ && found_in_ascii(text)) return true;
  if (ascii_ && (!has_k_ || !contains_bytes(text, "\xe2\x84\xaa"))) return false;
  return contains_bytes(to_lower(text), lower_);
}

bool CaselessLiteral::found_in_ascii(std::string_view text) const {
  const std::size_t size = lower_.size();
  if (size == 0) return true;
  if (size > text.size()) return false;
  const __m128i first_lower = _mm_set1_epi8(lower_.front()), first_upper = _mm_set1_epi8(ascii_upper(lower_.front()));
  const __m128i last_lower = _mm_set1_epi8(lower_.back()), last_upper = _mm_set1_epi8(ascii_upper(lower_.back()));
  const char* const bytes = text.data();
  std::size_t at = 0;
  for (; at + size + 15 <= text.size(); at += 16) {
    const __m128i front = load(bytes + at), back = load(bytes + at + size - 1);
    const __m128i hits =
        _mm_and_si128(_mm_or_si128(_mm_cmpeq_epi8(front, first_lower), _mm_cmpeq_epi8(front, first_upper)),
                      _mm_or_si128(_mm_cmpeq_epi8(back, last_lower), _mm_cmpeq_epi8(back, last_upper)));
    auto mask = static_cast<std::uint32_t>(_mm_movemask_epi8(hits));
    for (; mask != 0; mask &= mask - 1) {
      if (equal_lowered(bytes + at + static_cast<std::size_t>(std::countr_zero(mask)), lower_)) return true;
    }
  }
  for (; at + size <= text.size(); ++at) {
    if (equal_lowered(bytes + at, lower_)) return true;
  }
  return false;
}

}  // namespace kvasir::logql
