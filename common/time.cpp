#include "common/time.h"

#include <fmt/format.h>

namespace kvasir {

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
