#include "server/answer.h"

#include "common/json_writer.h"

namespace kvasir::server {

int status_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kParse:
    case ErrorCode::kLimitExceeded:
    case ErrorCode::kUnsupported:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kDeadlineExceeded:
      return 504;
    case ErrorCode::kCancelled:
      return 499;
    case ErrorCode::kCorruption:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

net::HttpResponse bare_error(int status, std::string_view text) {
  auto response = net::HttpResponse::text(status, std::string(text));
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

net::HttpResponse plain_error(int status, std::string_view text) {
  return bare_error(status, std::string(text) + "\n");
}

net::HttpResponse prometheus_error(int status, std::string_view type, std::string_view text) {
  std::string body;
  JsonWriter w(body);
  w.begin_object()
      .key("status")
      .string("error")
      .key("data")
      .null()
      .key("errorType")
      .string(type)
      .key("error")
      .string(text)
      .end_object();
  return net::HttpResponse::json(status, std::move(body));
}

net::HttpResponse json_answer(const net::HttpRequest& request, std::string body, bool compress) {
  auto response = net::HttpResponse::json(200, std::move(body));
  if (compress)
    compress_answer(response, net::choose_response_encoding(request.headers.get("Accept-Encoding").value_or("")));
  return response;
}

void compress_answer(net::HttpResponse& response, net::ContentEncoding encoding) {
  if (response.body.size() < kCompressBytesMin) return;
  response.headers.set("Vary", "Accept-Encoding");
  if (encoding == net::ContentEncoding::kIdentity) return;
  response.body = net::compress(encoding, response.body);
  response.headers.set("Content-Encoding", std::string(net::content_encoding_name(encoding)));
}

}  // namespace kvasir::server
