// output.h -- where entries go after the pipeline: to every client, or to the terminal.
//
// Threads:  push() from any thread; it blocks while a client's queue is full.
#pragma once

#include "promtail-agent/stages/entry.h"

namespace kvasir::agent {

class EntryOutput {
 public:
  virtual ~EntryOutput() = default;
  /// False: the agent is stopping and the entry was not taken; its ranges stay unsettled.
  virtual bool push(const Entry& entry) = 0;
  /// These were read and will not be pushed; the server's ledger is told why. Call it before they are settled.
  virtual void left_out(std::span<const SourceRange> ranges, std::string_view reason) {
    (void)ranges;
    (void)reason;
  }
};

}  // namespace kvasir::agent
