#include "logql/exec/bucket_grid.h"

namespace kvasir::logql {
namespace {

/// Division that rounds up, also below zero.
std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return a / b + (a % b > 0 ? 1 : 0); }

}  // namespace

BucketGrid::BucketGrid(TimestampNs first, Duration step, std::size_t steps, Duration range)
    : first_(first.value), step_(steps == 1 ? range.count() : step.count()), range_(range.count()), steps_(steps) {
  whole_ = range_ / step_;
  rest_ = range_ % step_;
  const auto whole = static_cast<std::size_t>(whole_);
  per_step_ = rest_ == 0 ? 1 : 2;
  window_buckets_ = rest_ == 0 ? whole : 2 * whole + 1;
  buckets_ = (steps_ - 1) * per_step_ + window_buckets_;
}

TimeRange BucketGrid::range() const {
  const std::int64_t last = first_ + static_cast<std::int64_t>(steps_ - 1) * step_;
  return {{first_ - range_ + 1}, {last + 1}};
}

std::optional<BucketGrid::Bucket> BucketGrid::find(TimestampNs t) const {
  // Interval b is (first + (b - 1) * step, first + b * step]; its upper part begins where the window of a later step
  // does.
  const std::int64_t interval = ceil_divide(t.value - first_, step_);
  const std::int64_t interval_last = first_ + interval * step_;
  if (rest_ == 0) {
    return Bucket{static_cast<std::uint32_t>(interval + whole_ - 1), interval_last};
  }
  const std::int64_t cut = interval_last - rest_;
  const bool upper = t.value > cut;
  const std::int64_t index = 2 * interval + (upper ? 1 : 0) + 2 * whole_ - 1;
  // With a range shorter than the step the lower parts belong to no window.
  if (whole_ == 0 && !upper) return std::nullopt;
  return Bucket{static_cast<std::uint32_t>(index), upper ? interval_last : cut};
}

std::optional<std::uint32_t> BucketGrid::covering(TimestampNs first, TimestampNs last) const {
  const TimeRange all = range();
  if (!all.contains(first) || !all.contains(last)) return std::nullopt;
  const auto bucket = find(first);
  if (!bucket || last.value > bucket->last_ns) return std::nullopt;
  return bucket->index;
}

}  // namespace kvasir::logql
