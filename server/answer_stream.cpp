#include "server/answer_stream.h"

namespace kvasir::server {
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;

}  // namespace

net::ContentEncoding answer_encoding(const net::HttpRequest& request, bool compress) {
  if (!compress) return net::ContentEncoding::kIdentity;
  return net::choose_response_encoding(request.headers.get("Accept-Encoding").value_or(""));
}

AnswerStream::AnswerStream(std::shared_ptr<net::HttpReply> reply, std::string content_type,
                           net::ContentEncoding encoding)
    : reply_(std::move(reply)), compressor_(encoding) {
  net::HttpHeaders headers{{"Content-Type", std::move(content_type)}, {"Vary", "Accept-Encoding"}};
  if (encoding != net::ContentEncoding::kIdentity) {
    headers.add("Content-Encoding", std::string(net::content_encoding_name(encoding)));
  }
  reply_->begin(200, std::move(headers));
}

bool AnswerStream::flush_if_full() { return text_.size() < kPieceBytes || flush(); }

bool AnswerStream::flush() {
  std::string piece;
  compressor_.add(text_, piece);
  text_.clear();
  return piece.empty() ? !reply_->client_gone() : reply_->write(std::move(piece));
}

void AnswerStream::finish() {
  std::string piece;
  compressor_.add(text_, piece);
  compressor_.finish(piece);
  text_.clear();
  if (piece.empty() || reply_->write(std::move(piece))) reply_->end();
}

}  // namespace kvasir::server
