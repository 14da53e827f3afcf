// time_layout.h -- instants written as text in a fixed layout, as 64-bit numbers of the text's own precision.
//
// Layout:   a short text of fields and literals: Y (4 digits) y (2) m d H M S (2 each) b (Jan) e (day padded with a
//           blank), F<n> (n fraction digits, at the end of the seconds); anything else stands for itself.
//           `Y-m-dTH:M:SF3Z`, `d/b/Y:H:M:S +0000`.
// Value:    units of 10^-n seconds since 1970 as if the text were UTC; without a date since midnight (0 .. one day),
//           without a year in the year of the entry's own timestamp.
// Law:      parse succeeds only if format gives the same bytes back for the same entry timestamp.
// Source:   docs/formats/segment-v1.md section 5.4.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kvasir::chunks {

inline constexpr std::size_t kTimeTextMax = 64;

class TimeLayout {
 public:
  /// The layout that a column may have, judged by its first, shortest and longest text; empty if these are no instants
  /// that we know.
  static std::optional<TimeLayout> detect(std::span<const std::string_view> texts);
  /// From stored text; empty if it breaks the grammar.
  static std::optional<TimeLayout> from_spec(std::string_view spec);

  const std::string& spec() const { return spec_; }
  std::int64_t unit_ns() const { return unit_ns_; }
  std::size_t text_bytes_max() const { return text_bytes_max_; }

  /// The difference between the text's instant and the entry's timestamp, in units. False: another layout, or not
  /// exact.
  bool parse(std::string_view text, std::int64_t entry_ns, std::int64_t& difference) const;
  /// Bytes written to out, which has room for text_bytes_max(). Any difference gives some text.
  std::size_t format(std::int64_t difference, std::int64_t entry_ns, char* out) const;

 private:
  bool finish();
  std::string spec_;
  std::int64_t unit_ns_ = 1'000'000'000;
  std::int64_t units_per_second_ = 1;
  std::size_t text_bytes_max_ = 0;
  std::size_t text_bytes_min_ = 0;
  bool has_year_ = false;
  bool has_date_ = false;
};

/// Bytes of the instant that begins at the front of `text`, 0 if none does. Used by the tokeniser; the longest known
/// form wins.
std::size_t match_instant(std::string_view text);

}  // namespace kvasir::chunks
