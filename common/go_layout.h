// go_layout.h -- cuts a Go time layout into literal text and fields; shared by formatting and parsing.
//
// Threads:  free functions without state.
#pragma once

#include <cstdint>
#include <string_view>

namespace kvasir {

enum class GoLayoutField : std::uint8_t {
  kNone,
  kLongMonth, kMonth, kNumberMonth, kZeroMonth,                       // January Jan 1 01
  kLongWeekDay, kWeekDay,                                             // Monday Mon
  kDay, kUnderDay, kZeroDay, kUnderYearDay, kZeroYearDay,             // 2 _2 02 __2 002
  kHour, kHour12, kZeroHour12,                                        // 15 3 03
  kMinute, kZeroMinute, kSecond, kZeroSecond,                         // 4 04 5 05
  kLongYear, kYear,                                                   // 2006 06
  kUpperPm, kLowerPm,                                                 // PM pm
  kZone,                                                              // MST
  kZ, kZSeconds, kZShort, kZColon, kZColonSeconds,                    // Z0700 Z070000 Z07 Z07:00 Z07:00:00
  kOffset, kOffsetSeconds, kOffsetShort, kOffsetColon, kOffsetColonSeconds,
  kFractionZeros, kFractionNines,                                     // .000 .999
};

struct GoLayoutPiece {
  std::string_view literal;   // before the field
  GoLayoutField field = GoLayoutField::kNone;
  std::string_view text;      // of the field
  std::string_view rest;      // of the layout
  int digits = 0;             // of a fraction
};

/// The next field of `layout`; kNone when only a literal is left.
GoLayoutPiece next_go_layout_piece(std::string_view layout);

bool is_z_offset(GoLayoutField field);
bool is_any_offset(GoLayoutField field);

inline constexpr std::string_view kGoMonthNames[] = {"January", "February", "March", "April", "May", "June", "July",
                                                     "August", "September", "October", "November", "December"};
inline constexpr std::string_view kGoDayNames[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
                                                   "Saturday"};

}  // namespace kvasir
