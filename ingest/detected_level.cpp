#include "ingest/detected_level.h"

#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif

#include <array>

#include "common/number.h"
#include "ingest/line_scan.h"

namespace kvasir::ingest {
namespace {

constexpr std::string_view kName = "detected_level";

char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c; }

bool equal_fold(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (fold(text[i]) != fold(lower[i])) return false;
  }
  return true;
}

struct Word {
  std::string_view text;
  Level level;
};

constexpr std::array<Word, 14> kWords = {{{"trace", Level::kTrace},
                                          {"trc", Level::kTrace},
                                          {"debug", Level::kDebug},
                                          {"dbg", Level::kDebug},
                                          {"info", Level::kInfo},
                                          {"inf", Level::kInfo},
                                          {"information", Level::kInfo},
                                          {"warn", Level::kWarn},
                                          {"wrn", Level::kWarn},
                                          {"warning", Level::kWarn},
                                          {"error", Level::kError},
                                          {"err", Level::kError},
                                          {"critical", Level::kCritical},
                                          {"fatal", Level::kFatal}}};

/// Words that are looked for in running text.
constexpr std::array<Word, 9> kScanWords = {{{"trace", Level::kTrace},
                                             {"debug", Level::kDebug},
                                             {"fatal", Level::kFatal},
                                             {"critical", Level::kCritical},
                                             {"error", Level::kError},
                                             {"err", Level::kError},
                                             {"warning", Level::kWarn},
                                             {"warn", Level::kWarn},
                                             {"info", Level::kInfo}}};

constexpr std::array<bool, 256> bytes_of(std::string_view set) {
  std::array<bool, 256> table{};
  for (const char c : set) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr auto kLeftBoundary = bytes_of(" \t\n[({\"=");
constexpr auto kRightBoundary = bytes_of(" \t\n[](){}:,!\"=");
constexpr auto kFirstLetter = bytes_of("tdfcewiTDFCEWI");

bool in(const std::array<bool, 256>& table, char c) { return table[static_cast<unsigned char>(c)]; }

#if defined(__SSSE3__)
/// Which bytes of 16 are in a set: `low` and `high` give each half of a byte a group of bits, and members share one.
__m128i members(__m128i bytes, __m128i low, __m128i high) {
  const __m128i nibble = _mm_set1_epi8(0x0f);
  return _mm_and_si128(_mm_shuffle_epi8(low, _mm_and_si128(bytes, nibble)),
                       _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble)));
}

/// Bit n: text[n] is a first letter of a level word and text[n - 1] a left boundary. Reads text[-1] to text[15].
unsigned word_starts(const char* text) {
  const __m128i boundary_low = _mm_setr_epi8(2, 0, 2, 0, 0, 0, 0, 0, 2, 1, 1, 8, 0, 4, 0, 0);
  const __m128i boundary_high = _mm_setr_epi8(1, 0, 2, 4, 0, 8, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m128i letter_low = _mm_setr_epi8(0, 0, 0, 1, 3, 1, 1, 2, 0, 1, 0, 0, 0, 0, 0, 0);
  const __m128i letter_high = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m128i before = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text - 1));
  const __m128i here = _mm_or_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(text)), _mm_set1_epi8(0x20));
  const __m128i zero = _mm_setzero_si128();
  const __m128i no_boundary = _mm_cmpeq_epi8(members(before, boundary_low, boundary_high), zero);
  const __m128i no_letter = _mm_cmpeq_epi8(members(here, letter_low, letter_high), zero);
  return ~static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(no_boundary, no_letter))) & 0xffffu;
}
#endif

std::optional<Level> word_at(std::string_view rest) {
  for (const auto& [text, level] : kScanWords) {
    if (rest.size() < text.size() || !equal_fold(rest.substr(0, text.size()), text)) continue;
    if (rest.size() == text.size() || in(kRightBoundary, rest[text.size()])) return level;
  }
  return std::nullopt;
}

/// A value that names a level: in its one spelling if it is known, else as sent.
std::string_view normalised(std::string_view value) {
  const auto level = parse_level(value);
  return level ? level_pair(*level).value : value;
}

}  // namespace

std::string_view detected_level_name() { return kName; }

const LabelView& level_pair(Level level) {
  static constexpr std::array<LabelView, 8> kPairs = {{{kName, "unknown"},
                                                       {kName, "trace"},
                                                       {kName, "debug"},
                                                       {kName, "info"},
                                                       {kName, "warn"},
                                                       {kName, "error"},
                                                       {kName, "critical"},
                                                       {kName, "fatal"}}};
  return kPairs[static_cast<std::size_t>(level)];
}

