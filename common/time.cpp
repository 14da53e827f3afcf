#include "common/time.h"

#include <fmt/format.h>

namespace kvasir {
namespace {

// Reads exactly `digits` digits off the front of `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take_one_of(std::string_view& text, std::string_view candidates) {
  if (text.empty() || candidates.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// `.25` as nanoseconds; 0 when there is no fraction.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
  if (!take_one_of(text, ".")) return 0;
  std::int64_t ns = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    if (digits < 9) ns = ns * 10 + (text[digits] - '0');
  }
  if (digits == 0) return std::nullopt;
  for (std::size_t i = digits; i < 9; ++i) ns *= 10;
  text.remove_prefix(digits);
  return ns;
}

// `Z` or `+01:30` as seconds east of Greenwich.
std::optional<int> take_offset(std::string_view& text) {
  if (take_one_of(text, "Zz")) return 0;
  const int sign = !text.empty() && text.front() == '-' ? -1 : 1;
  if (!take_one_of(text, "+-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  const bool colon = take_one_of(text, ":");
  const auto minutes = take_digits(text, 2);
  if (!hours || !colon || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 3600 + *minutes * 60);
}

}  // namespace

std::optional<TimestampNs> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const auto y = take_digits(text, 4);
  if (!y || !take_one_of(text, "-")) return std::nullopt;
  const auto mo = take_digits(text, 2);
  if (!mo || !take_one_of(text, "-")) return std::nullopt;
  const auto d = take_digits(text, 2);
  if (!d || !take_one_of(text, "Tt ")) return std::nullopt;
  const auto h = take_digits(text, 2);
  if (!h || !take_one_of(text, ":")) return std::nullopt;
  const auto mi = take_digits(text, 2);
  if (!mi || !take_one_of(text, ":")) return std::nullopt;
  const auto s = take_digits(text, 2);
  const auto fraction = s ? take_fraction(text) : std::nullopt;
  const auto offset = fraction ? take_offset(text) : std::nullopt;
  const year_month_day date{year(*y), month(static_cast<unsigned>(*mo)), day(static_cast<unsigned>(*d))};
  if (!offset || !text.empty() || !date.ok() || *h > 23 || *mi > 59 || *s > 59) return std::nullopt;
  const std::int64_t total =
      sys_days(date).time_since_epoch().count() * std::int64_t{86400} + *h * 3600 + *mi * 60 + *s - *offset;
  std::int64_t ns = 0;
  if (__builtin_mul_overflow(total, std::int64_t{1'000'000'000}, &ns) || __builtin_add_overflow(ns, *fraction, &ns)) {
    return std::nullopt;
  }
  return TimestampNs{ns};
}

std::string format_rfc3339(TimestampNs t) {
  using namespace std::chrono;
  const sys_time<nanoseconds> instant{nanoseconds(t.value)};
  const auto day = floor<days>(instant);
  const year_month_day date{day};
  const hh_mm_ss clock{instant - day};
  auto text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                          static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                          clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  if (const auto fraction = clock.subseconds().count(); fraction != 0) {
    text += fmt::format(".{:09}", fraction);
    while (text.back() == '0') text.pop_back();
  }
  text += 'Z';
  return text;
}

}  // namespace kvasir
