// tail_session.h -- one live tail: its selector and pipeline, what waits to be sent, and the frames. A read policy
// narrows the streams and hides values before any stage sees them, as for queries.
//
// Threads:  offer() from the apply thread; begin_live() once from any thread; pump() from the hub's thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/mutex.h"
#include "common/net/http_server.h"
#include "ingest/ingester.h"
#include "logql/exec/field_selector.h"
#include "logql/log_source.h"
#include "logql/pipeline/pipeline.h"
#include "logql/query_result.h"
#include "logql/syntax/ast.h"
#include "server/read_policy.h"

namespace kvasir::server {

inline constexpr std::uint64_t kTailPendingBytesMax = 8 << 20;
inline constexpr std::size_t kTailFrameEntries = 100;
inline constexpr std::size_t kTailDroppedMax = 1000;
inline constexpr std::size_t kTailStreamsRemembered = 65536;  // decisions kept per tail

enum class TailForm { kMerged, kCategorized, kLegacy };

struct TailOptions {
  std::string tenant;
  std::string query;       // for the log, as the next two
  std::string caller;
  std::string peer;
  std::shared_ptr<const ReadPolicy> policy;  // null: everything of the tenant
  TailForm form = TailForm::kMerged;
  std::vector<std::string> encoding_flags;
  bool field_selectors = true;  // as queries of the tenant
  bool cursors = false;    // each frame says where a later tail goes on
  Duration delay{0};       // entries are held back for so long
  Duration begun{0};       // on the steady clock, as the next
  Duration deadline{0};
};

/// One entry with the labels it is shown under.
struct TailEntry {
  Labels stream;
  logql::ResultEntry entry;
};

/// What was stored before a tail goes live.
struct TailHistory {
  std::vector<TailEntry> entries;  // oldest first
  bool more = false;               // than were asked for: the tail ends after them, to be taken up where they end
};

class TailSession {
 public:
  /// Use create().
  explicit TailSession(TailOptions options) : options_(std::move(options)) {}
  /// Errors: parse (a stage does not compile), invalid_argument (a matcher names a label that the policy hides).
  static Result<std::shared_ptr<TailSession>> create(TailOptions options, const logql::LogQuery& query,
                                                     logql::LogSource& source);
  ~TailSession();

  const TailOptions& options() const { return options_; }
  /// Before add(). The socket is shared with the caller.
  void attach(std::shared_ptr<net::WebSocketSession> socket) { socket_ = std::move(socket); }
  net::WebSocketSession& socket() const { return *socket_; }

  /// Takes copies of the entries if the stream is wanted. True: there is something to send.
  bool offer(const ingest::AppliedStream& stream, logql::LogSource& source, Duration now);
  /// Sends the history as one frame and lets live entries follow, without those that were part of it.
  void begin_live(TailHistory history);

  struct Sent {
    std::uint64_t bytes = 0;
    std::uint64_t dropped = 0;
    bool ended = false;      // the session is over and may be forgotten
  };
  Sent pump(Duration now);
  /// The line of the log that a tail ends with. Once, after the last pump().
  void report_end(Duration now) const;

 private:
  struct Pending {
    std::shared_ptr<const ingest::StreamIdentity> identity;
    TimestampNs timestamp;
    std::uint64_t sequence = 0;
    std::string line;
    std::vector<Label> metadata;
    Duration arrived;
    bool by_field = false;
    std::uint64_t bytes() const;
  };
  enum class Decision : std::uint8_t { kNo, kYes, kByField };
  struct Dropped {
    TimestampNs timestamp;
    std::shared_ptr<const ingest::StreamIdentity> identity;
  };

  Decision decide(const ingest::StreamIdentity& identity, logql::LogSource& source) const;
  Labels visible(const Labels& stored) const { return options_.policy ? options_.policy->visible(stored) : stored; }
  std::optional<TailEntry> shown(const Pending& pending);
  void drop(const Pending& pending) KVASIR_REQUIRES(mutex_);
  std::vector<Pending> take_due(Duration now);
  void reach(std::span<const TailEntry> entries);
  void send_history(const TailHistory& history, Sent& sent);
  void send(const std::vector<TailEntry>& entries, const std::vector<Pending>& origin, Sent& sent);
  std::string frame(std::span<const TailEntry> entries, const std::vector<Dropped>& dropped) const;

  TailOptions options_;
  std::vector<LabelMatcher> matchers_;
  EntryPosition reached_{};                                // the last entry sent; pump() only, as the next
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t entries_sent_ = 0;
  Labels shown_labels_;                                    // of the stream at hand, without what the policy hides
  std::set<std::string> field_names_;  // matchers on names that no stream carried when the tail began
  std::shared_ptr<const logql::Pipeline> pipeline_;
  std::unique_ptr<logql::PipelineRunner> runner_;          // pump() only
  std::unique_ptr<logql::FieldSelector> field_selector_;   // pump() only
  std::shared_ptr<net::WebSocketSession> socket_;
  std::unordered_map<const void*, std::pair<std::shared_ptr<const ingest::StreamIdentity>, Decision>>
      decisions_;  // offer() only
  Mutex mutex_;
  std::deque<Pending> pending_ KVASIR_GUARDED_BY(mutex_);
  std::uint64_t pending_bytes_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::uint64_t dropped_count_ KVASIR_GUARDED_BY(mutex_) = 0;
  std::vector<Dropped> dropped_ KVASIR_GUARDED_BY(mutex_);
  std::set<std::uint64_t> in_history_ KVASIR_GUARDED_BY(mutex_);
  TailHistory history_ KVASIR_GUARDED_BY(mutex_);
  bool live_ KVASIR_GUARDED_BY(mutex_) = false;
};

}  // namespace kvasir::server
