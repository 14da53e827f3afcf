// log_format.h -- how log lines are written, set once, by main; and how many were.
//
// Threads:  any.
#pragma once

#include <cstdint>

#include "common/log.h"

namespace kvasir::log {

/// kLogfmt: `level=info ts=...`. kJson: {"level":"info","ts":"...",...}, every value a string.
enum class Format { kLogfmt, kJson };
void set_format(Format format);
/// Lines of this level since the start.
std::uint64_t lines_written(Level level);

}  // namespace kvasir::log
