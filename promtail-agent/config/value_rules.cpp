#include "promtail-agent/config/value_rules.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>

#include "common/number.h"
#include "common/utf8.h"

namespace kvasir::agent {

namespace {

constexpr std::int64_t kPortMax = 65535;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_number_of(int family, const std::string& text) {
  unsigned char bytes[16];
  return ::inet_pton(family, text.c_str(), bytes) == 1;
}

/// `fe80::1` of `fe80::1%eth0`: which interfaces there are shows when it is listened on.
std::string without_zone(const std::string& host) {
  const std::size_t percent = host.find('%');
  return percent == std::string::npos || percent + 1 == host.size() ? host : host.substr(0, percent);
}

std::string find_port_problem(const std::string& port) {
  const bool digits = !port.empty() && std::all_of(port.begin(), port.end(), is_digit);
  if (digits) {
    const auto number = parse_int64(port);
    return number && *number <= kPortMax ? "" : "the port must be 0 to 65535";
  }
  addrinfo* found = nullptr;
  const bool known = !port.empty() && ::getaddrinfo(nullptr, port.c_str(), nullptr, &found) == 0;
  if (known) ::freeaddrinfo(found);
  return known ? "" : "the port must be a number from 0 to 65535 or the name of a service";
}

/// The bytes that a class beginning at text[0] == '[' takes up to its ']'; 0: it has none.
std::size_t class_length(std::string_view text) {
  std::size_t i = 1;
  if (i < text.size() && (text[i] == '!' || text[i] == '^')) ++i;
  for (bool first = true; i < text.size() && (text[i] != ']' || first); first = false) i += text[i] == '\\' ? 2 : 1;
  return i < text.size() && text.substr(0, i).find('/') == std::string_view::npos ? i + 1 : 0;
}

}  // namespace

std::string find_host_problem(std::string_view text) {
  if (text.empty()) return "";
  const bool brackets = text.starts_with('[') && text.ends_with(']');
  const std::string host(brackets ? text.substr(1, text.size() - 2) : text);
  if (brackets || std::count(host.begin(), host.end(), ':') > 1)
    return is_number_of(AF_INET6, without_zone(host)) ? "" : "not an IPv6 address";
  if (host.find(':') != std::string::npos) return "an address without a port is wanted here";
  const auto in_number = [](char c) { return is_digit(c) || c == '.'; };
  if (std::all_of(host.begin(), host.end(), in_number))
    return is_number_of(AF_INET, host) ? "" : "not an IPv4 address";
  const auto in_name = [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_'; };
  return std::all_of(host.begin(), host.end(), in_name) ? "" : "not an address and not a host name";
}

std::string find_address_problem(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return "the port is missing, wanted is host:port or :port";
  const std::string_view host = text.substr(0, colon);
  if (host.find(':') != std::string_view::npos && !host.starts_with('['))
    return "an IPv6 address stands in brackets: [::1]:1514";
  if (std::string problem = find_host_problem(host); !problem.empty()) return problem + ", wanted is host:port or :port";
  return find_port_problem(std::string(text.substr(colon + 1)));
}

std::string find_pattern_problem(std::string_view text) {
  int braces = 0;
  std::string problem;
  for (std::size_t i = 0; i < text.size() && problem.empty(); ++i) {
    const std::size_t length = text[i] == '[' ? class_length(text.substr(i)) : text[i] == '\\' ? 2 : 1;
    if (length == 0) problem = "a [ has no ], \\[ is the letter";
    else if (i + length > text.size()) problem = "a \\ at the end escapes nothing";
    else if (text[i] == '{') ++braces;
    else if (text[i] == '}') braces = std::max(0, braces - 1);
    i += std::max<std::size_t>(length, 1) - 1;
  }
  if (problem.empty() && braces > 0) problem = "a { has no }, \\{ is the letter";
  struct stat status {};
  const bool letters = !problem.empty() && ::stat(std::string(text).c_str(), &status) == 0 && !S_ISDIR(status.st_mode);
  return letters ? "" : problem;
}

std::string find_label_name_problem(std::string_view name) {
  if (name.empty()) return "the name of a label must not be empty";
  return is_valid_utf8(name) ? "" : "the name of a label must be UTF-8";
}

bool is_plain_label_name(std::string_view name) {
  const auto in_name = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
  return !name.empty() && !is_digit(name[0]) && std::all_of(name.begin(), name.end(), in_name);
}

}  // namespace kvasir::agent
