// dry_run.h -- prints entries instead of sending them.
//
// Shape:    2006-01-02T15:04:05.999999999-0700 <tab> {labels} <tab> line, in the zone of the entry.
// Threads:  push() from any thread; lines are whole.
#pragma once

#include "common/mutex.h"
#include "promtail-agent/config/config.h"
#include "promtail-agent/output.h"

namespace kvasir::agent {

class DryRunPrinter final : public EntryOutput {
 public:
  /// With `client`, entries are shown as that client would send them: external labels, tenant and metadata apart.
  DryRunPrinter(std::vector<ClientConfig> clients, bool final_form);
  bool push(const Entry& entry) override;

 private:
  const std::vector<ClientConfig> clients_;
  const bool final_form_;
  const bool colour_;
  Mutex mutex_;
};

/// The entry's time in its own zone.
std::string dry_run_stamp(TimestampNs timestamp, std::int32_t zone_offset_seconds);

}  // namespace kvasir::agent
