// answer_stream.h -- the body of an answer that is made piece by piece: gathered, compressed, sent in chunks.
//
// Use:      append to text(), call flush_if_full() now and then, finish() at the end. Dropping it unfinished cuts the
//           connection, so that nobody takes half an answer for a whole one.
// Threads:  one at a time; flushing waits while the client is slow.
#pragma once

#include <memory>
#include <string>

#include "common/net/content_encoding.h"
#include "common/net/http_server.h"

namespace kvasir::server {

/// What Accept-Encoding allows, or identity.
net::ContentEncoding answer_encoding(const net::HttpRequest& request, bool compress);

class AnswerStream {
 public:
  /// Sends the headers: status 200, `content_type`, and the encoding.
  AnswerStream(std::shared_ptr<net::HttpReply> reply, std::string content_type, net::ContentEncoding encoding);

  std::string& text() { return text_; }
  /// False: the client is gone, make no more.
  bool flush_if_full();
  void finish();

 private:
  bool flush();

  std::shared_ptr<net::HttpReply> reply_;
  net::StreamCompressor compressor_;
  std::string text_;
};

}  // namespace kvasir::server
