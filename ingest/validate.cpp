#include "ingest/validate.h"

#include <algorithm>
#include <cstring>

#include "ingest/detected_level.h"
#include "ingest/generic_fields.h"
#include "ingest/known_streams.h"
#include "ingest/push_verdicts.h"
#include "ingest/rate_limit.h"
#include "ingest/refusal_text.h"
#include "ingest/wire/metadata_name.h"

namespace kvasir::ingest {
namespace {

constexpr std::size_t kKnownStreamsMax = 200'000;
constexpr std::size_t kTenantsMax = 10'000;
constexpr std::size_t kLabelTextBytesMax = 1 << 24;

std::uint64_t metadata_bytes(std::span<const LabelView> metadata) {
  std::uint64_t bytes = 0;
  for (const auto& [name, value] : metadata) bytes += name.size() + value.size();
  return bytes;
}

}  // namespace

class TenantIntake {
 public:
  explicit TenantIntake(std::string_view tenant) : known(std::string(tenant)) {}

  Mutex mutex;
  KnownStreams known KVASIR_GUARDED_BY(mutex);
  TokenBucket rate KVASIR_GUARDED_BY(mutex);
  std::shared_ptr<const TenantLimits> limits KVASIR_GUARDED_BY(mutex);
  std::shared_ptr<const LevelDetector> levels KVASIR_GUARDED_BY(mutex);
};

namespace {

/// One push on its way through the rules.
class Validation {
 public:
  Validation(std::string_view tenant, std::shared_ptr<DecodedPush> push, const TenantLimits& limits, const Clock& clock)
      : tenant_(tenant), limits_(limits), now_(clock.now()), steady_(clock.steady()),
        owner_(std::move(push)), push_(*owner_) {
    oldest_ = now_ - limits.reject_old_samples_max_age;
    newest_ = now_ + limits.creation_grace_period;
  }

  void want_verdicts(std::shared_ptr<PushVerdicts> verdicts) { verdicts_ = std::move(verdicts); }

  ValidateResult run(TenantIntake& intake, const std::shared_ptr<const TenantLimits>& limits) {
    if (push_.streams.empty()) return Refusal{422, "error at least one valid stream is required for ingestion", {}};
    if (auto refusal = look_up(intake, limits)) return std::move(*refusal);
    reserve();
    if (verdicts_ != nullptr) verdicts_->set_first(push_.accepted.data());
    for (std::size_t i = 0; i < push_.streams.size(); ++i) {
      place_ = {static_cast<std::uint32_t>(i), 0};
      if (push_.streams[i].entry_count > 0) take_stream(push_.streams[i], known_[i]);
    }
    if (auto refusal = charge(intake)) return std::move(*refusal);
    return finish();
  }

 private:
  /// Labels of every stream, also of those without entries: one broken label string refuses the push, or, for a client
  /// that asks for verdicts, its stream.
  std::optional<Refusal> look_up(TenantIntake& intake, const std::shared_ptr<const TenantLimits>& limits) {
    MutexLock lock(intake.mutex);
    if (intake.limits != limits) {
      intake.limits = limits;
      intake.levels = std::make_shared<LevelDetector>(limits->log_level_fields, limits->log_level_from_json_max_depth);
      intake.known.clear();
    }
    if (intake.known.size() > kKnownStreamsMax) intake.known.clear();
    levels_ = intake.levels;
    known_.reserve(push_.streams.size());
    for (const auto& stream : push_.streams) {
      std::shared_ptr<KnownStream> known;
      auto refusal = find_stream(intake.known, stream.labels, known);
      if (refusal && verdicts_ == nullptr) return refusal;
      known_.push_back(refusal ? refused_stream(std::move(*refusal)) : std::move(known));
    }
    return std::nullopt;
  }

