#include "chunks/trigrams.h"

#include <unordered_map>

#include "common/bytes.h"

namespace kvasir::chunks {
namespace {

constexpr unsigned kNoLetter = 0;

constexpr std::array<std::uint8_t, 256> kSymbols = [] {
  std::array<std::uint8_t, 256> symbols{};
  for (unsigned i = 0; i < 26; ++i) symbols['a' + i] = symbols['A' + i] = static_cast<std::uint8_t>(i + 1);
  return symbols;
}();

std::uint8_t symbol(char c) { return kSymbols[static_cast<unsigned char>(c)]; }

std::uint16_t number(unsigned a, unsigned b, unsigned c) {
  return static_cast<std::uint16_t>((a * kTrigramSymbols + b) * kTrigramSymbols + c);
}

}  // namespace

void TrigramCollector::add(std::string_view line) {
  if (line.size() < 3) return;
  unsigned first = symbol(line[0]), second = symbol(line[1]);
  for (std::size_t i = 2; i < line.size(); ++i) {
    // Two registers instead of a shifted state: the steps do not wait for each other.
    const unsigned third = symbol(line[i]);
    seen_[first << 10 | second << 5 | third] = 1;
    first = second;
    second = third;
  }
}

TrigramSet TrigramCollector::take() {
  TrigramSet set;
  for (unsigned a = 0; a < kTrigramSymbols; ++a) {
    for (unsigned b = 0; b < kTrigramSymbols; ++b) {
      for (unsigned c = 0; c < kTrigramSymbols; ++c) {
        if (seen_[a << 10 | b << 5 | c] != 0) set.set(number(a, b, c));
      }
    }
  }
  seen_.fill(0);
  return set;
}

std::vector<std::uint16_t> trigrams_of_needle(std::string_view needle) {
  std::vector<std::uint16_t> trigrams;
  for (std::size_t i = 0; i + 3 <= needle.size(); ++i) {
    const unsigned a = symbol(needle[i]), b = symbol(needle[i + 1]), c = symbol(needle[i + 2]);
    if (a != kNoLetter || b != kNoLetter || c != kNoLetter) trigrams.push_back(number(a, b, c));
  }
  return trigrams;
}

void write_trigram_index(std::span<const TrigramSet> blocks, std::string& out) {
  const std::size_t row_bytes = (blocks.size() + 7) / 8;
  std::unordered_map<std::string, std::uint16_t> rows;
  std::string row_text, table;
  ByteWriter writer(table);
  for (std::size_t trigram = 0; trigram < kTrigramCount; ++trigram) {
    std::string row(row_bytes, '\0');
    bool any = false;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      if (!blocks[b].test(trigram)) continue;
      row[b / 8] = static_cast<char>(row[b / 8] | 1 << b % 8);
      any = true;
    }
    if (!any) {
      writer.varint(0);
      continue;
    }
    const auto [found, is_new] = rows.try_emplace(row, static_cast<std::uint16_t>(rows.size() + 1));
    if (is_new) row_text.append(row);
    writer.varint(found->second);
  }
  ByteWriter(out).varint(rows.size());
  out.append(row_text);
  out.append(table);
}

std::optional<TrigramIndex> TrigramIndex::read(std::string_view bytes, std::size_t blocks) {
  TrigramIndex index;
  index.row_bytes_ = (blocks + 7) / 8;
  ByteReader reader(bytes);
  const std::uint64_t rows = reader.count(index.row_bytes_);
  if (rows > kTrigramCount) return std::nullopt;
  index.rows_ = reader.raw(rows * index.row_bytes_);
  index.row_of_.resize(kTrigramCount);
  for (auto& row : index.row_of_) {
    const std::uint64_t r = reader.varint();
    if (r > rows) return std::nullopt;
    row = static_cast<std::uint16_t>(r);
  }
  if (!reader.ok() || !reader.at_end()) return std::nullopt;
  return index;
}

std::string_view TrigramIndex::blocks_with(std::uint16_t trigram) const {
  const std::uint16_t row = row_of_[trigram];
  return row == 0 ? std::string_view() : std::string_view(rows_).substr((row - 1u) * row_bytes_, row_bytes_);
}

}  // namespace kvasir::chunks
