// reference.h -- docs/configuration.md, written from the table of settings.
#pragma once

#include <string>

namespace kvasir::server {

/// Markdown: how a configuration is found, then every key with its flag, default and meaning, then the keys without
///           effect.
std::string configuration_reference();

}  // namespace kvasir::server
