// answer.h -- how handlers answer: error families, JSON with compression, the one mapping from error codes to statuses.
//
// Families: A = text with a final newline (push, delete, rules, admin, tenancy); B = bare text (queries, metadata, tail
//           parameters); C = JSON of /prometheus/api/v1. Queries never answer errors as JSON.
// Threads:  free functions.
#pragma once

#include <string>
#include <string_view>

#include "common/net/content_encoding.h"
#include "common/net/http_server.h"
#include "common/result.h"

namespace kvasir::server {

inline constexpr std::size_t kCompressBytesMin = 1400;  // smaller bodies are sent as they are

/// The HTTP status of an error.
int status_of(const Error& error);

/// Family A: `text` and a newline.
net::HttpResponse plain_error(int status, std::string_view text);
/// Family B: `text` alone.
net::HttpResponse bare_error(int status, std::string_view text);
inline net::HttpResponse bare_error(const Error& error) { return bare_error(status_of(error), error.message()); }
/// Family C: {"status":"error","data":null,"errorType":...,"error":...}.
net::HttpResponse prometheus_error(int status, std::string_view type, std::string_view text);

/// application/json; charset=UTF-8, compressed (gzip, zstd) when the request allows it and the body is large enough.
net::HttpResponse json_answer(const net::HttpRequest& request, std::string body, bool compress);
/// Compresses the body if it is large enough, and says that it depends on Accept-Encoding.
void compress_answer(net::HttpResponse& response, net::ContentEncoding encoding);

}  // namespace kvasir::server
