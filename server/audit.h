// audit.h -- lines of our log that say who did what: callers that were refused, changes of rules, deletions, what
// admins do, tails. Queries have a line of their own (query_service.h).
//
// Shape:    component=audit msg=<action> tenant= user= peer= status=, and what the action was about.
// Limits:   a second has kRefusedLinesMax lines for refused callers; the next line counts those left out.
// Threads:  any.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/net/http_types.h"

namespace kvasir::server {

inline constexpr std::uint32_t kRefusedLinesMax = 20;
inline constexpr std::size_t kAuditedTextMax = 4096;  // of a query or a path

struct AuditedAct {
  std::string_view action;  // "rule group written"
  std::string_view tenant;  // "" where there is none
  std::string_view user;    // name of the credential
  std::string_view peer;
  int status = 0;  // what the caller was answered
};

/// `about`: at most three fields of the action itself.
void audit(const AuditedAct& act, std::initializer_list<log::Field> about = {});

/// Counts the lines for callers without a good credential, so that guessing does not fill the disk.
class RefusedCallers {
 public:
  explicit RefusedCallers(const Clock& clock) : clock_(clock) {}
  void add(const net::HttpRequest& request, int status, std::string_view user, std::string_view reason);

 private:
  const Clock& clock_;
  Mutex mutex_;
  Duration window_ KVASIR_GUARDED_BY(mutex_){0};
  std::uint32_t lines_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::uint64_t left_out_ KVASIR_GUARDED_BY(mutex_) = 0;
};

}  // namespace kvasir::server
