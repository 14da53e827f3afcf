// log_answer.h -- sends the entries of a paged query: whole when one page holds them, otherwise page by page in flat
// memory.
//
// Shape:    JSON: the shape of Loki's answers. Of an answer that does not fit one page each page is grouped by itself,
//           so that a stream may come more than once, and `warnings` stand at the end. NDJSON: one object per entry, in
//           the order of the query.
// Threads:  called on a query thread; pages after the first are made and sent on the pool Services::answers.
// Errors:   before the first byte as a status; later the connection is cut.
#pragma once

#include <memory>

#include "server/encode_result.h"
#include "server/handlers/query_route.h"
#include "server/query_service.h"

namespace kvasir::server {

inline constexpr std::uint64_t kPageBytes = 16 << 20;   // of entries in memory for one answer

/// Accept names application/x-ndjson.
bool wants_ndjson(const net::HttpRequest& request);
/// Where an answer that reached its limit goes on.
inline constexpr const char* kCursorHeader = "X-Kvasir-Next-Cursor";
inline constexpr const char* kNdjsonType = "application/x-ndjson";

/// Where the client wants to go on: the `cursor` parameter, which may be empty. Errors: invalid_argument.
Result<std::optional<EntryPosition>> resume_position(const QueryExchange& exchange);

void answer_log_query(const Services& services, const QueryExchange& exchange, std::shared_ptr<PagedQuery> query,
                      const std::shared_ptr<net::HttpReply>& reply);

}  // namespace kvasir::server
