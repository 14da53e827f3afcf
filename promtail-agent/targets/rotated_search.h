// rotated_search.h -- finds where the content of a file went that is no longer under its name: moved, copied,
// compressed; and what was written under that name after it and moved away too.
//
// Rule:     the same inode with the same first bytes; or a file beside it whose first bytes and whose bytes before the
//           old reading position are the same (a copy); or a compressed file beside it that decompresses to the same
//           first bytes. Where nothing is known of the first bytes, the same inode under a name that goes with the old
//           one.
// Successors: files that nobody knows, named like the rotated file (equal but for the digits after the old name) and no
//             older.
// Where:    beside the path and, if it is a link, beside what it leads to.
// Limits:   every file there is looked at by its name and times, the kCandidatesMax newest by their content; only names
//           that start with the old name count for copies.
// Threads:  one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "promtail-agent/positions.h"

namespace kvasir::agent {

inline constexpr int kCandidatesMax = 1000;
inline constexpr std::uint32_t kCopyBytesMin = 64;  // shorter files may be alike by chance

struct RotatedFile {
  std::string path;
  bool compressed = false;
  std::uint64_t size = 0;
  bool has_more = true;      // than `record.offset` bytes; of a compressed file that is not known
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t modified_ns = 0;
  std::int64_t born_ns = 0;  // 0: the filesystem does not say
};

/// The file under another name that holds the content which `record` describes, at least up to `record.offset`.
std::optional<RotatedFile> find_rotated(const FileRecord& record);
/// Where the open file of `record` went, by its inode alone.
std::optional<RotatedFile> find_renamed(const FileRecord& record);

/// What had the name of `record` after the file that is now at `rotated`, and was moved away in its turn; oldest first.
/// `known` says that a file is read already or belongs to somebody else.
std::vector<RotatedFile> find_successors(const FileRecord& record, const RotatedFile& rotated,
                                         const std::function<bool(const RotatedFile&)>& known);

/// `app.log.12.gz` of `app.log` and `app.log.9`: equal but for digits and the compression. Long runs of digits (dates)
/// only match those of their length.
bool rotated_alike(std::string_view name, std::string_view first, std::string_view second);

/// The part of a file's name (without its folder) that its rotated forms start with.
std::string_view stem_of(std::string_view name);

/// The first bytes of a file, read once to be held against many records.
class FileFront {
 public:
  explicit FileFront(int fd);
  /// True for a head that is known and the same here.
  bool starts_as(const Fingerprint1K& head);
  /// False for a file that begins otherwise, as far as its head or its very first bytes tell.
  bool may_be_of(const Fingerprint1K& head, std::string_view front);

 private:
  std::string bytes_;
  Fingerprint1K last_;  // what was computed last
};

/// True if the open file starts as the record says and has the same bytes before the old reading position.
bool continues_record(int fd, std::uint64_t size, const FileRecord& record);
/// True if this is the record's file, or a copy of it that cannot be alike by chance.
bool is_same_content(const RotatedFile& file, const FileRecord& record);
/// Of the plain form, as far as its front tells; an empty optional if nothing can be decompressed.
std::optional<Fingerprint1K> compressed_head(const std::string& path);
/// True if the compressed file at this path decompresses to the record's first bytes.
bool compressed_from_record(const std::string& path, const FileRecord& record);

}  // namespace kvasir::agent
