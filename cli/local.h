// local.h -- the whole query engine over files or standard input, without a server.
//
// Shape:    every line becomes an entry of the stream {filename="..."} or {source="stdin"}. Its time is the first stamp
//           in the line's first bytes (line_stamp.h), else that of the line before, else the file's own.
//           Lines of equal time are a nanosecond apart, so that equal lines stay two.
//           Files ending in .gz and .zst are decompressed. A query that begins with a pipe gets the selector {}.
// Errors:   io and corruption with the file's name; parse errors as from a server.
// Limits:   kLocalFileBytesMax of each file after decompression.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"
#include "common/filesystem.h"
#include "logql/exec/memory_source.h"

namespace kvasir::cli {

inline constexpr std::uint64_t kLocalFileBytesMax = 4ULL << 30;

struct LocalFlags {
  std::vector<std::string> patterns;  // shell globs
  bool standard_input = false;
  bool instant = false;
};

Result<void> run_local_query(const LocalFlags& local, const QueryFlags& flags);

/// Adds every line of `text`; `fallback` is the time of lines before the first stamp. Widens `range` to hold them all.
void add_lines(logql::MemorySource& source, const Labels& stream, std::string_view text, TimestampNs fallback,
               TimeRange& range);

}  // namespace kvasir::cli
