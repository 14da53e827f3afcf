// reference.h -- the page that names every key of the agent's file.
#pragma once

#include <string>

namespace kvasir::agent {

/// docs/agent/reference.md.
std::string configuration_reference();

}  // namespace kvasir::agent
