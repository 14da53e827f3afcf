#include "chunks/tokenizer.h"

#include <algorithm>
#include <array>

#include "chunks/time_layout.h"
#include "common/vector_level.h"

#if KVASIR_HAS_AVX2_KERNELS
#include <immintrin.h>
#endif

namespace kvasir::chunks {
namespace {

enum Class : std::uint8_t {
  kDigit = 1,
  kHexLetter = 2,   // a-f
  kLetter = 4,      // every letter, and bytes >= 0x80
  kBareEnd = 8,     // ends a bare JSON value
  kJsonFixed = 16,  // punctuation and blanks between JSON values
  kBlank = 32,
  kKeyByte = 64,  // may stand before `=`
};

constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0; c < 256; ++c) {
    std::uint8_t bits = 0;
    if (c >= '0' && c <= '9') bits |= kDigit;
    if (c >= 'a' && c <= 'f') bits |= kHexLetter;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80) bits |= kLetter;
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') bits |= kBlank | kBareEnd | kJsonFixed;
    if (c == ',' || c == '}' || c == ']' || c == ':' || c == '{' || c == '[') bits |= kBareEnd | kJsonFixed;
    if (c == '"') bits |= kBareEnd;
    if (bits & (kDigit | kLetter) || c == '_' || c == '.' || c == '-' || c == '/') bits |= kKeyByte;
    classes[c] = bits;
  }
  return classes;
}();

std::uint8_t class_at(std::string_view text, std::size_t i) { return kClasses[static_cast<unsigned char>(text[i])]; }
bool is(std::string_view text, std::size_t i, unsigned classes) {
  return i < text.size() && class_at(text, i) & classes;
}

#if KVASIR_HAS_AVX2_KERNELS
/// Where the last whole 32 bytes end, or the first quote or backslash in them.
KVASIR_AVX2 std::size_t find_quote_avx2(std::string_view text, std::size_t i) {
  const __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\');
  for (; i + 32 <= text.size(); i += 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + i));
    const __m256i hit = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, quote), _mm256_cmpeq_epi8(bytes, backslash));
    if (const auto mask = static_cast<unsigned>(_mm256_movemask_epi8(hit)); mask != 0)
      return i + static_cast<std::size_t>(__builtin_ctz(mask));
  }
  return i;
}
#endif

/// Position of the next quote or backslash at or after `i`, or the end.
std::size_t find_quote(std::string_view text, std::size_t i) {
#if KVASIR_HAS_AVX2_KERNELS
  if (has_avx2()) i = find_quote_avx2(text, i);
#endif
  while (i < text.size() && text[i] != '"' && text[i] != '\\') ++i;
  return i;
}

/// Position of the quote that closes a string whose inside begins at `i`, or the end.
std::size_t string_end(std::string_view text, std::size_t i) {
  for (;;) {
    i = find_quote(text, i);
    if (i >= text.size() || text[i] == '"') return std::min(i, text.size());
    i += 2;  // a backslash and what it escapes
  }
}

class Cutter {
 public:
  Cutter(std::string_view line, std::vector<Token>& tokens) : line_(line), tokens_(tokens) {}

  // Both give the next place to look at.
  std::size_t json(std::size_t i) {
    if (line_[i] == '"') return json_string(i + 1);
    return is(line_, i, kJsonFixed) ? i + 1 : json_bare(i);
  }
  std::size_t text(std::size_t i) {
    const std::uint8_t c = class_at(line_, i);
    if (c & (kDigit | kLetter)) return word(i);
    if (line_[i] == '=') return value(i);
    return line_[i] == '"' ? quoted(i) : i + 1;
  }

 private:
  void push(std::size_t begin, std::size_t end) {
    tokens_.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
  }

  std::size_t json_string(std::size_t begin) {
    const std::size_t end = string_end(line_, begin);
    if (end + 1 < line_.size() && line_[end + 1] == ':') return end + 2;  // a key
    push(begin, end);
    return end + 1;
  }

  std::size_t json_bare(std::size_t begin) {
    std::size_t end = begin;
    while (end < line_.size() && !is(line_, end, kBareEnd)) ++end;
    push(begin, end);
    return end;
  }

  /// At `=`.
  std::size_t value(std::size_t at) {
    const bool after_key = at > 0 && is(line_, at - 1, kKeyByte);
    std::size_t begin = at + 1;
    if (!after_key || begin >= line_.size() || is(line_, begin, kBlank)) return begin;
    if (line_[begin] == '"') {
      const std::size_t end = string_end(line_, begin + 1);
      push(begin + 1, end);
      return end + 1;
    }
    std::size_t end = begin;
    while (end < line_.size() && !is(line_, end, kBlank)) ++end;
    const std::size_t whole = end;
    while (end > begin && std::string_view(",;)]}").find(line_[end - 1]) != std::string_view::npos) --end;
    if (end > begin) push(begin, end);
    return whole;
  }

  std::size_t quoted(std::size_t at) {
    const std::size_t end = string_end(line_, at + 1);
    if (end >= line_.size()) return at + 1;
    push(at + 1, end);
    return end + 1;
  }

