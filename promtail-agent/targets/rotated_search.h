// rotated_search.h -- finds where the content of a file went that is no longer under its name: moved, copied, compressed.
//
// Rule:     the same inode with the same first bytes; or a file beside it whose first bytes and whose bytes before the old reading
//           position are the same (a copy); or a compressed file beside it that decompresses to the same first bytes.
// Limits:   kCandidatesMax files are looked at; only names that start with the old name count for copies.
// Threads:  one.
#pragma once

#include <optional>
#include <string>

#include "promtail-agent/positions.h"

namespace kvasir::agent {

inline constexpr int kCandidatesMax = 1000;

struct RotatedFile {
  std::string path;
  bool compressed = false;
};

/// The file that holds more than `record.offset` bytes of the content that `record` describes.
std::optional<RotatedFile> find_rotated(const FileRecord& record);

/// True if the open file starts as the record says and has the same bytes before the old reading position.
bool continues_record(int fd, std::uint64_t size, const FileRecord& record);
/// True if the compressed file at this path decompresses to the record's first bytes.
bool compressed_from_record(const std::string& path, const FileRecord& record);

}  // namespace kvasir::agent
