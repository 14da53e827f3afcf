#include "chunks/line_facts.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstring>
#include <string>

#include "chunks/segment_types.h"

namespace kvasir::chunks {
namespace {

constexpr std::size_t kRunMin = 12;  // shorter runs of letters and digits are no part of an id token
constexpr std::size_t kUuidFront = 24;
constexpr unsigned kNoSymbol = 31;

bool has_high_byte(std::string_view text) {
  std::uint64_t bits = 0;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    bits |= word;
  }
  for (; i < text.size(); ++i) bits |= static_cast<unsigned char>(text[i]);
  return (bits & 0x8080808080808080ULL) != 0;
}

bool holds(std::string_view text, char c) { return std::memchr(text.data(), c, text.size()) != nullptr; }

std::size_t run_at_end(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && is_id_byte(text[text.size() - 1 - n])) ++n;
  return n;
}

std::size_t run_at_front(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && is_id_byte(text[n])) ++n;
  return n;
}

/// Whether a UUID could begin before the piece and end in it.
bool may_end_uuid(std::string_view piece) {
  for (std::size_t i = 0; i < std::min(piece.size(), kUuidFront + 1); ++i) {
    if (piece[i] == '-' && run_at_front(piece.substr(i + 1)) >= kRunMin) return true;
  }
  return false;
}

/// A byte with the symbol: any that has it will do.
char byte_of(unsigned symbol) { return symbol == 0 ? '0' : static_cast<char>('a' + symbol - 1); }

/// The bytes of one side of a context, at most two.
struct Side {
  std::array<char, 2> bytes{};
  std::size_t size = 0;
  explicit Side(std::uint32_t context) {
    for (const unsigned symbol : {context >> 5 & 31, context & 31}) {
      if (symbol != kNoSymbol) bytes[size++] = byte_of(symbol);
    }
  }
  std::string_view text() const { return {bytes.data(), size}; }
};

std::uint32_t context_of(std::string_view before, std::string_view behind) {
  const auto at = [](std::string_view text, std::size_t i) -> std::uint32_t {
    return i < text.size() ? trigram_symbol(text[i]) : kNoSymbol;
  };
  const std::size_t n = before.size();
  const std::uint32_t left = (n >= 2 ? at(before, n - 2) : kNoSymbol) << 5 | (n >= 1 ? at(before, n - 1) : kNoSymbol);
  return left << 10 | at(behind, 0) << 5 | at(behind, 1);
}

/// The first and the last two symbols of values, and the values that are shorter.
struct Edges {
  using Pairs = std::bitset<1024>;  // two symbols of five bits
  Pairs fronts, ends;
  std::bitset<32> shorts;           // the one symbol; kNoSymbol for the empty text
  void add(std::string_view text) {
    if (text.size() < 2) {
      shorts.set(text.empty() ? kNoSymbol : trigram_symbol(text[0]));
      return;
    }
    fronts.set(trigram_symbol(text[0]) << 5 | trigram_symbol(text[1]));
    ends.set(trigram_symbol(text[text.size() - 2]) << 5 | trigram_symbol(text.back()));
  }
};

std::vector<std::array<char, 2>> listed(const Edges::Pairs& pairs) {
  std::vector<std::array<char, 2>> list;
  for (unsigned pair = 0; pair < pairs.size(); ++pair) {
    if (pairs.test(pair)) list.push_back({byte_of(pair >> 5), byte_of(pair & 31)});
  }
  return list;
}

using PairList = std::vector<std::array<char, 2>>;

/// Values of less than two bytes between their neighbours.
void add_short(const Edges& edges, std::string_view before, std::string_view behind, TrigramCollector& trigrams) {
  for (unsigned symbol = 0; symbol < edges.shorts.size(); ++symbol) {
    if (!edges.shorts.test(symbol)) continue;
    std::string text(before);
    if (symbol != kNoSymbol) text += byte_of(symbol);
    trigrams.add(text.append(behind));
  }
}

/// Any text of hex digits and hyphens.
void add_hex(TrigramCollector& trigrams, Edges& edges) {
  constexpr std::string_view kSymbols = "0abcdef";
  for (const char a : kSymbols) {
    for (const char b : kSymbols) {
      std::array<char, 3> text = {a, b, '0'};
      edges.add({text.data(), 2});
      for (const char c : kSymbols) {
        text[2] = c;
        trigrams.add({text.data(), 3});
      }
    }
  }
}

/// Values without a letter, of each length that may occur.
void add_digits(const ColumnFacts& facts, TrigramCollector& trigrams, Edges& edges) {
  for (std::size_t n = 0; n <= 3; ++n) {
    if (n < std::min<std::size_t>(facts.shortest, 3) || n > facts.longest) continue;
    const std::string_view text = std::string_view("000").substr(0, n);
    trigrams.add(text);
    edges.add(text);
  }
}

}  // namespace

std::uint16_t line_flags(std::string_view line) {
  using namespace block_flags;
  if (line.empty()) return 0;
  return static_cast<std::uint16_t>((has_high_byte(line) ? kNonAscii : 0) | (holds(line, '\n') ? kHasNewline : 0) |
                                    (holds(line, '\\') ? kHasBackslash : 0));
}