  std::optional<Refusal> find_stream(KnownStreams& streams, std::string_view labels,
                                     std::shared_ptr<KnownStream>& out) const {
    if (labels.size() > kLabelTextBytesMax) {
      return Refusal{413, "request body too large: stream labels size " + std::to_string(labels.size()) +
                              " exceeds limit of 17 MB", {}};
    }
    auto known = streams.find(labels, limits_, *levels_);
    if (!known) return Refusal{400, "couldn't parse labels: " + known.error().message(), {}};
    out = std::move(*known);
    return std::nullopt;
  }

  /// Stands in for a stream whose labels cannot be read; it has no identity.
  static std::shared_ptr<KnownStream> refused_stream(Refusal refusal) {
    auto stream = std::make_shared<KnownStream>();
    stream->label_problem = Rejection{DiscardReason::kInvalidLabels, refusal.status, std::move(refusal.message), 0, 0};
    return stream;
  }

  void reserve() {
    push_.accepted.reserve(push_.entries.size());
    const std::size_t carriers = std::min(push_.entries.size(), push_.metadata.size());
    const std::size_t named_levels = push_.entries.size();  // a level in no standard spelling needs a pair of its own
    const std::size_t generic = push_.entries.size() * limits_.discover_generic_fields.size();
    push_.accepted_metadata.reserve(push_.metadata.size() + carriers + generic +
                                    (generic > 0 || has_named_level() ? named_levels : 0));
  }
  bool has_named_level() const {
    return std::any_of(known_.begin(), known_.end(), [](const auto& known) { return known->level.has_value(); });
  }

  void take_stream(const DecodedStream& stream, const std::shared_ptr<KnownStream>& known) {
    stream_ = known.get();
    if (refuse_stream(stream)) return;
    const std::size_t begin = push_.accepted.size();
    std::uint64_t bytes = 0;
    for (const auto& entry : push_.entries_of(stream)) {
      if (const auto taken = take_entry(entry)) bytes += *taken;
      ++place_.entry;
    }
    if (push_.accepted.size() == begin) return;
    const std::span entries(push_.accepted.data() + begin, push_.accepted.size() - begin);
    if (limits_.increment_duplicate_timestamp) increment_duplicates(entries);
    accepted_.push_back({known, {known->identity, entries, bytes}});
    bytes_ += bytes;
  }

  bool refuse_stream(const DecodedStream& stream) {
    std::optional<Rejection> problem = stream_->label_problem;
    if (!problem) problem = blocked();
    if (!problem) return false;
    problem->entries = stream.entry_count;
    for (const auto& entry : push_.entries_of(stream)) {
      problem->bytes += entry.line.size() + metadata_bytes(push_.metadata_of(entry));
      if (verdicts_ != nullptr) verdicts_->refuse(place_, *problem);
      ++place_.entry;
    }
    rejections_.add(std::move(*problem));
    return true;
  }

  std::optional<Rejection> blocked() const {
    if (limits_.block_ingestion_until && now_ < *limits_.block_ingestion_until) {
      return Rejection{DiscardReason::kBlockedIngestion, limits_.block_ingestion_status_code,
                       blocked_text(tenant_, "", *limits_.block_ingestion_until, limits_.block_ingestion_status_code),
                       0, 0};
    }
    const auto until = limits_.block_ingestion_policy_until.find(stream_->policy);
    if (stream_->policy.empty() || until == limits_.block_ingestion_policy_until.end() || now_ >= until->second) {
      return std::nullopt;
    }
    return Rejection{DiscardReason::kBlockedIngestionPolicy, limits_.block_ingestion_status_code,
                     blocked_text(tenant_, stream_->policy, until->second, limits_.block_ingestion_status_code), 0, 0};
  }

