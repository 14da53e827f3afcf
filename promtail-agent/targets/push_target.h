// push_target.h -- takes pushes as a Loki server does, and plain text lines.
//
// Routes:   POST /loki/api/v1/push (protobuf with snappy, JSON, gzip), POST /promtail/api/v1/raw, GET /ready.
// Labels:   those of the stream, the configured ones over them, then relabelling per stream; raw lines get the
//           configured ones.
// Errors:   400 for a body or labels that cannot be read; streams with good labels are processed first.
// Threads:  the server's workers; the pipeline is used under a lock.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "common/mutex.h"
#include "common/net/http_server.h"
#include "promtail-agent/services.h"
#include "promtail-agent/targets/target.h"

namespace kvasir::ingest {
struct DecodedPush;
}

namespace kvasir::agent {

class PushTarget final : public Target {
 public:
  static Result<std::unique_ptr<PushTarget>> create(JobParts parts);
  ~PushTarget() override;

  Result<void> start() override;
  void request_stop() override { stopping_ = true; }
  void stop() override;
  bool ready() const override { return true; }
  std::vector<TargetStatus> status() const override;

 private:
  explicit PushTarget(JobParts parts) : parts_(std::move(parts)), config_(parts_.config.push) {}
  void add(const std::string& method, const std::string& path,
           std::function<net::HttpResponse(net::HttpRequest)> answer);
  net::HttpResponse push(const net::HttpRequest& request);
  net::HttpResponse raw(const net::HttpRequest& request);
  Result<void> decode(const net::HttpRequest& request, ingest::DecodedPush& push) const;
  Result<bool> take(const ingest::DecodedPush& push, std::string_view tenant);
  LabelSetPtr labels_of(Labels labels, std::string_view tenant);
  void tick();

  JobParts parts_;
  const PushTargetConfig config_;
  std::unique_ptr<net::HttpServer> server_;
  Mutex mutex_;                       // around the pipeline
  LabelSetTable label_sets_ KVASIR_GUARDED_BY(mutex_);
  std::atomic<bool> stopping_{false};
  Condition wake_;
  std::thread ticker_;                // runs the pipeline's timers
};

}  // namespace kvasir::agent
