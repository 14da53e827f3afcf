// testing_reply.h -- an HttpReply that keeps what was sent; for tests.
#pragma once

#include "common/net/http_server.h"

namespace kvasir::server {

class TestingReply final : public net::HttpReply {
 public:
  void send(net::HttpResponse given) override { response = std::move(given); }
  void begin(int status, net::HttpHeaders headers) override {
    response.status = status;
    response.headers = std::move(headers);
  }
  bool write(std::string chunk) override {
    response.body += chunk;
    return true;
  }
  void end() override {}
  std::shared_ptr<net::WebSocketSession> upgrade(net::WebSocketOptions) override { return nullptr; }
  std::stop_token stop_token() const override { return {}; }

  net::HttpResponse response;
};

}  // namespace kvasir::server
