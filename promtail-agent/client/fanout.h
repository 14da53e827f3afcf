// fanout.h -- gives every entry to every client, under the agent's own line rate.
//
// Threads:  push() from any thread.
#pragma once

#include <memory>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "promtail-agent/client/push_client.h"
#include "promtail-agent/output.h"

namespace kvasir::agent {

/// A token bucket for the whole agent.
class LineRate {
 public:
  LineRate(const LimitsConfig& limits, MetricRegistry& metrics, const Clock& clock);
  /// False: the line is to be dropped, and was counted. Waits instead if the limit does not drop.
  bool admit(const std::atomic<bool>& stopping);

 private:
  const LimitsConfig limits_;
  const Clock& clock_;
  SeriesPtr dropped_;
  Mutex mutex_;
  Condition wake_;
  double tokens_ KVASIR_GUARDED_BY(mutex_);
  Duration last_ KVASIR_GUARDED_BY(mutex_);
};

class ClientFanout final : public EntryOutput {
 public:
  ClientFanout(std::vector<std::shared_ptr<PushClient>> clients, std::unique_ptr<LineRate> rate)
      : clients_(std::move(clients)), rate_(std::move(rate)) {}

  bool push(const Entry& entry) override;
  bool wait_for_room(const std::string& tenant, std::uint64_t bytes, Duration limit) override;
  void count_too_long(const TooLong& lines) override;
  void left_out(std::span<const SourceRange> ranges, std::string_view reason) override;
  /// Ends every wait of push(); it takes nothing more. The clients go on.
  void cancel();
  const std::vector<std::shared_ptr<PushClient>>& clients() const { return clients_; }

 private:
  std::vector<std::shared_ptr<PushClient>> clients_;
  std::unique_ptr<LineRate> rate_;  // nullptr: no limit
  std::atomic<bool> cancelled_{false};
};

}  // namespace kvasir::agent