  /// The end of the letters and digits from `i`.
  std::size_t run_end(std::size_t i) const {
    while (is(line_, i, kDigit | kLetter)) ++i;
    return i;
  }
  bool run_has_digit(std::size_t begin, std::size_t end) const {
    for (; begin < end; ++begin) {
      if (is(line_, begin, kDigit)) return true;
    }
    return false;
  }

  std::size_t word(std::size_t begin) {
    const std::uint8_t first = class_at(line_, begin);
    const bool may_be_instant = (first & kDigit) != 0 || (line_[begin] >= 'A' && line_[begin] <= 'S');  // Apr .. Sep
    if (const std::size_t bytes = may_be_instant ? match_instant(line_.substr(begin)) : 0; bytes != 0) {
      push(begin, begin + bytes);
      return begin + bytes;
    }
    std::size_t first_end = begin;
    std::uint8_t seen = 0;
    for (std::uint8_t c = first; (c & (kDigit | kLetter)) != 0;) {
      seen |= c;
      if (++first_end == line_.size()) break;
      c = class_at(line_, first_end);
    }
    const bool has_digit = (seen & kDigit) != 0;
    if (!has_digit && !starts_hyphenated_id(begin, first_end)) return first_end;
    if (first_end < line_.size() && line_[first_end] == '=') return first_end;  // a key with a digit in its name
    const std::size_t end = joined_end(first_end);
    if (end == first_end) return push_word(begin, end);
    push(number_begin(begin), unit_start(begin, end));
    return end;
  }

  /// A UUID whose first group has no digit.
  bool starts_hyphenated_id(std::size_t begin, std::size_t end) const {
    return end - begin == 8 && end < line_.size() && line_[end] == '-' && all_hex(begin, end) &&
           run_end(end + 1) == end + 5;
  }

  bool all_hex(std::size_t begin, std::size_t end) const {
    for (; begin < end; ++begin) {
      if (!is(line_, begin, kDigit | kHexLetter)) return false;
    }
    return true;
  }

  /// Goes on over points and colons between digits, and over hyphens before runs with a digit.
  std::size_t joined_end(std::size_t end) const {
    while (end + 1 < line_.size()) {
      const char c = line_[end];
      if ((c == '.' || c == ':') && is(line_, end - 1, kDigit) && is(line_, end + 1, kDigit)) {
        end = run_end(end + 1);
      } else if (c == '-' && is(line_, end + 1, kDigit | kLetter)) {
        const std::size_t next = run_end(end + 1);
        if (!run_has_digit(end + 1, next) && !(next - end == 5 && all_hex(end + 1, next))) return end;
        end = next;
      } else {
        return end;
      }
    }
    return end;
  }

  /// Takes a minus sign along that cannot be a hyphen.
  std::size_t number_begin(std::size_t begin) const {
    const bool minus = begin > 0 && line_[begin - 1] == '-' && is(line_, begin, kDigit);
    if (!minus || (!tokens_.empty() && tokens_.back().end > begin - 1)) return begin;
    return begin == 1 || is(line_, begin - 2, kBlank) || line_[begin - 2] == '(' || line_[begin - 2] == ':' ? begin - 1
                                                                                                            : begin;
  }

  /// Where the unit after a plain number begins: 12.5|ms; `end` if there is none.
  std::size_t unit_start(std::size_t begin, std::size_t end) const {
    std::size_t digits_end = begin;
    while (digits_end < end && (is(line_, digits_end, kDigit) || line_[digits_end] == '.')) ++digits_end;
    const std::string_view unit = line_.substr(digits_end, end - digits_end);
    if (digits_end == begin || unit.empty() || unit.size() > 3) return end;
    for (const std::string_view known :
         {"ms", "s", "us", "ns", "m", "h", "KB", "MB", "GB", "kB", "B", "K", "M", "G", "KiB", "MiB", "GiB", "x"}) {
      if (unit == known) return digits_end;
    }
    return end;
  }

  /// A single run with a digit: name12 keeps `name` fixed, 12ms keeps `ms`, anything mixed is one variable.
  std::size_t push_word(std::size_t begin, std::size_t end) {
    if (end - begin >= 6 && all_hex(begin, end)) {
      push(number_begin(begin), end);
      return end;
    }
    std::size_t digits = begin;
    while (digits < end && !is(line_, digits, kDigit)) ++digits;
    std::size_t rest = digits;
    while (rest < end && is(line_, rest, kDigit)) ++rest;
    if (rest == end) push(digits == begin ? number_begin(begin) : digits, end);
    else push(number_begin(begin), unit_start(begin, end));
    return end;
  }

  std::string_view line_;
  std::vector<Token>& tokens_;
};

}  // namespace

void tokenize(std::string_view line, std::vector<Token>& tokens) {
  tokens.clear();
  Cutter cutter(line, tokens);
  std::size_t at = 0;
  if (line.starts_with('{')) {
    while (at < line.size()) at = cutter.json(at);
  } else {
    while (at < line.size()) at = cutter.text(at);
  }
}

std::size_t tokenize_step(std::string_view line, std::size_t at, std::vector<Token>& tokens) {
  Cutter cutter(line, tokens);
  return line[0] == '{' ? cutter.json(at) : cutter.text(at);
}

}  // namespace kvasir::chunks
