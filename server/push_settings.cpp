#include "server/push_settings.h"

#include <map>

#include "common/number.h"
#include "common/regex.h"
#include "logql/syntax/parser.h"

namespace kvasir::server {
namespace {

using ingest::OtlpAction;
using ingest::OtlpConfig;
using ingest::OtlpRule;
using NamedLists = std::map<std::string, std::vector<std::string>>;

Unexpected bad(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

Result<std::vector<std::string>> read_texts(const YamlNode& node) {
  std::vector<std::string> out;
  if (node.is_scalar()) {
    out.push_back(node.text);
    return out;
  }
  for (const auto& item : node.items) {
    const auto text = item.as_text();
    if (!text) return bad("must be a list of texts");
    out.push_back(*text);
  }
  return out;
}

std::string print_texts(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const auto& item : list) out += (out.size() > 1 ? ", " : "") + yaml_scalar(item);
  return out + "]";
}

CustomTarget named_lists(NamedLists* lists) {
  return {[lists](const YamlNode& node) -> Result<void> {
            NamedLists read;
            for (const auto& entry : node.entries) {
              KVASIR_TRY(read[entry.key], read_texts(entry.value));
            }
            *lists = std::move(read);
            return {};
          },
          [lists] {
            std::string out = "{";
            for (const auto& [name, list] : *lists) {
              out += (out.size() > 1 ? ", " : "") + yaml_scalar(name) + ": " + print_texts(list);
            }
            return out + "}";
          }};
}

/// `{fields: {name: [hint, ...]}}`
CustomTarget generic_fields(NamedLists* lists) {
  CustomTarget inner = named_lists(lists);
  return {[inner](const YamlNode& node) -> Result<void> {
            const YamlNode* fields = node.find("fields");
            return inner.read(fields == nullptr ? YamlNode() : *fields);
          },
          [inner] { return "{fields: " + inner.print() + "}"; }};
}

Result<std::optional<TimestampNs>> read_until(const YamlNode& node) {
  const std::string text = node.as_text().value_or("");
  if (text.empty() || text == "0") return std::optional<TimestampNs>();
  const auto time = parse_rfc3339(text);
  if (!time) return bad("cannot read \"" + text + "\" as time (RFC 3339)");
  return std::optional<TimestampNs>(*time);
}

CustomTarget block_until(std::optional<TimestampNs>* until) {
  return {[until](const YamlNode& node) -> Result<void> {
            KVASIR_TRY(*until, read_until(node));
            return {};
          },
          [until] { return *until ? yaml_scalar(format_rfc3339(**until)) : std::string("\"0\""); }};
}

CustomTarget block_policies_until(std::map<std::string, TimestampNs>* policies) {
  return {[policies](const YamlNode& node) -> Result<void> {
            std::map<std::string, TimestampNs> read;
            for (const auto& entry : node.entries) {
              KVASIR_TRY(const auto until, read_until(entry.value));
              if (until) read[entry.key] = *until;
            }
            *policies = std::move(read);
            return {};
          },
          [policies] {
            std::string out = "{";
            for (const auto& [name, until] : *policies) {
              out += (out.size() > 1 ? ", " : "") + yaml_scalar(name) + ": " + yaml_scalar(format_rfc3339(until));
            }
            return out + "}";
          }};
}

CustomTarget policy_streams(std::map<std::string, std::vector<ingest::PolicyMapping>>* policies) {
  return {[policies](const YamlNode& node) -> Result<void> {
            std::map<std::string, std::vector<ingest::PolicyMapping>> read;
            for (const auto& entry : node.entries) {
              for (const auto& item : entry.value.items) {
                const YamlNode* text = item.find("selector");
                if (text == nullptr) return bad(entry.key + ": a mapping needs a selector");
                auto selector = logql::parse_selector(text->text);
                if (!selector) return bad(entry.key + ": " + selector.error().message());
                const YamlNode* priority = item.find("priority");
                read[entry.key].push_back(
                    {std::move(selector->matchers),
                     static_cast<int>(priority == nullptr ? 0 : priority->as_integer().value_or(0))});
              }
            }
            *policies = std::move(read);
            return {};
          },
          [policies] {
            std::string out = "{";
            for (const auto& [name, mappings] : *policies) {
              out += (out.size() > 1 ? ", " : "") + yaml_scalar(name) + ": [";
              for (std::size_t i = 0; i < mappings.size(); ++i) {
                std::string selector = "{";
                for (const auto& matcher : mappings[i].selector)
                  selector += (selector.size() > 1 ? ", " : "") + matcher.to_string();
                out += (i > 0 ? ", {selector: " : "{selector: ") + yaml_scalar(selector + "}") +
                       ", priority: " + std::to_string(mappings[i].priority) + "}";
              }
              out += "]";
            }
            return out + "}";
          }};
}

Result<OtlpRule> read_otlp_rule(const YamlNode& node, bool index_allowed) {
  OtlpRule rule;
  const YamlNode* action = node.find("action");
  const std::string name = action == nullptr ? "" : action->text;
  if (name == "index_label" && index_allowed) {
    rule.action = OtlpAction::kIndexLabel;
  } else if (name == "structured_metadata") {
    rule.action = OtlpAction::kStructuredMetadata;
  } else if (name == "drop") {
    rule.action = OtlpAction::kDrop;
  } else {
    return bad("unknown or unsupported action \"" + name + "\"");
  }
  if (const YamlNode* attributes = node.find("attributes")) {
    KVASIR_TRY(rule.attributes, read_texts(*attributes));
  }
  if (const YamlNode* regex = node.find("regex")) rule.regex = regex->text;
  if (rule.attributes.empty() == rule.regex.empty()) return bad("a rule has either attributes or regex");
  if (!rule.regex.empty()) {
    KVASIR_TRY(const auto compiled, compile_regex(rule.regex, {.anchored = true}));
    (void)compiled;
  }
  return rule;
}

Result<std::vector<OtlpRule>> read_otlp_rules(const YamlNode* list, bool index_allowed) {
  std::vector<OtlpRule> rules;
  if (list == nullptr) return rules;
  for (const auto& item : list->items) {
    KVASIR_TRY(OtlpRule rule, read_otlp_rule(item, index_allowed));
    rules.push_back(std::move(rule));
  }
  return rules;
}

std::string print_otlp_rules(const std::vector<OtlpRule>& rules) {
  std::string out = "[";
  for (const auto& rule : rules) {
    const char* action = rule.action == OtlpAction::kIndexLabel ? "index_label"
                         : rule.action == OtlpAction::kDrop     ? "drop"
                                                                : "structured_metadata";
    out += out.size() > 1 ? ", {action: " : "{action: ";
    out += action;
    out += rule.regex.empty() ? ", attributes: " + print_texts(rule.attributes) : ", regex: " + yaml_scalar(rule.regex);
    out += "}";
  }
  return out + "]";
}

CustomTarget otlp_target(OtlpConfig* config) {
  return {
      [config](const YamlNode& node) -> Result<void> {
        OtlpConfig read;
        if (const YamlNode* resource = node.find("resource_attributes")) {
          if (const YamlNode* ignore = resource->find("ignore_defaults"))
            read.ignore_defaults = ignore->as_bool().value_or(false);
          KVASIR_TRY(read.resource_attributes, read_otlp_rules(resource->find("attributes_config"), true));
        }
        KVASIR_TRY(read.scope_attributes, read_otlp_rules(node.find("scope_attributes"), false));
        KVASIR_TRY(read.log_attributes, read_otlp_rules(node.find("log_attributes"), false));
        if (const YamlNode* severity = node.find("severity_text_as_label")) {
          read.severity_text_as_label = severity->as_bool().value_or(false);
        }
        *config = std::move(read);
        return {};
      },
      [config] {
        return "{resource_attributes: {ignore_defaults: " + std::string(config->ignore_defaults ? "true" : "false") +
               ", attributes_config: " + print_otlp_rules(config->resource_attributes) +
               "}, scope_attributes: " + print_otlp_rules(config->scope_attributes) +
               ", log_attributes: " + print_otlp_rules(config->log_attributes) +
               ", severity_text_as_label: " + (config->severity_text_as_label ? "true" : "false") + "}";
      }};
}

CustomTarget status_code(int* code) {
  return {[code](const YamlNode& node) -> Result<void> {
            const auto value = node.as_integer();
            if (!value || *value < 200 || *value > 599) return bad("must be an HTTP status");
            *code = static_cast<int>(*value);
            return {};
          },
          [code] { return std::to_string(*code); }};
}

void add_rates(ingest::TenantLimits& l, std::vector<Setting>& t) {
  t.insert(t.end(), {{"ingestion_rate_mb", &l.ingestion_rate_mb, "MiB per second of lines and metadata",
                      "distributor.ingestion-rate-limit-mb"},
                     {"ingestion_burst_size_mb", &l.ingestion_burst_size_mb, "MiB that may come at once",
                      "distributor.ingestion-burst-size-mb"},
                     {"per_stream_rate_limit", BytesTarget{&l.per_stream_rate_limit}, "bytes per second of one stream",
                      "ingester.per-stream-rate-limit"},
                     {"per_stream_rate_limit_burst", BytesTarget{&l.per_stream_rate_limit_burst},
                      "bytes of one stream that may come at once", "ingester.per-stream-rate-limit-burst"},
                     {"max_streams_per_user", &l.max_streams_per_user, "streams with data in memory; 0 is no limit",
                      "ingester.max-streams-per-user"},
                     {"max_global_streams_per_user", &l.max_global_streams_per_user,
                      "as max_streams_per_user; the smaller counts", "ingester.max-global-streams-per-user"}});
}

void add_labels(ingest::TenantLimits& l, std::vector<Setting>& t) {
  t.insert(t.end(),
           {{"max_label_name_length", BytesTarget{&l.max_label_name_length}, "bytes of a label name",
             "validation.max-length-label-name"},
            {"max_label_value_length", BytesTarget{&l.max_label_value_length}, "bytes of a label value",
             "validation.max-length-label-value"},
            {"max_label_names_per_series", &l.max_label_names_per_series, "labels of a stream",
             "validation.max-label-names-per-series"},
            {"discover_service_name", &l.discover_service_name,
             "labels from which service_name is taken; empty turns it off", "validation.discover-service-name"},
            {"enforced_labels", &l.enforced_labels, "labels that every stream must have"},
            {"policy_enforced_labels", named_lists(&l.policy_enforced_labels), "the same by policy"},
            {"policy_stream_mapping", policy_streams(&l.policy_stream_mapping), "policy: [{selector, priority}]"}});
}

void add_entries(ingest::TenantLimits& l, std::vector<Setting>& t) {
  t.insert(
      t.end(),
      {{"reject_old_samples", &l.reject_old_samples, "refuse entries older than reject_old_samples_max_age",
        "validation.reject-old-samples"},
       {"reject_old_samples_max_age", &l.reject_old_samples_max_age, "see reject_old_samples",
        "validation.reject-old-samples.max-age"},
       {"creation_grace_period", &l.creation_grace_period, "how far in the future an entry may lie",
        "validation.create-grace-period"},
       {"max_line_size", BytesTarget{&l.max_line_size}, "bytes of a line; 0 is no limit", "distributor.max-line-size"},
       {"max_line_size_truncate", &l.max_line_size_truncate, "cut longer lines instead of refusing them",
        "distributor.max-line-size-truncate"},
       {"max_line_size_truncate_identifier", &l.max_line_size_truncate_identifier, "text at the end of a cut line"},
       {"increment_duplicate_timestamp", &l.increment_duplicate_timestamp, "move equal timestamps of one push apart",
        "validation.increment-duplicate-timestamps"},
       {"allow_structured_metadata", &l.allow_structured_metadata, "accept structured metadata",
        "validation.allow-structured-metadata"},
       {"max_structured_metadata_size", BytesTarget{&l.max_structured_metadata_size},
        "bytes of one entry's metadata; 0 is no limit", "limits.max-structured-metadata-size"},
       {"max_structured_metadata_entries_count", &l.max_structured_metadata_entries_count,
        "pairs of one entry; 0 is no limit", "limits.max-structured-metadata-entries-count"},
       {"discover_log_levels", &l.discover_log_levels, "add detected_level to every entry",
        "validation.discover-log-levels"},
       {"log_level_fields", &l.log_level_fields, "names that hold the level", "validation.log-level-fields"},
       {"log_level_from_json_max_depth", &l.log_level_from_json_max_depth,
        "how deep a level is looked for in JSON; 0 is any depth", "validation.log-level-from-json-max-depth"},
       {"discover_generic_fields", generic_fields(&l.discover_generic_fields), "{fields: {name: [where to look]}}"},
       {"otlp_config", otlp_target(&l.otlp_config), "what becomes of OTLP attributes"},
       {"block_ingestion_until", block_until(&l.block_ingestion_until), "refuse pushes until then (RFC 3339)"},
       {"block_ingestion_status_code", status_code(&l.block_ingestion_status_code), "status of that refusal"},
       {"block_ingestion_policy_until", block_policies_until(&l.block_ingestion_policy_until), "the same by policy"}});
}

}  // namespace

void add_push_settings(ingest::TenantLimits& limits, std::vector<Setting>& table) {
  add_rates(limits, table);
  add_labels(limits, table);
  add_entries(limits, table);
}

}  // namespace kvasir::server
