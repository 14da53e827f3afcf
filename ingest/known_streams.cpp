#include "ingest/known_streams.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "ingest/wire/label_string.h"

namespace kvasir::ingest {
namespace {

std::string policy_of(const Labels& labels, const TenantLimits& limits) {
  std::string best;
  std::optional<int> best_priority;
  for (const auto& [policy, mappings] : limits.policy_stream_mapping) {
    for (const auto& [selector, priority] : mappings) {
      const bool matches =
          std::all_of(selector.begin(), selector.end(), [&](const auto& m) { return m.matches(labels); });
      if (!matches || (best_priority && *best_priority >= priority)) continue;
      best = policy;
      best_priority = priority;
    }
  }
  return best;
}

Rejection problem(DiscardReason reason, std::string message) { return {reason, 400, std::move(message), 0, 0}; }

/// `label_count`: without the discovered service_name, which no limit counts.
std::optional<Rejection> check_labels(const StreamIdentity& identity, std::size_t label_count,
                                      const TenantLimits& limits) {
  const std::string& text = identity.text;
  if (label_count > limits.max_label_names_per_series) {
    return problem(DiscardReason::kMaxLabelNamesPerSeries,
                   "entry for stream '" + text + "' has " + std::to_string(label_count) + " label names; limit " +
                       std::to_string(limits.max_label_names_per_series));
  }
  for (const auto& [name, value] : identity.labels) {
    if (name.size() > limits.max_label_name_length) {
      return problem(DiscardReason::kLabelNameTooLong, "stream '" + text + "' has label name too long: '" + name + "'");
    }
    if (value.size() > limits.max_label_value_length) {
      return problem(DiscardReason::kLabelValueTooLong,
                     "stream '" + text + "' has label value too long: '" + value + "'");
    }
  }
  return std::nullopt;
}

/// As StreamIdentity::text, but with every pair that was sent.
std::string text_with_duplicates(const StreamIdentity& identity, std::vector<Label> pairs) {
  for (const auto& label : identity.labels) {
    const bool sent =
        std::any_of(pairs.begin(), pairs.end(), [&](const Label& pair) { return pair.name == label.name; });
    if (!sent) pairs.push_back(label);
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Label& a, const Label& b) { return a.name < b.name; });
  std::string text = "{";
  for (const auto& [name, value] : pairs) {
    if (text.size() > 1) text += ", ";
    text += name + "=";
    append_go_quoted(text, value);
  }
  return text + "}";
}

std::optional<Rejection> check_enforced(const StreamIdentity& identity, const std::string& policy,
                                        const std::string& tenant, const TenantLimits& limits) {
  std::vector<std::string> wanted = limits.enforced_labels;
  if (const auto extra = limits.policy_enforced_labels.find(policy); extra != limits.policy_enforced_labels.end()) {
    wanted.insert(wanted.end(), extra->second.begin(), extra->second.end());
  }
  std::string missing;
  for (const auto& name : wanted) {
    if (!identity.labels.has(name)) missing += (missing.empty() ? "" : ",") + name;
  }
  if (missing.empty()) return std::nullopt;
  return problem(DiscardReason::kMissingEnforcedLabels, "missing required labels '" + missing + "' for user '" +
                                                            tenant + "' for stream '" + identity.text + "' (policy: '" +
                                                            policy + "')");
}

}  // namespace

std::size_t KnownStreams::Hash::operator()(std::string_view text) const {
  return XXH3_64bits(text.data(), text.size());
}

bool is_internal_stream(const Labels& labels) {
  return labels.has("__aggregated_metric__") || labels.has("__pattern__");
}

void add_service_name(Labels& labels, const TenantLimits& limits) {
  if (limits.discover_service_name.empty() || labels.has("service_name") || is_internal_stream(labels)) return;
  for (const auto& name : limits.discover_service_name) {
    const auto value = labels.get(name);
    if (!value || value->empty()) continue;
    labels.set("service_name", std::string(*value));  // a copy: set() may move what the view points to
    return;
  }
  labels.set("service_name", "unknown_service");
}

Result<std::shared_ptr<KnownStream>> KnownStreams::find(std::string_view label_text, const TenantLimits& limits,
                                                        const LevelDetector& levels) {
  const auto known = streams_.find(label_text);
  if (known != streams_.end()) return known->second;
  KVASIR_TRY(auto stream, learn(label_text, limits, levels));
  streams_.emplace(label_text, stream);
  return stream;
}

Result<std::shared_ptr<KnownStream>> KnownStreams::learn(std::string_view label_text, const TenantLimits& limits,
                                                         const LevelDetector& levels) const {
  KVASIR_TRY(ParsedLabels parsed, parse_label_string(label_text));
  auto identity = std::make_shared<StreamIdentity>();
  identity->labels = std::move(parsed.labels);
  const std::size_t label_count = identity->labels.size();
  add_service_name(identity->labels, limits);
  identity->fingerprint = identity->labels.fingerprint();
  identity->text = identity->labels.to_string();
  auto stream = std::make_shared<KnownStream>();
  stream->policy = policy_of(identity->labels, limits);
  if (const auto level = levels.from_labels(identity->labels)) {
    stream->level = *level;
    stream->known_level = parse_level(*level);
  }
  if (identity->labels.empty()) {
    stream->label_problem =
        problem(DiscardReason::kMissingLabels, "error at least one label pair is required per stream");
  } else if (!parsed.duplicate_name.empty()) {
    stream->label_problem = problem(DiscardReason::kDuplicateLabelNames,
                                    "stream '" + text_with_duplicates(*identity, std::move(parsed.pairs)) +
                                        "' has duplicate label name: '" + parsed.duplicate_name + "'");
  } else if (!is_internal_stream(identity->labels)) {
    stream->label_problem = check_labels(*identity, label_count, limits);
    if (!stream->label_problem) stream->label_problem = check_enforced(*identity, stream->policy, tenant_, limits);
  }
  stream->identity = std::move(identity);
  return stream;
}

}  // namespace kvasir::ingest