std::optional<Level> parse_level(std::string_view word) {
  for (const auto& [text, level] : kWords) {
    if (equal_fold(word, text)) return level;
  }
  return std::nullopt;
}

Level level_of_severity(std::string_view decimal) {
  const auto number = parse_int64(decimal);
  if (!number) return Level::kInfo;
  if (*number <= 0 || *number > 24) return Level::kUnknown;
  constexpr std::array<Level, 6> kSteps = {Level::kTrace, Level::kDebug, Level::kInfo,
                                           Level::kWarn,  Level::kError, Level::kFatal};
  return kSteps[static_cast<std::size_t>(*number - 1) / 4];
}

LevelDetector::LevelDetector(std::vector<std::string> fields, std::uint64_t json_depth_max)
    : fields_(std::move(fields)), json_depth_max_(json_depth_max) {
  for (const auto& field : fields_) lengths_ |= std::uint64_t{1} << std::min<std::size_t>(field.size(), 63);
}

bool LevelDetector::is_field(std::string_view name) const {
  if ((lengths_ >> std::min<std::size_t>(name.size(), 63) & 1) == 0) return false;
  for (const auto& field : fields_) {
    if (name == field) return true;
  }
  return false;
}

std::optional<std::string_view> LevelDetector::from_labels(const Labels& labels) const {
  for (const auto& field : fields_) {
    if (const auto value = labels.get(field)) return normalised(*value);
  }
  return std::nullopt;
}

std::optional<std::string_view> LevelDetector::from_metadata(std::span<const LabelView> metadata) const {
  const auto find = [&](std::string_view name) -> const LabelView* {
    for (const auto& pair : metadata) {
      if (pair.name == name) return &pair;
    }
    return nullptr;
  };
  for (const auto& field : fields_) {
    if (const auto* pair = find(field)) return normalised(pair->value);
  }
  if (const auto* pair = find("severity_number")) return level_pair(level_of_severity(pair->value)).value;
  return std::nullopt;
}

std::optional<std::string_view> LevelDetector::from_json(std::string_view line) const {
  JsonStrings strings(line, json_depth_max_);
  while (const auto member = strings.next()) {
    if (is_field(member->key)) return member->value;
  }
  return std::nullopt;
}

std::optional<std::string_view> LevelDetector::from_logfmt(std::string_view line) const {
  std::optional<std::string_view> best;
  std::size_t best_rank = fields_.size();
  while (const auto pair = next_logfmt_pair(line)) {
    if ((lengths_ >> std::min<std::size_t>(pair->key.size(), 63) & 1) == 0) continue;
    for (std::size_t rank = 0; rank < best_rank; ++rank) {
      if (!equal_fold(pair->key, fields_[rank])) continue;
      best = pair->value;
      best_rank = rank;
    }
    if (best_rank == 0) break;
  }
  return best;
}

Level LevelDetector::from_line(std::string_view line) const {
  const std::string_view text = trim_blanks(line);
  std::optional<std::string_view> value;
  if (text.starts_with('{') && text.ends_with('}')) {
    value = from_json(text);
  } else if (text.find('=') != std::string_view::npos) {
    value = from_logfmt(text);
  }
  if (value) {
    if (const auto level = parse_level(*value)) return *level;
  }
  return scan_level_words(line);
}

Level scan_level_words(std::string_view line) {
  std::size_t at = 0;
  bool after_boundary = true;
#if defined(__SSSE3__)
  if (!line.empty() && in(kFirstLetter, line[0])) {
    if (const auto level = word_at(line)) return *level;
  }
  for (at = 1; at + 16 <= line.size(); at += 16) {
    for (unsigned starts = word_starts(line.data() + at); starts != 0; starts &= starts - 1) {
      if (const auto level = word_at(line.substr(at + static_cast<unsigned>(__builtin_ctz(starts))))) return *level;
    }
  }
  after_boundary = !line.empty() && in(kLeftBoundary, line[at - 1]);
#endif
  for (; at < line.size(); ++at) {
    if (after_boundary && in(kFirstLetter, line[at])) {
      if (const auto level = word_at(line.substr(at))) return *level;
    }
    after_boundary = in(kLeftBoundary, line[at]);
  }
  return Level::kUnknown;
}

}  // namespace kvasir::ingest