  /// The bytes taken, or nothing if the entry was refused.
  std::optional<std::uint64_t> take_entry(const DecodedEntry& entry) {
    const auto metadata = push_.metadata_of(entry);
    const std::uint64_t bytes = entry.line.size() + metadata_bytes(metadata);
    const std::string_view line = shortened(entry.line);
    if (auto problem = check_entry(entry.timestamp, line, metadata)) {
      refuse_entry(std::move(*problem), bytes);
      return std::nullopt;
    }
    EntryView out{entry.timestamp, 0, line, {}};
    if (!set_metadata(out, metadata)) {
      refuse_entry({DiscardReason::kInvalidLabels, 400, "label name is empty or holds no letter or digit", 0, 0},
                   bytes);
      return std::nullopt;
    }
    push_.accepted.push_back(out);
    if (verdicts_ != nullptr) verdicts_->accept(place_);
    return bytes;
  }

  void refuse_entry(Rejection problem, std::uint64_t bytes) {
    problem.entries = 1;
    problem.bytes = bytes;
    if (verdicts_ != nullptr) verdicts_->refuse(place_, problem);
    rejections_.add(std::move(problem));
  }

  std::string_view shortened(std::string_view line) {
    if (!limits_.max_line_size_truncate || limits_.max_line_size == 0 || line.size() <= limits_.max_line_size)
      return line;
    const std::string& mark = limits_.max_line_size_truncate_identifier;
    const std::size_t keep = limits_.max_line_size - std::min<std::size_t>(mark.size(), limits_.max_line_size);
    char* text = push_.text.allocate(keep + mark.size());
    std::memcpy(text, line.data(), keep);
    std::memcpy(text + keep, mark.data(), mark.size());
    rejections_.count(DiscardReason::kLineTooLong, 1, line.size() - keep);
    return {text, keep + mark.size()};
  }

  std::optional<Rejection> check_entry(TimestampNs timestamp, std::string_view line,
                                       std::span<const LabelView> metadata) const {
    const std::string& stream = stream_->identity->text;
    if (limits_.reject_old_samples && timestamp < oldest_) {
      return Rejection{DiscardReason::kGreaterThanMaxSampleAge, 400, too_old_text(stream, timestamp, oldest_), 0, 0};
    }
    if (timestamp > newest_) {
      return Rejection{DiscardReason::kTooFarInFuture, 400, too_new_text(stream, timestamp), 0, 0};
    }
    if (limits_.max_line_size > 0 && line.size() > limits_.max_line_size) {
      return Rejection{DiscardReason::kLineTooLong, 400, line_too_long_text(stream, line.size(), limits_.max_line_size),
                       0, 0};
    }
    if (metadata.empty()) return std::nullopt;
    if (!limits_.allow_structured_metadata) {
      return Rejection{DiscardReason::kDisallowedStructuredMetadata, 400, metadata_disallowed_text(stream), 0, 0};
    }
    const std::uint64_t size = metadata_bytes(metadata);
    if (limits_.max_structured_metadata_size > 0 && size > limits_.max_structured_metadata_size) {
      return Rejection{DiscardReason::kStructuredMetadataTooLarge, 400,
                       metadata_too_large_text(stream, size, limits_.max_structured_metadata_size), 0, 0};
    }
    const std::uint64_t count_max = limits_.max_structured_metadata_entries_count;
    if (count_max > 0 && metadata.size() > count_max) {
      return Rejection{DiscardReason::kStructuredMetadataTooMany, 400,
                       metadata_too_many_text(stream, metadata.size(), count_max), 0, 0};
    }
    return std::nullopt;
  }

  /// Names in stored form, sorted, with the level. False: a name that cannot be stored.
  bool set_metadata(EntryView& out, std::span<const LabelView> given) {
    const bool levels = limits_.discover_log_levels && limits_.allow_structured_metadata;
    const bool plain = given.empty() && limits_.discover_generic_fields.empty();
    if (plain && !levels) return true;
    if (plain && (stream_->known_level || !stream_->level)) {
      const Level level = stream_->known_level ? *stream_->known_level : levels_->from_line(out.line);
      out.metadata = {&level_pair(level), 1};
      return true;
    }
    const std::size_t begin = push_.accepted_metadata.size();
    for (const auto& pair : given) {
      const std::string_view name = metadata_name(pair.name, push_.text);
      if (name.empty()) {
        push_.accepted_metadata.resize(begin);
        return false;
      }
      if (!pair.value.empty()) push_.accepted_metadata.push_back({name, without_replacement(pair.value)});
    }
    if (levels) add_level(begin, out.line);
    add_generic_fields(begin, out.line);
    sort_unique(begin);
    out.metadata = {push_.accepted_metadata.data() + begin, push_.accepted_metadata.size() - begin};
    return true;
  }