void LineFactsBuilder::begin(const TableBuilder& table) {
  whole_.assign(table.templates().size(), 0);
  places_.assign(table.columns().size(), {});
  for (std::uint32_t t = 0; t < table.templates().size(); ++t) {
    if (table.templates()[t].rows != 0) add_template(t, table.templates()[t]);
  }
}

void LineFactsBuilder::add_template(std::uint32_t shape, const TemplateDraft& draft) {
  std::string_view rest = draft.skeleton;
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < draft.columns.size(); ++i) {
    const std::size_t mark = rest.find('\0');
    pieces.push_back(rest.substr(0, mark));
    rest.remove_prefix(mark + 1);
  }
  pieces.push_back(rest);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::string_view piece = pieces[i];
    flags_ |= line_flags(piece);
    trigrams_.add(piece);
    find_id_tokens(piece, tokens_);
    const bool inner = i > 0 && i + 1 < pieces.size();
    if (inner && piece.size() < 2) whole_[shape] |= kTrigrams;  // a trigram may reach from one variable into the next
    if (inner && run_at_end(piece) == piece.size()) whole_[shape] |= kTokens;
    if (i > 0 && may_end_uuid(piece)) whole_[shape] |= kTokens;
  }
  for (std::size_t i = 0; i < draft.columns.size(); ++i) {
    const std::string_view before = pieces[i], behind = pieces[i + 1];
    places_[draft.columns[i]].push_back({shape, context_of(before, behind), run_at_end(before), run_at_front(behind),
                                         !before.empty() && before.back() == '-'});
  }
}

void LineFactsBuilder::take(std::uint16_t column, const ColumnFacts& facts) {
  if ((facts.mask & char_class::kHigh) != 0) flags_ |= block_flags::kNonAscii;
  if ((facts.mask & char_class::kBackslash) != 0) flags_ |= block_flags::kHasBackslash;
  if ((facts.mask & char_class::kControl) != 0) {
    for (const auto text : facts.texts) {
      if (!text.empty() && holds(text, '\n')) flags_ |= block_flags::kHasNewline;
    }
  }
  take_tokens(facts, places_[column]);
  take_trigrams(facts, places_[column]);
}

void LineFactsBuilder::take_tokens(const ColumnFacts& facts, std::span<const Place> places) {
  for (const Place& place : places) {
    const std::size_t beside = place.run_before + place.run_behind;
    const bool longer = beside > 0 && beside + facts.longest >= kRunMin;
    if (longer || (place.after_hyphen && facts.longest >= kRunMin)) whole_[place.shape] |= kTokens;
  }
  if (facts.longest < kRunMin || facts.type == ColumnType::kInstants) return;
  if (facts.type == ColumnType::kIds) {
    const bool has_hyphens = (facts.mask & char_class::kHyphen) != 0;  // the runs of a UUID are short
    if (!has_hyphens) tokens_.lengths |= std::uint64_t{1} << std::min<std::size_t>(facts.longest, 63);
    return;
  }
  for (const auto text : facts.texts) find_id_tokens(text, tokens_);
}

void LineFactsBuilder::take_trigrams(const ColumnFacts& facts, std::span<const Place> places) {
  Edges edges;
  if (facts.type == ColumnType::kIds) {
    add_hex(trigrams_, edges);
  } else if (facts.only_digits) {
    add_digits(facts, trigrams_, edges);
  } else if (facts.alike) {
    const auto longest =
        std::max_element(facts.texts.begin(), facts.texts.end(), [](auto a, auto b) { return a.size() < b.size(); });
    for (const auto text : {facts.texts[0], *longest}) {
      trigrams_.add(text);
      edges.add(text);
    }
  } else {
    for (const auto text : facts.texts) {
      trigrams_.add(text);
      edges.add(text);
    }
  }
  std::vector<std::uint32_t> contexts;
  for (const Place& place : places) contexts.push_back(place.context);
  std::sort(contexts.begin(), contexts.end());
  contexts.erase(std::unique(contexts.begin(), contexts.end()), contexts.end());
  const PairList fronts = listed(edges.fronts), ends = listed(edges.ends);
  for (const std::uint32_t context : contexts) {
    const Side before(context >> 10), behind(context);
    std::string text;
    for (const auto& pair : fronts) trigrams_.add(text.assign(before.text()).append(pair.data(), 2));
    for (const auto& pair : ends) trigrams_.add(text.assign(pair.data(), 2).append(behind.text()));
    add_short(edges, before.text(), behind.text(), trigrams_);
  }
}

void LineFactsBuilder::finish(const TableBuilder& table, std::span<const EntryView> rows) {
  if (std::all_of(whole_.begin(), whole_.end(), [](auto bits) { return bits == 0; })) return;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::uint8_t bits = whole_[static_cast<std::size_t>(table.template_ids()[row])];
    if ((bits & kTrigrams) != 0) trigrams_.add(rows[row].line);
    if ((bits & kTokens) != 0) find_id_tokens(rows[row].line, tokens_);
  }
}

}  // namespace kvasir::chunks
