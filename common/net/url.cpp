// URLs, base64 and basic authentication for the client.
#include <array>

#include "common/net/http_client.h"
#include "common/number.h"

namespace kvasir::net {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Error bad_url(std::string_view url, std::string_view why) {
  return {ErrorCode::kInvalidArgument, "url " + std::string(why) + ": " + std::string(url)};
}

Result<void> take_user(std::string_view text, UrlParts& parts) {
  const std::size_t colon = text.find(':');
  KVASIR_TRY(parts.user, percent_decode(text.substr(0, colon)));
  if (colon != std::string_view::npos) {
    KVASIR_TRY(parts.password, percent_decode(text.substr(colon + 1)));
  }
  parts.has_user = true;
  return {};
}

/// host, host:port, [v6], [v6]:port
bool take_host(std::string_view text, UrlParts& parts) {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    parts.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!port.empty() && port.front() != ':') return false;
  } else {
    const std::size_t colon = text.find(':');
    parts.host = text.substr(0, colon);
    port = colon == std::string_view::npos ? "" : text.substr(colon);
  }
  if (port.size() > 1) {
    const auto number = parse_uint64(port.substr(1));
    if (!number || *number == 0 || *number > 65535) return false;
    parts.port = static_cast<std::uint16_t>(*number);
  }
  return !parts.host.empty();
}

}  // namespace

Result<UrlParts> parse_url(std::string_view url) {
  UrlParts parts;
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return fail(bad_url(url, "has no scheme"));
  parts.scheme = url.substr(0, scheme_end);
  const bool secure = parts.scheme == "https" || parts.scheme == "wss";
  if (!secure && parts.scheme != "http" && parts.scheme != "ws") {
    return fail(ErrorCode::kUnsupported, "unsupported url scheme: " + parts.scheme);
  }
  parts.port = secure ? 443 : 80;
  std::string_view rest = url.substr(scheme_end + 3);
  const std::size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view authority = rest.substr(0, authority_end);
  rest.remove_prefix(authority_end);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    KVASIR_CHECK_OK(take_user(authority.substr(0, at), parts));
    authority.remove_prefix(at + 1);
  }
  if (!take_host(authority, parts)) return fail(bad_url(url, "has no valid host"));
  rest = rest.substr(0, rest.find('#'));
  parts.target = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
  for (const char c : parts.target) {
    if (static_cast<unsigned char>(c) <= ' ') return fail(bad_url(url, "has a space or control character"));
  }
  return parts;
}

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t j) -> std::uint32_t {
      return j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0;
    };
    const std::uint32_t group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out += kBase64[group >> 18];
    out += kBase64[group >> 12 & 63];
    out += i + 1 < bytes.size() ? kBase64[group >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kBase64[group & 63] : '=';
  }
  return out;
}

Result<std::string> base64_decode(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const std::size_t digit = kBase64.find(c);
    if (digit == std::string_view::npos) return fail(ErrorCode::kInvalidArgument, "illegal base64 data");
    group = group << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(group >> bits & 255);
    }
  }
  return out;
}

std::string basic_auth(std::string_view user, std::string_view password) {
  return "Basic " + base64_encode(std::string(user) + ":" + std::string(password));
}

}  // namespace kvasir::net
