// http_types.h -- HTTP messages as plain values; nothing of Beast shows here.
//
// Shape:    header names compare without case and keep their order; a name may occur more than once.
// Lifetime: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"

namespace kvasir::net {

class HttpHeaders {
 public:
  HttpHeaders() = default;
  HttpHeaders(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  /// Replaces every field of that name.
  void set(std::string_view name, std::string value);
  void erase(std::string_view name);
  /// The first value, or an empty optional.
  std::optional<std::string_view> get(std::string_view name) const;
  std::string_view value_or_empty(std::string_view name) const { return get(name).value_or(std::string_view()); }
  bool has(std::string_view name) const { return get(name).has_value(); }
  bool empty() const { return fields_.empty(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// Decoded name/value pairs of a query string or a form body, in order.
class HttpParams {
 public:
  /// `a=1&b=%20x`; `+` is a space. Errors: invalid_argument for a broken percent escape.
  static Result<HttpParams> parse(std::string_view encoded);
  void add(std::string name, std::string value) { pairs_.emplace_back(std::move(name), std::move(value)); }
  /// The first value, or an empty optional.
  std::optional<std::string_view> get(std::string_view name) const;
  std::string_view value_or_empty(std::string_view name) const { return get(name).value_or(std::string_view()); }
  bool has(std::string_view name) const { return get(name).has_value(); }
  std::vector<std::string_view> all(std::string_view name) const;
  /// Percent-encoded again.
  std::string encode() const;
  bool empty() const { return pairs_.empty(); }
  std::size_t size() const { return pairs_.size(); }
  auto begin() const { return pairs_.begin(); }
  auto end() const { return pairs_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

/// Everything but A-Z a-z 0-9 - . _ ~ becomes %XX.
std::string percent_encode(std::string_view text);
/// The same with a blank as `+`: what a query string of a form, and Go's url.QueryEscape, hold.
std::string form_encode(std::string_view text);
/// Errors: invalid_argument for a broken escape. `+` stays.
Result<std::string> percent_decode(std::string_view text);
/// True if both are equal when ASCII letters are folded.
bool equal_ignore_case(std::string_view a, std::string_view b);

struct HttpRequest {
  std::string method;        // upper case
  std::string target;        // as sent: /path?query
  std::string path;          // percent-decoded, without the query string
  HttpParams params;         // of the query string only
  HttpParams path_params;    // {name} segments of the route, decoded
  std::string route;         // the pattern that matched, for metrics; "" when a fallback runs
  HttpHeaders headers;
  std::string body;          // as sent (content encodings are the handler's business)
  std::string peer;          // "127.0.0.1:52110"
  std::string tls_subject;   // common name of a verified client certificate, or ""
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;       // Content-Length, Date and Connection are added by the server
  std::string body;

  static HttpResponse text(int status, std::string body);   // text/plain; charset=utf-8, nosniff; body as given
  static HttpResponse json(int status, std::string body);   // application/json; charset=UTF-8
  static HttpResponse empty(int status);                    // no Content-Type
};

/// `Not Found`; "" for a status without a registered phrase.
std::string_view status_reason(int status);

}  // namespace kvasir::net
