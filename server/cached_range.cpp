#include "server/cached_range.h"

#include <algorithm>
#include <map>

#include "logql/syntax/printer.h"

namespace kvasir::server {
namespace {

std::int64_t floor_to(std::int64_t value, std::int64_t step) {
  const std::int64_t rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}

bool steps_are_independent(const logql::Expr& expr) {
  if (std::holds_alternative<logql::RangeAggregation>(expr.node) || std::holds_alternative<logql::Literal>(expr.node) ||
      std::holds_alternative<logql::VectorFunction>(expr.node)) {
    return true;
  }
  if (const auto* vector = std::get_if<logql::VectorAggregation>(&expr.node)) {
    return vector->op != logql::VectorOp::kApproxTopk && steps_are_independent(*vector->operand);
  }
  if (const auto* replace = std::get_if<logql::LabelReplace>(&expr.node))
    return steps_are_independent(*replace->operand);
  const auto* binary = std::get_if<logql::BinaryOperation>(&expr.node);
  return binary != nullptr && steps_are_independent(*binary->left) && steps_are_independent(*binary->right);
}

void append_number(std::string& out, std::uint64_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// The points of `series` between two steps; series without any are left out.
std::vector<logql::Series> cut(const std::vector<logql::Series>& series, std::int64_t first_ns, std::int64_t last_ns) {
  std::vector<logql::Series> out;
  for (const auto& one : series) {
    logql::Series part{one.labels, {}};
    for (const auto& point : one.points) {
      const std::int64_t at = point.timestamp_ms * 1'000'000;
      if (at >= first_ns && at <= last_ns) part.points.push_back(point);
    }
    if (!part.points.empty()) out.push_back(std::move(part));
  }
  return out;
}

}  // namespace

bool is_cacheable(const logql::Expr& expr, const logql::QueryParams& params) {
  // Points are kept in milliseconds: steps must be whole ones.
  return !params.instant && !params.as_table && params.align_steps && params.step.count() > 0 &&
         params.step.count() % 1'000'000 == 0 && steps_are_independent(expr) && !collect_readings(expr).empty();
}

CachedRange::CachedRange(const Services& services, const logql::Expr& expr, const logql::QueryParams& params)
    : services_(services),
      params_(params),
      text_(logql::print(expr)),
      readings_(collect_readings(expr)),
      step_(params.step.count()),
      first_(floor_to(params.start.value, step_)),
      last_(floor_to(params.end.value + step_ - 1, step_)) {
  for (const auto& reading : readings_) {
    back_ = std::max(back_, reading.before + reading.offset);
    forward_ = std::max(forward_, -reading.offset);
  }
}

void CachedRange::make_parts() {
  const std::int64_t width = step_ * kPartSteps;
  std::string prefix = params_.tenant + '\0' + text_ + '\0';
  append_number(prefix, static_cast<std::uint64_t>(step_));
  for (const auto& reading : readings_) {
    // Whether a name selects by stream or by field is part of the question.
    for (const auto& matcher : reading.selector->matchers) {
      prefix += services_.store.has_stream_label(params_.tenant, matcher.name()) ? 's' : 'f';
    }
  }
  for (std::int64_t begin = floor_to(first_, width); begin <= last_; begin += width) {
    Part part{begin, begin + width - step_, prefix, {}, nullptr};
    append_number(part.key, static_cast<std::uint64_t>(begin));
    parts_.push_back(std::move(part));
  }
}

CachedRange::Moment CachedRange::look() const {
  Moment moment;
  for (const auto& request : services_.deletes.active(params_.tenant)) moment.deletes += request->request().id + ',';
  const auto* tenant = services_.storage.find(params_.tenant);
  if (tenant == nullptr) return moment;
  const TimeRange range{TimestampNs{parts_.front().first} - back_, TimestampNs{parts_.back().last + 1} + forward_};
  const auto ids = tenant->index().with_data(tenant->index().select({}), range);
  moment.snapshot = services_.ingester.snapshot(params_.tenant, ids, range);
  return moment;
}

std::optional<std::string> CachedRange::origin_of(const Part& part, const Moment& moment) const {
  const TimeRange range{TimestampNs{part.first} - back_, TimestampNs{part.last + 1} + forward_};
  for (const auto& block : moment.snapshot.head) {
    if (range.overlaps(block.chunk.summary.first, block.chunk.summary.last)) return std::nullopt;
  }
  std::string origin = moment.deletes;
  if (moment.snapshot.segments == nullptr) return origin;
  for (const auto& segment : moment.snapshot.segments->segments) {
    if (range.overlaps(segment->info().first, segment->info().last)) append_number(origin, segment->info().id);
  }
  return origin;
}

Result<logql::QueryResult> CachedRange::run(const Evaluate& evaluate) {
  make_parts();
  if (parts_.size() < 2) return evaluate(params_);
  const Moment before = look();
  const Part* first_missing = nullptr;
  const Part* last_missing = nullptr;
  for (auto& part : parts_) {
    part.origin = origin_of(part, before);
    if (part.origin) part.cached = services_.results.get(part.key, *part.origin);
    if (part.cached != nullptr) continue;
    if (first_missing == nullptr) first_missing = &part;
    last_missing = &part;
  }
  std::map<Labels, std::vector<logql::Point>> merged;
  const auto add = [&](const std::vector<logql::Series>& series) {
    for (const auto& one : series) {
      auto& points = merged[one.labels];
      points.insert(points.end(), one.points.begin(), one.points.end());
    }
  };
  const auto add_cached = [&](const Part& part) {
    add(cut(*part.cached, std::max(first_, part.first), std::min(last_, part.last)));
  };
  auto part = parts_.begin();
  for (; part != parts_.end() && &*part != first_missing; ++part) add_cached(*part);
  if (first_missing != nullptr) {
    logql::QueryParams missing = params_;
    missing.start = {std::max(first_, first_missing->first)};
    missing.end = {std::min(last_, last_missing->last)};
    KVASIR_TRY(const logql::QueryResult result, evaluate(missing));
    const auto* matrix = std::get_if<logql::Matrix>(&result);
    if (matrix == nullptr) return evaluate(params_);
    add(matrix->series);
    keep(matrix->series);
    part = parts_.begin() + (last_missing - parts_.data()) + 1;
  }
  for (; part != parts_.end(); ++part) add_cached(*part);
  logql::Matrix out;
  for (auto& [labels, points] : merged) out.series.push_back({labels, std::move(points)});
  return logql::QueryResult(std::move(out));
}

/// What was evaluated, if it was the same data before and after.
void CachedRange::keep(const std::vector<logql::Series>& series) const {
  const Moment after = look();
  for (const auto& part : parts_) {
    const bool whole = part.first >= first_ && part.last <= last_;
    if (!whole || part.cached != nullptr || !part.origin || origin_of(part, after) != part.origin) continue;
    services_.results.put(part.key, *part.origin, cut(series, part.first, part.last));
  }
}

}  // namespace kvasir::server
