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
};

}  // namespace kvasir::agent
