#include "logql/query_context.h"

#include <algorithm>

namespace kvasir::logql {

Result<void> QueryContext::check() const {
  if (stop_.stop_requested()) return fail(ErrorCode::kCancelled, "the request was cancelled by the client");
  if (clock_.steady() >= deadline_) {
    return fail(
        ErrorCode::kDeadlineExceeded,
        "request timed out, decrease the duration of the request or add more label matchers (prefer exact match over "
        "regex match) to reduce the amount of data processed");
  }
  const std::uint64_t read = stats_.line_bytes_processed.load(std::memory_order_relaxed);
  if (limits_.bytes_read_max != 0 && read > limits_.bytes_read_max) {
    return fail(ErrorCode::kLimitExceeded,
                "the query would read too many bytes (query: " + std::to_string(read) +
                    ", limit: " + std::to_string(limits_.bytes_read_max) +
                    "); consider adding more specific stream selectors or reduce the time range of "
                    "the query");
  }
  return {};
}

Result<void> QueryContext::keep_bytes(std::uint64_t bytes) {
  KVASIR_CHECK_OK(budget_.charge(bytes));
  kept_bytes_ += bytes;
  return {};
}

void QueryContext::add_warning(std::string text) {
  MutexLock lock(mutex_);
  if (std::find(warnings_.begin(), warnings_.end(), text) == warnings_.end()) warnings_.push_back(std::move(text));
}

std::vector<std::string> QueryContext::warnings() const {
  MutexLock lock(mutex_);
  return warnings_;
}

}  // namespace kvasir::logql
