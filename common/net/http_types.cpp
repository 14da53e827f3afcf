#include "common/net/http_types.h"

#include <algorithm>

namespace kvasir::net {
namespace {

char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = fold(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_unreserved(char c) {
  const char lower = fold(c);
  return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
}

Result<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return fail(ErrorCode::kInvalidArgument, "invalid URL escape \"" + std::string(text.substr(i, 3)) + "\"");
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

auto find_field(auto& fields, std::string_view name) {
  return std::find_if(fields.begin(), fields.end(),
                      [&](const auto& field) { return equal_ignore_case(field.first, name); });
}

}  // namespace

bool equal_ignore_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return fold(x) == fold(y); });
}

void HttpHeaders::set(std::string_view name, std::string value) {
  erase(name);
  fields_.emplace_back(std::string(name), std::move(value));
}

void HttpHeaders::erase(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return equal_ignore_case(field.first, name); });
}

std::optional<std::string_view> HttpHeaders::get(std::string_view name) const {
  const auto it = find_field(fields_, name);
  if (it == fields_.end()) return std::nullopt;
  return it->second;
}

Result<HttpParams> HttpParams::parse(std::string_view encoded) {
  HttpParams params;
  while (!encoded.empty()) {
    const std::string_view pair = encoded.substr(0, encoded.find('&'));
    encoded.remove_prefix(std::min(pair.size() + 1, encoded.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    KVASIR_TRY(std::string name, decode(pair.substr(0, equals), true));
    std::string value;
    if (equals != std::string_view::npos) {
      KVASIR_TRY(value, decode(pair.substr(equals + 1), true));
    }
    params.add(std::move(name), std::move(value));
  }
  return params;
}

std::optional<std::string_view> HttpParams::get(std::string_view name) const {
  const auto it = std::find_if(pairs_.begin(), pairs_.end(), [&](const auto& pair) { return pair.first == name; });
  if (it == pairs_.end()) return std::nullopt;
  return it->second;
}

std::vector<std::string_view> HttpParams::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& pair : pairs_) {
    if (pair.first == name) values.push_back(pair.second);
  }
  return values;
}

std::string HttpParams::encode() const {
  std::string out;
  for (const auto& pair : pairs_) {
    if (!out.empty()) out += '&';
    out += percent_encode(pair.first);
    out += '=';
    out += percent_encode(pair.second);
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

std::string form_encode(std::string_view text) {
  std::string out;
  while (true) {
    const auto blank = text.find(' ');
    out += percent_encode(text.substr(0, blank));
    if (blank == std::string_view::npos) return out;
    out += '+';
    text.remove_prefix(blank + 1);
  }
}

Result<std::string> percent_decode(std::string_view text) { return decode(text, false); }

HttpResponse HttpResponse::text(int status, std::string body) {
  return {status,
          {{"Content-Type", "text/plain; charset=utf-8"}, {"X-Content-Type-Options", "nosniff"}},
          std::move(body)};
}

HttpResponse HttpResponse::json(int status, std::string body) {
  return {status, {{"Content-Type", "application/json; charset=UTF-8"}}, std::move(body)};
}

HttpResponse HttpResponse::empty(int status) { return {status, {}, {}}; }

std::string_view status_reason(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Request Entity Too Large";
    case 414: return "Request URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Requested Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "";
  }
}

}  // namespace kvasir::net
