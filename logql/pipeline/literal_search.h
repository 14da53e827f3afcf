// literal_search.h -- substring search over short lines.
//
// Notes:    compares the first and the last byte of the needle at sixteen places at once, then the rest; faster than
//           memmem on lines of some hundred bytes.
// Threads:  free functions without state.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::logql {

/// Position of `needle`, or npos. An empty needle is at 0.
std::size_t find_literal(std::string_view text, std::string_view needle);

inline bool contains_literal(std::string_view text, std::string_view needle) {
  return find_literal(text, needle) != std::string_view::npos;
}

/// A literal that is compared by simple lower-casing of both sides.
class CaselessLiteral {
 public:
  explicit CaselessLiteral(std::string_view needle);
  bool found_in(std::string_view text) const;

 private:
  bool found_in_ascii(std::string_view text) const;

  std::string lower_;
  bool ascii_ = true;
  bool has_k_ = false;  // U+212A lower-cases to k
};

}  // namespace kvasir::logql
