// syslog_parser.h -- syslog messages: RFC 5424, RFC 3164, and the two framings of a stream.
//
// Model:    parsing is best effort: what could be read of a broken message is kept. Absent fields (`-`) are empty
//           optionals.
// Errors:   parse: nothing of use could be read (no priority, no version).
// Lifetime: messages own their text.
// Threads:  any; a SyslogFramer belongs to one connection.
// Limits:   SyslogFramer: message_bytes_max per message, longer ones are cut (newline framing) or end the stream (octet
//           counting).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/go_time.h"
#include "common/time.h"

namespace kvasir::agent {

struct SyslogMessage {
  int priority = 0;
  int version = 0;
  std::optional<TimestampNs> timestamp;
  std::string timestamp_text;                       // as it came
  std::optional<std::string> hostname, app_name, proc_id, msg_id;
  std::map<std::string, std::map<std::string, std::string>> structured;  // id -> name -> value
  std::optional<std::string> message;

  int facility() const { return priority / 8; }
  int severity() const { return priority % 8; }
};

Result<SyslogMessage> parse_rfc5424(std::string_view text);
/// Times of this format have no year and no zone: they are read in `zone`, with the year that puts them nearest to
/// `now`.
Result<SyslogMessage> parse_rfc3164(std::string_view text, const TimeZone& zone, TimestampNs now);
/// The message in RFC 5424 form, structured data sorted.
std::string print_rfc5424(const SyslogMessage& message);

/// emergency ... debug; kern ... local7.
std::string_view severity_word(int severity);
std::string_view facility_word(int facility);

class SyslogFramer {
 public:
  explicit SyslogFramer(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  /// Adds what the stream gave; complete messages are appended to `out`. Errors: invalid_argument (the stream is of no
  /// use any more).
  Result<void> feed(std::string_view bytes, std::vector<std::string>& out);
  /// The message that waits for its end, at the end of the stream or after a silence.
  std::optional<std::string> flush();
  bool holds_message() const { return framing_ == Framing::kNewline && !held_.empty(); }

 private:
  enum class Framing { kUnknown, kNewline, kOctetCounting };
  Result<void> take_counted(std::vector<std::string>& out);
  void take_lines(std::vector<std::string>& out);

  const std::size_t message_bytes_max_;
  Framing framing_ = Framing::kUnknown;
  std::string held_;
};

}  // namespace kvasir::agent
