// block_cache_metrics.h -- what the block cache holds and how often it helped, read at each exposition.
#pragma once

#include <memory>

#include "server/block_cache.h"
#include "server/server_metrics.h"

namespace kvasir::server {

/// Also lets go of blocks whose segments are gone.
void collect_block_cache(ServerMetrics& metrics, std::shared_ptr<BlockCache> cache);

}  // namespace kvasir::server
