// blocks.h -- the blocks of the configuration file, key by key; see fields.h.
#pragma once

#include "promtail-agent/config/config.h"
#include "promtail-agent/config/fields.h"

namespace kvasir::agent {

/// The whole file. `client` is the old single client, which the caller appends to the others.
struct ConfigFile {
  Config& config;
  ClientConfig& client;
  bool has_client = false;
};
void describe_config(Fields& f, ConfigFile& file);

void describe_server(Fields& f, ServerConfig& server);
void describe_client(Fields& f, ClientConfig& client);
void describe_scrape(Fields& f, ScrapeConfig& scrape);
void describe_group(Fields& f, TargetGroup& group);

/// The options of everything that asks over HTTP; they stand among the keys of its block.
void describe_http(Fields& f, HttpConfig& http);
void describe_tls(Fields& f, Key key, TlsConfig& tls);

}  // namespace kvasir::agent
