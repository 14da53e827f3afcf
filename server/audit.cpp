#include "server/audit.h"

#include <algorithm>
#include <array>

namespace kvasir::server {
namespace {

constexpr std::string_view kLog = "audit";

log::Field nth(std::initializer_list<log::Field> fields, std::size_t i) {
  if (i >= fields.size()) return {};
  log::Field field = fields.begin()[i];
  field.value.resize(std::min(field.value.size(), kAuditedTextMax));
  return field;
}

std::string path_of(const net::HttpRequest& request) { return request.path.substr(0, kAuditedTextMax); }

}  // namespace

void audit(const AuditedAct& act, std::initializer_list<log::Field> about) {
  log::info(kLog, act.action,
            {{"tenant", std::string(act.tenant)},
             {"user", std::string(act.user)},
             {"peer", std::string(act.peer)},
             {"status", std::to_string(act.status)},
             nth(about, 0),
             nth(about, 1),
             nth(about, 2)});
}

void RefusedCallers::add(const net::HttpRequest& request, int status, std::string_view user, std::string_view reason) {
  std::uint64_t left_out = 0;
  {
    MutexLock lock(mutex_);
    const Duration now = clock_.steady();
    if (now - window_ >= std::chrono::seconds(1)) {
      window_ = now;
      lines_ = 0;
    }
    if (lines_ >= kRefusedLinesMax) {
      ++left_out_;
      return;
    }
    ++lines_;
    left_out = std::exchange(left_out_, 0);
  }
  log::warn(kLog, "caller refused",
            {{"user", std::string(user)},
             {"peer", request.peer},
             {"status", std::to_string(status)},
             {"reason", std::string(reason)},
             {"method", request.method},
             {"path", path_of(request)},
             {"left_out", std::to_string(left_out)}});
}

}  // namespace kvasir::server
