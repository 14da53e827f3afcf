// refusal_text.h -- the words in which a push or a part of it is refused; clients and their dashboards match them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ingest/limits.h"
#include "ingest/push_batch.h"

namespace kvasir::ingest {

std::string too_old_text(std::string_view stream, TimestampNs timestamp, TimestampNs oldest);
std::string too_new_text(std::string_view stream, TimestampNs timestamp);
std::string line_too_long_text(std::string_view stream, std::uint64_t size, std::uint64_t limit);
std::string metadata_disallowed_text(std::string_view stream);
std::string metadata_too_large_text(std::string_view stream, std::uint64_t size, std::uint64_t limit);
std::string metadata_too_many_text(std::string_view stream, std::uint64_t count, std::uint64_t limit);
/// policy "" = the block of the whole tenant.
std::string blocked_text(std::string_view tenant, std::string_view policy, TimestampNs until, int status);
std::string rate_limited_text(std::string_view tenant, double rate, std::uint64_t lines, std::uint64_t bytes);
/// One line for each refused entry, up to max_returned_stream_errors, then the total.
std::string stream_rate_text(std::string_view tenant, const PushStream& stream, const TenantLimits& limits);

/// `150B`, `3MB`, `1KB512B`: whole units of 1024, largest first.
std::string humanised_bytes(std::uint64_t bytes);
/// RFC 3339 with whole seconds, as in the texts above.
std::string format_seconds(TimestampNs timestamp);

}  // namespace kvasir::ingest
