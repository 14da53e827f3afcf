// log_format.h -- how log lines are written; set once, by main.
//
// Threads:  any.
#pragma once

namespace kvasir::log {

/// kLogfmt: `level=info ts=...`. kJson: {"level":"info","ts":"...",...}, every value a string.
enum class Format { kLogfmt, kJson };
void set_format(Format format);

}  // namespace kvasir::log
