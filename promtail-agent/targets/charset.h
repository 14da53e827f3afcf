// charset.h -- lines of another character set as UTF-8.
//
// Names:    IANA names as the C library's converter knows them. UTF-16 and UTF-32 without a byte order take it from the
//           mark, big-endian without one.
// Errors:   invalid_argument `error doing IANA encoding: ...` for an unknown name. Bytes that cannot be read become
//           U+FFFD, counted.
// Threads:  one.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"
#include "promtail-agent/targets/plain_file.h"

namespace kvasir::agent {

class Charset {
 public:
  static Result<std::unique_ptr<Charset>> create(const std::string& name);
  ~Charset();

  /// The line in UTF-8; a view into an own buffer that lives until the next call, or the line itself.
  std::string_view decode(std::string_view line, bool first_of_file);
  NewlineForm newline() const { return newline_; }
  std::uint64_t undecodable() const { return undecodable_; }

 private:
  Charset(void* converter, NewlineForm newline) : converter_(converter), newline_(newline) {}

  void* converter_;  // iconv_t
  NewlineForm newline_;
  std::string out_;
  std::uint64_t undecodable_ = 0;
};

}  // namespace kvasir::agent
