#include "ingest/wire/otlp_mapper.h"

#include <algorithm>

#include "ingest/wire/json_text.h"
#include "ingest/wire/metadata_name.h"
#include "ingest/wire/otlp_text.h"

namespace kvasir::ingest {

const std::vector<std::string>& default_otlp_index_attributes() {
  static const std::vector<std::string> kNames = {
      "service.name",        "service.namespace",   "service.instance.id",     "deployment.environment",
      "deployment.environment.name", "cloud.region", "cloud.availability_zone", "k8s.cluster.name",
      "k8s.namespace.name",  "k8s.pod.name",        "k8s.container.name",      "container.name",
      "k8s.replicaset.name", "k8s.deployment.name", "k8s.statefulset.name",    "k8s.daemonset.name",
      "k8s.cronjob.name",    "k8s.job.name"};
  return kNames;
}

Result<OtlpMapper> OtlpMapper::create(const OtlpConfig& config, TimestampNs now, bool texts_stay, DecodedPush& push) {
  OtlpMapper mapper(config, now, texts_stay, push);
  if (!config.ignore_defaults) {
    mapper.resource_rules_.push_back({OtlpAction::kIndexLabel, default_otlp_index_attributes(), nullptr});
  }
  KVASIR_TRY(const Rules own, compile(config.resource_attributes));
  mapper.resource_rules_.insert(mapper.resource_rules_.end(), own.begin(), own.end());
  KVASIR_TRY(mapper.scope_rules_, compile(config.scope_attributes));
  KVASIR_TRY(mapper.log_rules_, compile(config.log_attributes));
  return mapper;
}

Result<OtlpMapper::Rules> OtlpMapper::compile(const std::vector<OtlpRule>& rules) {
  Rules compiled;
  for (const auto& rule : rules) {
    Rule out{rule.action, rule.attributes, nullptr};
    if (!rule.regex.empty()) {
      RegexOptions options;
      options.anchored = true;
      KVASIR_TRY(out.regex, compile_regex(rule.regex, options));
    }
    compiled.push_back(std::move(out));
  }
  return compiled;
}

OtlpAction OtlpMapper::action_for(const Rules& rules, std::string_view name) {
  for (const auto& rule : rules) {
    const bool named = std::find(rule.names.begin(), rule.names.end(), name) != rule.names.end();
    if (named || (rule.regex && re2::RE2::FullMatch(re2::StringPiece(name.data(), name.size()), *rule.regex))) {
      return rule.action;
    }
  }
  return OtlpAction::kStructuredMetadata;
}

std::string_view OtlpMapper::keep(std::string_view text) { return texts_stay_ ? text : push_.text.copy(text); }

std::string_view OtlpMapper::text_of(const OtlpValue& value) {
  return value.kind == OtlpValue::Kind::kString ? keep(value.text) : push_.text.copy(otlp_text(value));
}

void OtlpMapper::put(std::vector<LabelView>& out, std::string_view name, std::string_view text) {
  if (!text.empty()) out.push_back({name, text});
}

void OtlpMapper::put_number(std::vector<LabelView>& out, std::string_view name, std::uint64_t number) {
  if (number != 0) out.push_back({name, push_.text.copy(std::to_string(number))});
}

/// A map becomes `parent_child` pairs, each level put in form.
Result<void> OtlpMapper::put_value(std::string_view name, const OtlpValue& value, std::vector<LabelView>& out) {
  if (value.kind != OtlpValue::Kind::kMap) {
    put(out, name, text_of(value));
    return {};
  }
  for (const auto& pair : value.pairs) {
    if (push_.is_too_much() || out.size() > push_.made_bytes_max / sizeof(LabelView)) return fail(push_.too_much());
    const std::string_view path = push_.text.copy(std::string(name) + "_" + std::string(pair.key));
    KVASIR_CHECK_OK(put_value(metadata_name(path, push_.text), pair.value, out));
  }
  return {};
}

Result<void> OtlpMapper::put_attributes(const OtlpAttributes& attributes, const Rules& rules,
                                        std::vector<LabelView>& metadata) {
  for (const auto& [key, value] : attributes) {
    const OtlpAction action = action_for(rules, key);
    if (action == OtlpAction::kDrop) continue;
    const std::string_view name = metadata_name(keep(key), push_.text);
    if (name.empty()) {
      const std::string why =
          key.empty() ? "symbolizer lookup: label name is empty"
                      : "normalization for label name \"" + std::string(key) + "\" resulted in invalid name";
      return fail(ErrorCode::kInvalidArgument, why);
    }
    KVASIR_CHECK_OK(put_value(name, value, action == OtlpAction::kIndexLabel ? index_labels_ : metadata));
  }
  return {};
}

Result<void> OtlpMapper::begin_resource(const OtlpAttributes& attributes) {
  finish();
  index_labels_.clear();
  resource_metadata_.clear();
  scope_metadata_.clear();
  ++resources_;
  scopes_ = 0;
  return put_attributes(attributes, resource_rules_, resource_metadata_);
}

Result<void> OtlpMapper::begin_scope(const OtlpScope& scope) {
  scope_metadata_.clear();
  const OtlpScopePlace place{resources_ - 1, scopes_++, static_cast<std::uint32_t>(push_.entries.size())};
  auto& places = push_.otlp_scopes;
  // An empty scope has no record to be named by it; so there are never more places than entries and one.
  if (!places.empty() && places.back().entry_begin == place.entry_begin) {
    places.back() = place;
  } else {
    places.push_back(place);
  }
  KVASIR_CHECK_OK(put_attributes(scope.attributes, scope_rules_, scope_metadata_));
  put(scope_metadata_, "scope_name", keep(scope.name));
  put(scope_metadata_, "scope_version", keep(scope.version));
  put_number(scope_metadata_, "scope_dropped_attributes_count", scope.dropped_attributes_count);
  return {};
}

Result<void> OtlpMapper::add(const OtlpRecord& record) {
  const std::string_view severity = config_.severity_text_as_label ? record.severity_text : std::string_view();
  open_stream(severity);
  DecodedEntry entry;
  const std::uint64_t time = record.time_unix_nano != 0 ? record.time_unix_nano : record.observed_time_unix_nano;
  entry.timestamp = time == 0 ? now_ : TimestampNs{static_cast<std::int64_t>(std::min<std::uint64_t>(time, INT64_MAX))};
  entry.line = text_of(record.body);
  entry.metadata_begin = static_cast<std::uint32_t>(push_.metadata.size());
  KVASIR_CHECK_OK(put_attributes(record.attributes, log_rules_, push_.metadata));
  put_record_fields(record);
  const std::uint64_t repeated = resource_metadata_.size() + scope_metadata_.size();
  if (push_.made_bytes() + repeated * 2 * sizeof(LabelView) > push_.made_bytes_max) return fail(push_.too_much());
  push_.metadata.insert(push_.metadata.end(), resource_metadata_.begin(), resource_metadata_.end());
  push_.metadata.insert(push_.metadata.end(), scope_metadata_.begin(), scope_metadata_.end());
  entry.metadata_count = static_cast<std::uint32_t>(push_.metadata.size()) - entry.metadata_begin;
  push_.entries.push_back(entry);
  ++push_.streams.back().entry_count;
  return {};
}

void OtlpMapper::put_record_fields(const OtlpRecord& record) {
  auto& out = push_.metadata;
  if (record.time_unix_nano != 0) put_number(out, "observed_timestamp", record.observed_time_unix_nano);
  if (record.severity_number != 0) put(out, "severity_number", push_.text.copy(std::to_string(record.severity_number)));
  put(out, "severity_text", keep(record.severity_text));
  put_number(out, "dropped_attributes_count", record.dropped_attributes_count);
  put_number(out, "flags", record.flags);
  put(out, "trace_id", push_.text.copy(otlp_hex(record.trace_id)));
  put(out, "span_id", push_.text.copy(otlp_hex(record.span_id)));
}

void OtlpMapper::open_stream(std::string_view severity_text) {
  const std::string_view labels =
      open_ && !config_.severity_text_as_label ? push_.streams.back().labels : label_text(severity_text);
  if (open_ && push_.streams.back().labels == labels) return;
  push_.streams.push_back({labels, static_cast<std::uint32_t>(push_.entries.size()), 0});
  open_ = true;
}

std::string_view OtlpMapper::label_text(std::string_view severity_text) {
  std::vector<Label> pairs;
  for (const auto& [name, value] : index_labels_) pairs.push_back({std::string(name), std::string(value)});
  if (!severity_text.empty()) pairs.push_back({"severity_text", std::string(severity_text)});
  LabelTextBuilder builder;
  for (const auto& [name, value] : Labels::from_unsorted(std::move(pairs))) builder.add(name, value);
  return builder.finish(push_.text);
}

void OtlpMapper::finish() { open_ = false; }

}  // namespace kvasir::ingest
