// covers.h -- what a push says about the files that it was made of: which bytes of which file it settles.
//
// Shape:    field 15 of logproto.PushRequest, one message for each file; servers that do not know it skip it.
// Errors:   corruption: broken, or over a limit.
// Limits:   kCoverFilesMax files in a push, kCoverTextMax bytes in a name, kCoverReasonsMax reasons for each file.
// Source:   docs/formats/ledger-v1.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "ingest/wire/byte_ranges.h"

namespace kvasir::ingest {

inline constexpr std::uint32_t kCoversField = 15;
inline constexpr std::size_t kCoverFilesMax = 100'000;
inline constexpr std::size_t kCoverTextMax = 4096;
inline constexpr std::size_t kCoverReasonsMax = 32;

/// What was read and is not in the push.
struct LeftOut {
  std::string reason;
  std::uint64_t lines = 0;
  ByteRanges ranges;
  friend bool operator==(const LeftOut&, const LeftOut&) = default;
};

/// Which file: to find it again under another name.
struct FileIdentity {
  std::string path;                // the last one known
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool counts_lines = false;       // ranges count lines (compressed files), not bytes
  std::uint32_t head_length = 0;   // of the first bytes, at most 1024; 0: not known
  std::uint64_t head_hash = 0;     // XXH3-64 of them
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

struct FileCover {
  std::string file;            // `<agent>/<its number for the file>`: never the same for two contents
  FileIdentity identity;
  std::uint64_t entries = 0;   // of the push that were made of it
  ByteRanges stored;           // what they were made of
  std::vector<LeftOut> left_out;
  friend bool operator==(const FileCover&, const FileCover&) = default;
};

/// Fields of a PushRequest.
std::string encode_covers(const std::vector<FileCover>& covers);
/// Skips all other fields.
Result<std::vector<FileCover>> decode_covers(std::string_view fields);

}  // namespace kvasir::ingest