  /// U+FFFD becomes a space.
  std::string_view without_replacement(std::string_view value) {
    constexpr std::string_view kReplacement = "\xef\xbf\xbd";
    if (value.find(kReplacement) == std::string_view::npos) return value;
    std::string out(value);
    for (std::size_t at = out.find(kReplacement); at != std::string::npos; at = out.find(kReplacement, at)) {
      out.replace(at, kReplacement.size(), " ");
    }
    return push_.text.copy(out);
  }

  void add_generic_fields(std::size_t begin, std::string_view line) {
    if (!limits_.allow_structured_metadata) return;
    for (const auto& [name, hints] : limits_.discover_generic_fields) {
      const std::span metadata(push_.accepted_metadata.data() + begin, push_.accepted_metadata.size() - begin);
      const auto value = find_generic_field(hints, stream_->identity->labels, metadata, line);
      if (value && !value->empty()) push_.accepted_metadata.push_back({push_.text.copy(name), push_.text.copy(*value)});
    }
  }

  void add_level(std::size_t begin, std::string_view line) {
    const std::span metadata(push_.accepted_metadata.data() + begin, push_.accepted_metadata.size() - begin);
    for (auto& [name, value] : metadata) {
      if (name != detected_level_name()) continue;
      name = detected_level_name();
      if (const auto level = parse_level(value)) value = level_pair(*level).value;
      return;
    }
    if (stream_->level) {
      push_.accepted_metadata.push_back(named_level());
    } else if (const auto named = levels_->from_metadata(metadata)) {
      push_.accepted_metadata.push_back({detected_level_name(), *named});
    } else {
      push_.accepted_metadata.push_back(level_pair(levels_->from_line(line)));
    }
  }

  /// A known word comes as the static pair; another text is kept in the arena, the stream may be forgotten before the
  /// batch.
  LabelView named_level() {
    if (stream_->known_level) return level_pair(*stream_->known_level);
    if (level_of_ != stream_) level_value_ = push_.text.copy(*stream_->level);
    level_of_ = stream_;
    return {detected_level_name(), level_value_};
  }

  /// By name; of equal names the first stays.
  void sort_unique(std::size_t begin) {
    auto& all = push_.accepted_metadata;
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
    for (auto it = first; it != all.end(); ++it) {  // insertion: the runs are short and mostly in order
      for (auto at = it; at != first && at->name < std::prev(at)->name; --at) std::swap(*at, *std::prev(at));
    }
    all.erase(std::unique(first, all.end(), [](const auto& a, const auto& b) { return a.name == b.name; }), all.end());
  }

  static void increment_duplicates(std::span<EntryView> entries) {
    const EntryView* previous = nullptr;
    TimestampNs anchor;
    for (auto& entry : entries) {
      const bool repeats = previous != nullptr && previous->line != entry.line &&
                           (entry.timestamp == anchor || entry.timestamp == previous->timestamp);
      if (repeats) {
        entry.timestamp = previous->timestamp + Duration(1);
      } else {
        anchor = entry.timestamp;
      }
      previous = &entry;
    }
  }

