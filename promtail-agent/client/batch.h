// batch.h -- entries on their way to one server and tenant, encoded as they arrive.
//
// Shape:    per stream its label text and the protobuf bytes of its entries; encode() joins them: a PushRequest.
// Size:     line bytes plus the protobuf bytes of structured metadata, uncompressed: what `batchsize` counts.
// Sources:  the batch holds the progress of each source it has entries of, from their smallest begin on.
// Threads:  one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/time.h"
#include "ingest/wire/covers.h"
#include "promtail-agent/progress.h"
#include "promtail-agent/stages/entry.h"

namespace kvasir::agent {

/// What one entry adds to the size of a batch.
std::uint64_t entry_size(std::string_view line, std::span<const LabelView> metadata);

/// Keeps sources from moving on until it is settled or dropped.
class SourceHolds {
 public:
  SourceHolds() = default;
  SourceHolds(SourceHolds&&) = default;
  SourceHolds& operator=(SourceHolds&&) = default;

  void add(const SourceRange& range, const ProgressTable& table);
  /// As add(), for what is not sent.
  void leave_out(const SourceRange& range, std::string_view reason, const ProgressTable& table);
  /// What they say about files, for the server's ledger; `agent` makes their names unique. Only once.
  std::vector<ingest::FileCover> take_covers(const std::string& agent);
  /// The sources may move past these ranges.
  void settle();
  /// key and committable offset of each source as they will be once this is settled. `sole`: nobody else gets the
  /// entries, so what is in here need not wait for its reader to say that it has been given to all.
  std::vector<std::pair<std::string, std::uint64_t>> after_settling(bool sole) const;
  bool empty() const { return holds_.empty(); }

 private:
  struct Hold {
    ProgressPtr progress;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;        // of what is in the batch
    std::uint64_t entries = 0;
    ingest::ByteRanges stored;
    std::vector<ingest::LeftOut> left_out;
  };
  Hold* hold_of(const SourceRange& range, const ProgressTable& table);
  std::unordered_map<std::uint64_t, Hold> holds_;
  std::uint64_t last_id_ = 0;     // the source of the last range: lines come in runs
  Hold* last_ = nullptr;
};

class Batch {
 public:
  explicit Batch(Duration created) : created_(created) {}

  /// `stream` is the wire form of the labels.
  void add(const std::string& stream, const Entry& entry, std::string_view line);
  SourceHolds& holds() { return holds_; }

  bool has_stream(const std::string& stream) const { return index_.contains(stream); }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t entries() const { return entries_; }
  std::size_t streams() const { return streams_.size(); }
  bool empty() const { return entries_ == 0; }
  Duration created() const { return created_; }
  /// The uncompressed PushRequest.
  std::string encode() const;

 private:
  struct Stream {
    const std::string* labels;  // the key in index_
    std::string entries;
  };
  Duration created_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<Stream> streams_;
  std::size_t last_stream_ = 0;
  SourceHolds holds_;
  std::uint64_t bytes_ = 0;
  std::uint64_t entries_ = 0;
};

/// Cuts off what an encoded PushRequest says about files.
std::string take_covers(std::string& request);

/// Cuts an encoded PushRequest in two of about the same number of entries, order kept; an empty vector if it has one
/// entry or is damaged. What it says about files goes with the second.
std::vector<std::string> split_push_request(std::string_view request);

}  // namespace kvasir::agent
