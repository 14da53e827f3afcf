// otlp_config.h -- which OTLP attributes become index labels, structured metadata or nothing.
//
// Lifetime: values.
#pragma once

#include <string>
#include <vector>

namespace kvasir::ingest {

enum class OtlpAction { kIndexLabel, kStructuredMetadata, kDrop };

/// One rule: names it (exactly) or matches it (anchored regex). First match wins.
struct OtlpRule {
  OtlpAction action = OtlpAction::kStructuredMetadata;
  std::vector<std::string> attributes;
  std::string regex;
};

struct OtlpConfig {
  bool ignore_defaults = false;                        // of resource_attributes
  std::vector<OtlpRule> resource_attributes;           // after the default index labels unless ignored
  std::vector<OtlpRule> scope_attributes;              // kIndexLabel is not allowed
  std::vector<OtlpRule> log_attributes;                // kIndexLabel is not allowed
  bool severity_text_as_label = false;
};

/// Resource attributes that become index labels: `service.name`, ...
const std::vector<std::string>& default_otlp_index_attributes();

}  // namespace kvasir::ingest
