// time_layout.h -- instants written as text in a fixed layout, as 64-bit numbers of the text's own precision.
//
// Layout:   a short text of fields and literals: Y (4 digits) y (2) m d H M S (2 each) b (Jan) e (day padded with a
//           blank), F<n> (n fraction digits, at the end of the seconds); anything else stands for itself.
//           `Y-m-dTH:M:SF3Z`, `d/b/Y:H:M:S +0000`.
// Value:    units of 10^-n seconds since 1970 as if the text were UTC; without a date since midnight (0 .. one day),
//           without a year in the year of the entry's own timestamp.
// Law:      parse succeeds only if format gives the same bytes back for the same entry timestamp.
// Threads:  one at a time: the text of the last day is kept, since rows mostly stay in one.
// Source:   docs/formats/segment-v1.md section 5.4.
#pragma once

#include <array>
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
  static constexpr std::size_t kNone = ~std::size_t{0};

  bool finish();
  void plan_fast_path();
  void keep_day(std::int64_t days) const;
  bool parse_fast(std::string_view text, std::int64_t entry_ns, std::int64_t& difference) const;
  bool parse_slowly(std::string_view text, std::int64_t entry_ns, std::int64_t& difference) const;
  std::size_t format_slowly(std::int64_t units, char* out) const;
  std::string spec_;
  std::int64_t unit_ns_ = 1'000'000'000;
  std::int64_t units_per_second_ = 1;
  std::size_t text_bytes_max_ = 0;
  std::size_t text_bytes_min_ = 0;
  bool has_year_ = false;
  bool has_date_ = false;

  // The fast path is for layouts of fixed-width fields, then perhaps a fraction, then literals: all that we detect.
  bool is_fast_ = false;
  std::size_t head_bytes_ = 0;  // before the fraction
  std::size_t hour_at_ = kNone, minute_at_ = kNone, second_at_ = kNone;
  std::uint8_t places_ = 0;     // of the fraction, 0 = none
  bool trimmed_ = false;
  std::string tail_;
  mutable std::int64_t kept_day_ = 0;
  mutable bool has_kept_day_ = false;
  mutable std::array<char, kTimeTextMax> kept_head_{};  // of the kept day at midnight
};

/// Bytes of the instant that begins at the front of `text`, 0 if none does. Used by the tokeniser; the longest known
/// form wins.
std::size_t match_instant(std::string_view text);

}  // namespace kvasir::chunks