  /// The tenant's rate decides over everything, then each stream's over its own part.
  std::optional<Refusal> charge(TenantIntake& intake) {
    if (accepted_.empty()) return std::nullopt;
    constexpr double kMiB = 1 << 20;
    MutexLock lock(intake.mutex);
    const double rate = limits_.ingestion_rate_mb * kMiB;
    if (!intake.rate.take(static_cast<double>(bytes_), rate, limits_.ingestion_burst_size_mb * kMiB, steady_)) {
      Refusal refusal{429, rate_limited_text(tenant_, rate, push_.accepted.size(), bytes_), std::move(rejections_)};
      refusal.counted.count(DiscardReason::kRateLimited, push_.accepted.size(), bytes_);
      return refusal;
    }
    std::erase_if(accepted_, [&](const Accepted& accepted) {
      const bool fits = accepted.known->rate.take(static_cast<double>(accepted.stream.bytes),
                                                  static_cast<double>(limits_.per_stream_rate_limit),
                                                  static_cast<double>(limits_.per_stream_rate_limit_burst), steady_);
      if (fits) return false;
      auto rejection = stream_rate_rejection(accepted.stream);
      if (verdicts_ != nullptr) verdicts_->refuse_accepted(accepted.stream.entries, rejection);
      rate_rejections_.add(std::move(rejection));
      return true;
    });
    return std::nullopt;
  }

  Rejection stream_rate_rejection(const PushStream& stream) const {
    return {DiscardReason::kPerStreamRateLimit, 429, stream_rate_text(tenant_, stream, limits_), stream.entries.size(),
            stream.bytes};
  }

  Validated finish() {
    Validated out;
    out.rejections = std::move(rejections_);
    out.rate_rejections = std::move(rate_rejections_);
    out.batch.tenant = tenant_;
    out.batch.verdicts = std::move(verdicts_);
    for (auto& accepted : accepted_) {
      out.batch.entry_count += accepted.stream.entries.size();
      out.batch.bytes += accepted.stream.bytes;
      out.batch.streams.push_back(std::move(accepted.stream));
    }
    out.batch.owner_bytes = owner_->held_bytes();
    out.batch.owner = std::move(owner_);
    return out;
  }

  struct Accepted {
    std::shared_ptr<KnownStream> known;
    PushStream stream;
  };

  const std::string tenant_;
  const TenantLimits& limits_;
  const TimestampNs now_;
  const Duration steady_;
  TimestampNs oldest_, newest_;
  std::shared_ptr<DecodedPush> owner_;
  DecodedPush& push_;
  std::shared_ptr<const LevelDetector> levels_;
  std::vector<std::shared_ptr<KnownStream>> known_;   // one for each stream of the push
  const KnownStream* stream_ = nullptr;               // being taken
  PushVerdicts::Place place_;                         // of the entry being taken, as the client sent it
  std::shared_ptr<PushVerdicts> verdicts_;            // may be null
  const KnownStream* level_of_ = nullptr;             // whose level is in level_value_
  std::string_view level_value_;
  std::vector<Accepted> accepted_;
  std::uint64_t bytes_ = 0;
  Rejections rejections_;
  Rejections rate_rejections_;
};

}  // namespace

PushValidator::PushValidator(const Clock& clock) : clock_(clock) {}

PushValidator::~PushValidator() = default;

ValidateResult PushValidator::validate(std::string_view tenant, std::shared_ptr<DecodedPush> push,
                                       const std::shared_ptr<const TenantLimits>& limits,
                                       std::shared_ptr<PushVerdicts> verdicts) {
  Validation validation(tenant, std::move(push), *limits, clock_);
  validation.want_verdicts(std::move(verdicts));
  return validation.run(*intake(tenant), limits);
}

std::shared_ptr<TenantIntake> PushValidator::intake(std::string_view tenant) {
  MutexLock lock(mutex_);
  const auto known = tenants_.find(tenant);
  if (known != tenants_.end()) return known->second;
  if (tenants_.size() >= kTenantsMax) tenants_.clear();
  return tenants_.emplace(tenant, std::make_shared<TenantIntake>(tenant)).first->second;
}

}  // namespace kvasir::ingest
