// tail_hub.h -- live tails: applied entries go from the ingester to the WebSockets that asked for them.
//
// Flow:     the apply thread copies entries of matching streams into each tail's bounded queue; one thread of the hub
//           runs the tails' pipelines and sends frames of up to kTailFrameEntries. History comes first: until
//           begin_live() entries only queue up.
// Law:      an entry is sent once: live entries whose sequence was part of the history are left out.
// Limits:   kTailPendingBytesMax per tail; what does not fit, or what a slow client cannot take, is counted and
//           reported in the next frame as `dropped_entries` (kTailDroppedMax of them).
// Threads:  any. A tail's socket is closed by the hub when it ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "common/net/http_server.h"
#include "ingest/ingester.h"
#include "logql/log_source.h"
#include "server/server_metrics.h"
#include "server/tail_session.h"

namespace kvasir::server {

class TailHub {
 public:
  TailHub(ingest::Ingester& ingester, logql::LogSource& source, ServerMetrics& metrics, const Clock& clock);
  ~TailHub();  // close()

  /// Starts to queue entries for the tail. False: the hub is closed, or the tenant has `tenant_max` tails already (-1:
  /// no limit).
  bool add(const std::shared_ptr<TailSession>& session, std::int64_t tenant_max);
  /// Ends every tail with `reason` and joins.
  void close(const std::string& reason);
  std::size_t count(const std::string& tenant) const;

 private:
  void on_applied(const std::string& tenant, std::span<const ingest::AppliedStream> streams);
  void pump();

  ingest::Ingester& ingester_;
  logql::LogSource& source_;
  ServerMetrics& metrics_;
  const Clock& clock_;
  std::uint64_t listener_ = 0;
  mutable Mutex mutex_;
  Condition wake_;
  std::vector<std::shared_ptr<TailSession>> sessions_ KVASIR_GUARDED_BY(mutex_);
  bool work_waits_ KVASIR_GUARDED_BY(mutex_) = false;
  bool closed_ KVASIR_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace kvasir::server
