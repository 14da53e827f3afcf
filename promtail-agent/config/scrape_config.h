// scrape_config.h -- reads one item of scrape_configs.
//
// Errors:   collected in YamlProblems with line numbers.
#pragma once

#include "promtail-agent/config/config.h"
#include "promtail-agent/config/yaml_fields.h"

namespace kvasir::agent {

void read_server_config(const YamlNode* node, YamlProblems& problems, ServerConfig& out);
ScrapeConfig read_scrape_config(const YamlNode& node, YamlProblems& problems);

}  // namespace kvasir::agent
