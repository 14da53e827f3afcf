// ledger.h -- which bytes of which file the durable pushes of each tenant were made of.
//
// Shape:    per tenant and file: identity, the ranges that were settled, those settled more than once, and what was
//           left out, by reason. Ranges that touch are one, so a file that was read whole is one range.
// Order:    add() in the order of the log. `sequence` of a cover that is below covered_below() is known already.
// Durable:  the write-ahead log holds covers; save() writes everything to one file, before log files go.
// Limits:   kLedgerFilesMax files in all and kLedgerTenantFilesMax for a tenant, the longest unused are forgotten;
//           kLedgerRangesMax ranges for a file, the smallest are forgotten. What is forgotten looks as if it had
//           never come. kLedgerFoundRangesMax ranges in what find() gives (always one file).
// Threads:  any.
// Errors:   io. A file that cannot be read is set aside under another name, and the ledger begins anew.
// Source:   docs/formats/ledger-v1.md
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/filesystem.h"
#include "common/mutex.h"
#include "common/result.h"
#include "ingest/wire/covers.h"

namespace kvasir::ingest {

inline constexpr std::size_t kLedgerFilesMax = 100'000;
inline constexpr std::size_t kLedgerTenantFilesMax = 50'000;
inline constexpr std::size_t kLedgerRangesMax = 4096;
inline constexpr std::size_t kLeftOutRangesMax = 64;
inline constexpr std::size_t kLedgerFoundRangesMax = 1 << 18;

struct LedgerFile {
  std::string file;
  FileIdentity identity;
  std::uint64_t entries = 0;        // stored
  ByteRanges settled;               // stored, or left out for a reason
  ByteRanges again;                 // in more than one push
  std::vector<LeftOut> left_out;    // with the first kLeftOutRangesMax ranges each
  std::uint64_t touched = 0;        // ascends with use
  friend bool operator==(const LedgerFile&, const LedgerFile&) = default;
};

/// What is asked for: a file is meant if one of these fits.
struct LedgerQuery {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;          // 0: not asked for
  std::vector<std::string> paths;
};

class Ledger {
 public:
  /// A folder without a ledger gives an empty one.
  static Result<std::unique_ptr<Ledger>> open(Filesystem& filesystem, Path path);

  /// Takes what a durable push says, unless it is known. Covers that cannot be read are left out.
  void add(std::string_view tenant, std::string_view covers, std::uint64_t sequence);
  /// Every cover with a smaller sequence is in here.
  std::uint64_t covered_below() const;
  /// All that are meant: those of the inode first, then those of a path, of each the latest first. A path is that of
  /// every file that was rotated away from it, so the number is not limited: only the ranges are, in all.
  std::vector<LedgerFile> find(std::string_view tenant, const LedgerQuery& query) const;
  /// Writes the file if something came since the last time.
  Result<void> save();
  std::size_t files() const;

 private:
  using Files = std::map<std::string, LedgerFile, std::less<>>;  // by LedgerFile::file

  Ledger(Filesystem& filesystem, Path path) : filesystem_(filesystem), path_(std::move(path)) {}
  Result<void> load(std::string_view bytes);
  std::string encode() const KVASIR_REQUIRES(mutex_);
  void add_cover(Files& files, const FileCover& cover) KVASIR_REQUIRES(mutex_);
  void forget_oldest() KVASIR_REQUIRES(mutex_);

  Filesystem& filesystem_;
  const Path path_;
  Mutex save_mutex_;  // one save at a time; taken before mutex_
  mutable Mutex mutex_;
  std::map<std::string, Files, std::less<>> tenants_ KVASIR_GUARDED_BY(mutex_);
  std::size_t files_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::uint64_t ticks_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::uint64_t next_sequence_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::uint64_t saved_sequence_ KVASIR_GUARDED_BY(mutex_) = 0;
};

}  // namespace kvasir::ingest
