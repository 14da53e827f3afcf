// http_types.h -- HTTP messages as plain values; nothing of Beast shows here.
//
// Shape:    header names compare without case and keep their order; a name may occur more than once.
// Lifetime: values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"

namespace kvasir::net {

class HttpHeaders {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  /// Replaces every field of that name.
  void set(std::string_view name, std::string value);
  /// The first value, or an empty optional.
  std::optional<std::string_view> get(std::string_view name) const;
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// Decoded name/value pairs of a query string or a form body, in order.
class HttpParams {
 public:
  /// `a=1&b=%20x`. Errors: invalid_argument for a broken percent escape.
  static Result<HttpParams> parse(std::string_view encoded);
  void add(std::string name, std::string value) { pairs_.emplace_back(std::move(name), std::move(value)); }
  /// The first value, or an empty optional.
  std::optional<std::string_view> get(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;
  /// Percent-encoded again.
  std::string encode() const;
  auto begin() const { return pairs_.begin(); }
  auto end() const { return pairs_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

std::string percent_encode(std::string_view text);

struct HttpRequest {
  std::string method;        // upper case
  std::string target;        // as sent: /path?query
  std::string path;          // percent-decoded, without the query string
  HttpParams params;         // of the query string only
  HttpHeaders headers;
  std::string body;          // as sent (content encodings are the handler's business)
  std::string peer;          // "127.0.0.1:52110"
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;       // Content-Length, Date and Connection are added by the server
  std::string body;

  static HttpResponse text(int status, std::string body);   // text/plain; charset=utf-8
  static HttpResponse json(int status, std::string body);   // application/json; charset=UTF-8
};

}  // namespace kvasir::net
