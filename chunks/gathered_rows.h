// gathered_rows.h -- rows of several small streams on their way into one shared block: copied, in the order given.
//
// Lifetime: views given out live until clear().
// Threads:  one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/entry.h"

namespace kvasir::chunks {

class GatheredRows {
 public:
  /// Rows of one stream, in one piece.
  struct Piece {
    std::uint32_t stream = 0;
    std::size_t rows = 0;
  };

  void add(std::uint32_t stream, std::span<const EntryView> rows);
  void clear();

  bool empty() const { return rows_.empty(); }
  std::span<const EntryView> rows() const { return rows_; }
  std::span<const Piece> pieces() const { return pieces_; }
  /// Of lines and copied metadata.
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::string_view keep(std::string_view text);
  std::span<const LabelView> keep(std::span<const LabelView> metadata);

  std::vector<EntryView> rows_;
  std::vector<Piece> pieces_;
  std::uint64_t bytes_ = 0;
  std::vector<std::unique_ptr<char[]>> slabs_;
  char* free_ = nullptr;
  std::size_t left_ = 0;
  std::vector<std::vector<LabelView>> sets_;  // rows share the one before where they can
};

}  // namespace kvasir::chunks
