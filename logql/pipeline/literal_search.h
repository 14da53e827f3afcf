// literal_search.h -- a literal in any mixture of cases.
//
// Notes:    compares the first and the last byte of the needle at sixteen places at once, then the rest.
// Threads:  found_in() from any thread.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::logql {

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
