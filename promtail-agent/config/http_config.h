// http_config.h -- reads the HTTP client options that clients and discoveries share, and checks that they do not
// contradict.
//
// Errors:   invalid_argument, with the words users of Prometheus' configuration search for.
#pragma once

#include "common/result.h"
#include "promtail-agent/config/config.h"
#include "promtail-agent/config/yaml_fields.h"

namespace kvasir::agent {

/// Reads the shared keys of the map that `fields` stands for; the caller reads its own keys and finishes.
void read_http_config(YamlFields& fields, HttpConfig& out);
void read_tls_config(const YamlNode* node, YamlProblems& problems, TlsConfig& out);
/// Exclusive options given together, required ones missing.
Result<void> check_http_config(const HttpConfig& config);

}  // namespace kvasir::agent
