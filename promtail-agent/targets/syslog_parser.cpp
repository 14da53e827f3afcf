#include "promtail-agent/targets/syslog_parser.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "common/number.h"

namespace kvasir::agent {

namespace {

constexpr std::array<std::string_view, 8> kSeverities = {"emergency", "alert", "critical", "error",
                                                         "warning", "notice", "informational", "debug"};
constexpr std::array<std::string_view, 24> kFacilities = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog",   "lpr",     "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "security", "console", "cron2",
    "local0", "local1", "local2",   "local3", "local4", "local5",   "local6",  "local7"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
inline constexpr int kPriorityMax = 191;

std::optional<int> take_priority(std::string_view& text) {
  if (!text.starts_with('<')) return std::nullopt;
  const std::size_t end = text.find('>');
  if (end == std::string_view::npos || end < 2 || end > 4) return std::nullopt;
  const auto value = parse_uint64(text.substr(1, end - 1));
  if (!value || *value > kPriorityMax) return std::nullopt;
  text.remove_prefix(end + 1);
  return static_cast<int>(*value);
}

/// The next word; false if there is no more.
bool take_word(std::string_view& text, std::string_view& word) {
  if (text.empty()) return false;
  const std::size_t end = std::min(text.find(' '), text.size());
  word = text.substr(0, end);
  text.remove_prefix(std::min(text.size(), end + 1));
  return !word.empty();
}

std::optional<std::string> present(std::string_view word) {
  if (word == "-") return std::nullopt;
  return std::string(word);
}

/// name="value" with \" \\ \] escapes; false if it is not well formed.
bool take_param(std::string_view& text, std::map<std::string, std::string>& params) {
  const std::size_t equals = text.find("=\"");
  if (equals == std::string_view::npos || equals == 0) return false;
  const std::string name(text.substr(0, equals));
  text.remove_prefix(equals + 2);
  std::string value;
  while (!text.empty() && text[0] != '"') {
    if (text[0] == '\\' && text.size() > 1 && (text[1] == '"' || text[1] == '\\' || text[1] == ']'))
      text.remove_prefix(1);
    value += text[0];
    text.remove_prefix(1);
  }
  if (text.empty()) return false;
  text.remove_prefix(1);
  params[name] = value;
  return true;
}

/// `[id a="1"][...]` or `-`. False: broken; what was read is kept.
bool take_structured(std::string_view& text, SyslogMessage& message) {
  if (text.starts_with('-')) {
    text.remove_prefix(1);
    return true;
  }
  if (!text.starts_with('[')) return false;
  while (text.starts_with('[')) {
    text.remove_prefix(1);
    const std::size_t end = text.find_first_of(" ]");
    if (end == std::string_view::npos || end == 0) return false;
    auto& params = message.structured[std::string(text.substr(0, end))];
    text.remove_prefix(end);
    while (text.starts_with(' ')) {
      text.remove_prefix(1);
      if (!take_param(text, params)) return false;
    }
    if (!text.starts_with(']')) return false;
    text.remove_prefix(1);
  }
  return true;
}

/// Fields after the version, as far as they can be read.
void parse_fields(std::string_view text, SyslogMessage& message) {
  std::string_view word;
  if (!take_word(text, word)) return;
  message.timestamp_text = word;
  if (const auto stamp = parse_rfc3339(word)) {
    message.timestamp = *stamp;
  } else if (word != "-") {
    return;
  }
  for (auto* field : {&message.hostname, &message.app_name, &message.proc_id, &message.msg_id}) {
    if (!take_word(text, word)) return;
    *field = present(word);
  }
  if (!take_structured(text, message) || !text.starts_with(' ')) return;
  text.remove_prefix(1);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (!text.empty()) message.message = std::string(text);
}

/// `Oct 11 22:14:15 ` at the front.
std::optional<std::tm> take_bsd_time(std::string_view& text) {
  if (text.size() < 16 || text[3] != ' ' || text[6] != ' ' || text[9] != ':' || text[12] != ':' || text[15] != ' ')
    return {};
  std::tm parts{};
  std::size_t month = 0;
  while (month < kMonths.size() && kMonths[month] != text.substr(0, 3)) ++month;
  if (month == kMonths.size()) return {};
  const auto number = [&](std::size_t at) {
    const std::string_view digits = text[at] == ' ' ? text.substr(at + 1, 1) : text.substr(at, 2);
    return parse_uint64(digits).value_or(99);
  };
  const std::uint64_t day = number(4), hour = number(7), minute = number(10), second = number(13);
  if (day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return {};
  parts.tm_mon = static_cast<int>(month);
  parts.tm_mday = static_cast<int>(day);
  parts.tm_hour = static_cast<int>(hour);
  parts.tm_min = static_cast<int>(minute);
  parts.tm_sec = static_cast<int>(second);
  text.remove_prefix(16);
  return parts;
}

TimestampNs with_nearest_year(std::tm parts, const TimeZone& zone, TimestampNs now) {
  const std::time_t now_seconds = now.value / 1'000'000'000;
  std::tm today{};
  ::gmtime_r(&now_seconds, &today);
  std::int64_t best = 0;
  for (int year = today.tm_year - 1; year <= today.tm_year + 1; ++year) {
    std::tm candidate = parts;
    candidate.tm_year = year;
    const std::int64_t seconds = zone.from_wall_clock(::timegm(&candidate));
    if (best == 0 || std::abs(seconds - now_seconds) < std::abs(best - now_seconds)) best = seconds;
  }
  return TimestampNs{best * 1'000'000'000LL};
}

void append_param_value(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '"' || c == '\\' || c == ']') out += '\\';
    out += c;
  }
}

}  // namespace

std::string_view severity_word(int severity) {
  return kSeverities[static_cast<std::size_t>(severity) % kSeverities.size()];
}

std::string_view facility_word(int facility) {
  return kFacilities[static_cast<std::size_t>(facility) % kFacilities.size()];
}

Result<SyslogMessage> parse_rfc5424(std::string_view text) {
  SyslogMessage message;
  const auto priority = take_priority(text);
  if (!priority) return fail(ErrorCode::kParse, "expecting a priority value between angle brackets");
  message.priority = *priority;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto version = digits > 3 ? std::nullopt : parse_uint64(text.substr(0, digits));
  if (!version || *version == 0) return fail(ErrorCode::kParse, "expecting a version value in the range 1-999");
  message.version = static_cast<int>(*version);
  text.remove_prefix(digits);
  if (text.starts_with(' ')) parse_fields(text.substr(1), message);
  return message;
}

Result<SyslogMessage> parse_rfc3164(std::string_view text, const TimeZone& zone, TimestampNs now) {
  SyslogMessage message;
  const auto priority = take_priority(text);
  if (!priority) return fail(ErrorCode::kParse, "expecting a priority value between angle brackets");
  message.priority = *priority;
  const auto parts = take_bsd_time(text);
  if (!parts) return fail(ErrorCode::kParse, "expecting a timestamp");
  message.timestamp = with_nearest_year(*parts, zone, now);
  std::string_view host;
  if (!take_word(text, host)) return message;
  message.hostname = std::string(host);
  const std::size_t end = text.find_first_of(":[ ");
  if (end != std::string_view::npos && end > 0 && end <= 32 && text[end] != ' ') {
    std::string_view rest = text.substr(end);
    if (rest[0] == '[' && rest.find("]") != std::string_view::npos) {
      message.proc_id = std::string(rest.substr(1, rest.find(']') - 1));
      rest.remove_prefix(rest.find(']') + 1);
    }
    if (rest.starts_with(':')) {
      message.app_name = std::string(text.substr(0, end));
      text = rest.substr(1);
      while (text.starts_with(' ')) text.remove_prefix(1);
    } else {
      message.proc_id.reset();
    }
  }
  if (!text.empty()) message.message = std::string(text);
  return message;
}

std::string print_rfc5424(const SyslogMessage& message) {
  std::string stamp = "-";
  if (message.timestamp) {
    const TimestampNs micro{message.timestamp->value / 1000 * 1000};
    stamp = format_rfc3339(micro);
  }
  std::string out = fmt::format("<{}>{} {} {} {} {} {} ", message.priority, std::max(message.version, 1), stamp,
                                message.hostname.value_or("-"), message.app_name.value_or("-"),
                                message.proc_id.value_or("-"), message.msg_id.value_or("-"));
  if (message.structured.empty()) out += '-';
  for (const auto& [id, params] : message.structured) {
    out += "[" + id;
    for (const auto& [name, value] : params) {
      out += " " + name + "=\"";
      append_param_value(out, value);
      out += '"';
    }
    out += ']';
  }
  if (message.message) out += " " + *message.message;
  return out;
}

Result<void> SyslogFramer::feed(std::string_view bytes, std::vector<std::string>& out) {
  held_.append(bytes);
  if (framing_ == Framing::kUnknown && !held_.empty()) {
    const char first = held_[0];
    if (first == '<') {
      framing_ = Framing::kNewline;
    } else if (first >= '0' && first <= '9') {
      framing_ = Framing::kOctetCounting;
    } else {
      return fail(ErrorCode::kInvalidArgument, fmt::format("invalid or unsupported framing. first byte: '{}'", first));
    }
  }
  if (framing_ == Framing::kOctetCounting) return take_counted(out);
  take_lines(out);
  return {};
}

Result<void> SyslogFramer::take_counted(std::vector<std::string>& out) {
  constexpr std::size_t kLengthDigitsMax = 10;
  std::size_t at = 0;
  while (true) {
    // Some senders end counted messages with a newline too; it may come with the next piece.
    while (at < held_.size() && held_[at] == '\n') ++at;
    const std::size_t space = held_.find(' ', at);
    const std::size_t digits = std::min(space, held_.size()) - at;
    if (digits > kLengthDigitsMax) return fail(ErrorCode::kInvalidArgument, "message length is not a number");
    if (space == std::string::npos) break;
    const auto length = parse_uint64(std::string_view(held_).substr(at, digits));
    if (!length) return fail(ErrorCode::kInvalidArgument, "message length is not a number");
    if (*length > message_bytes_max_) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("message too long to parse. was size {}, max length {}", *length, message_bytes_max_));
    }
    if (held_.size() - space - 1 < *length) break;
    out.push_back(held_.substr(space + 1, *length));
    at = space + 1 + *length;
  }
  held_.erase(0, at);
  return {};
}

/// A newline ends a message only if the next one begins behind it: lines that do not start with '<' go on with the
/// message.
void SyslogFramer::take_lines(std::vector<std::string>& out) {
  std::size_t start = 0;
  for (std::size_t at = 0; (at = held_.find("\n<", at)) != std::string::npos; ++at) {
    out.push_back(held_.substr(start, std::min(at - start, message_bytes_max_)));
    start = at + 1;
  }
  held_.erase(0, start);
  if (held_.size() > message_bytes_max_ + 1)
    held_.resize(message_bytes_max_ + 1);  // the rest of an overlong one is cut
}

std::optional<std::string> SyslogFramer::flush() {
  if (framing_ != Framing::kNewline || held_.empty()) return std::nullopt;
  std::string message = std::exchange(held_, {});
  while (!message.empty() && (message.back() == '\n' || message.back() == '\r')) message.pop_back();
  if (message.size() > message_bytes_max_) message.resize(message_bytes_max_);
  if (message.empty()) return std::nullopt;
  return message;
}

}  // namespace kvasir::agent
