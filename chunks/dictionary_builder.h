// dictionary_builder.h -- the distinct values of a column in order of first appearance, and a code for each value.
//
// Threads:  one builder per thread; its tables are reused from column to column.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace kvasir::chunks {

class DictionaryBuilder {
 public:
  /// False: too many distinct values for a dictionary to pay; nothing may then be read.
  bool build(std::span<const std::string_view> values);
  std::span<const std::string_view> values() const { return distinct_; }
  std::span<const std::int64_t> codes() const { return codes_; }

 private:
  std::vector<std::string_view> distinct_;
  std::vector<std::uint32_t> hashes_;
  std::vector<std::int64_t> codes_;
  std::vector<std::uint32_t> index_;  // open addressing: code + 1, 0 = free
};

}  // namespace kvasir::chunks
