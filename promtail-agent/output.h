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
  /// For sources that can refuse what they are sent: waits at most `limit` until push() of so many bytes of a tenant
  /// ("": the clients' own) need not block. False: it would.
  virtual bool wait_for_room(const std::string& tenant, std::uint64_t bytes, Duration limit) {
    (void)tenant;
    (void)bytes;
    (void)limit;
    return true;
  }
  /// Lines that were longer than a line may be while it is read: dropped, or cut or split. `bytes` are not sent.
  struct TooLong {
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;
    bool dropped = false;
  };
  virtual void count_too_long(const TooLong& lines) { (void)lines; }
  /// These were read and will not be pushed; the server's ledger is told why. Call it before they are settled.
  virtual void left_out(std::span<const SourceRange> ranges, std::string_view reason) {
    (void)ranges;
    (void)reason;
  }
};

}  // namespace kvasir::agent
