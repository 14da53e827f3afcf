#include "common/go_layout.h"

namespace kvasir {

namespace {

using Field = GoLayoutField;

struct Token {
  std::string_view text;
  Field field;
};

// Of tokens with one first letter the longer ones stand first.
constexpr Token kTokens[] = {
    {"January", Field::kLongMonth}, {"Jan", Field::kMonth}, {"Monday", Field::kLongWeekDay}, {"Mon", Field::kWeekDay},
    {"MST", Field::kZone}, {"002", Field::kZeroYearDay}, {"01", Field::kZeroMonth}, {"02", Field::kZeroDay},
    {"03", Field::kZeroHour12}, {"04", Field::kZeroMinute}, {"05", Field::kZeroSecond}, {"06", Field::kYear},
    {"15", Field::kHour}, {"1", Field::kNumberMonth}, {"2006", Field::kLongYear}, {"2", Field::kDay},
    {"__2", Field::kUnderYearDay}, {"_2", Field::kUnderDay}, {"3", Field::kHour12}, {"4", Field::kMinute},
    {"5", Field::kSecond}, {"PM", Field::kUpperPm}, {"pm", Field::kLowerPm}, {"-070000", Field::kOffsetSeconds},
    {"-07:00:00", Field::kOffsetColonSeconds}, {"-0700", Field::kOffset}, {"-07:00", Field::kOffsetColon},
    {"-07", Field::kOffsetShort}, {"Z070000", Field::kZSeconds}, {"Z07:00:00", Field::kZColonSeconds},
    {"Z0700", Field::kZ}, {"Z07:00", Field::kZColon}, {"Z07", Field::kZShort},
};

bool starts_lower(std::string_view text) { return !text.empty() && text[0] >= 'a' && text[0] <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The field that starts at the front of `layout`, with its text.
Token token_at(std::string_view layout) {
  for (const Token& token : kTokens) {
    if (layout.substr(0, token.text.size()) != token.text) continue;
    const bool is_name = token.field == Field::kMonth || token.field == Field::kWeekDay;
    if (is_name && starts_lower(layout.substr(3))) continue;  // "Janet" is a literal
    return {layout.substr(0, token.text.size()), token.field};
  }
  return {{}, Field::kNone};
}

// The length of a `.000` or `,999` at the front; 0 if there is none.
std::size_t fraction_length(std::string_view layout) {
  if (layout.size() < 2 || (layout[0] != '.' && layout[0] != ',') || (layout[1] != '0' && layout[1] != '9')) return 0;
  std::size_t end = 1;
  while (end < layout.size() && layout[end] == layout[1]) ++end;
  return end < layout.size() && is_digit(layout[end]) ? 0 : end;
}

}  // namespace

GoLayoutPiece next_go_layout_piece(std::string_view layout) {
  for (std::size_t i = 0; i < layout.size(); ++i) {
    const auto here = layout.substr(i);
    if (here.substr(0, 5) == "_2006") continue;  // an underscore, then the year
    if (const std::size_t size = fraction_length(here); size != 0) {
      const Field field = here[1] == '0' ? Field::kFractionZeros : Field::kFractionNines;
      return {layout.substr(0, i), field, here.substr(0, size), here.substr(size), static_cast<int>(size) - 1};
    }
    if (const Token token = token_at(here); token.field != Field::kNone) {
      return {layout.substr(0, i), token.field, token.text, here.substr(token.text.size())};
    }
  }
  return {layout, Field::kNone, {}, {}};
}

bool is_z_offset(GoLayoutField field) { return field >= Field::kZ && field <= Field::kZColonSeconds; }
bool is_any_offset(GoLayoutField field) { return field >= Field::kZ && field <= Field::kOffsetColonSeconds; }

}  // namespace kvasir
