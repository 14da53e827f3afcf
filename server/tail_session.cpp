#include "server/tail_session.h"

#include <algorithm>

#include "common/json_writer.h"
#include "common/log.h"
#include "logql/log_pages.h"
#include "common/number.h"
#include "server/audit.h"
#include "server/encode_result.h"

namespace kvasir::server {

using logql::LabelCategory;

namespace {

constexpr std::uint16_t kTryAgainLater = 1013;

}  // namespace

TailSession::~TailSession() = default;

std::uint64_t TailSession::Pending::bytes() const {
  std::uint64_t sum = sizeof(Pending) + line.size();
  for (const auto& label : metadata) sum += sizeof(Label) + label.name.size() + label.value.size();
  return sum;
}

Result<std::shared_ptr<TailSession>> TailSession::create(TailOptions options, const logql::LogQuery& query,
                                                         logql::LogSource& source) {
  auto session = std::make_shared<TailSession>(std::move(options));
  session->matchers_ = query.selector.matchers;
  if (const auto* policy = session->options_.policy.get()) {
    std::vector<LabelMatcher> asked = session->matchers_;
    KVASIR_CHECK_OK(policy->narrow(asked));
  }
  KVASIR_TRY(session->pipeline_, logql::Pipeline::compile(query.stages, nullptr, {}));
  session->runner_ = std::make_unique<logql::PipelineRunner>(session->pipeline_);
  std::vector<LabelMatcher> by_field;
  for (const auto& matcher : session->matchers_) {
    const bool may_be_field = session->options_.field_selectors && logql::may_select_by_field(matcher);
    if (!may_be_field || source.has_stream_label(session->options_.tenant, matcher.name())) continue;
    by_field.push_back(matcher);
    session->field_names_.insert(matcher.name());
  }
  if (!by_field.empty()) {
    KVASIR_TRY(session->field_selector_, logql::FieldSelector::create(by_field));
  }
  return session;
}

TailSession::Decision TailSession::decide(const ingest::StreamIdentity& identity, logql::LogSource& source) const {
  std::size_t by_field = 0;
  std::size_t by_label = 0;
  if (const auto* policy = options_.policy.get()) {
    for (const auto& matcher : policy->matchers) {
      if (!matcher.matches(identity.labels)) return Decision::kNo;
    }
  }
  for (const auto& matcher : matchers_) {
    const bool may_be_field = field_names_.count(matcher.name()) > 0;
    if (!may_be_field || identity.labels.has(matcher.name())) {
      if (!matcher.matches(identity.labels)) return Decision::kNo;
      by_label += may_be_field ? 1 : 0;
    } else if (source.has_stream_label(options_.tenant, matcher.name())) {
      return Decision::kNo;  // a stream carries it by now, so it selects by label
    } else {
      ++by_field;
    }
  }
  if (by_field == 0) return Decision::kYes;
  return by_label == 0 ? Decision::kByField : Decision::kNo;
}

bool TailSession::offer(const ingest::AppliedStream& stream, logql::LogSource& source, Duration now) {
  auto found = decisions_.find(stream.identity.get());
  if (found == decisions_.end()) {
    if (decisions_.size() >= kTailStreamsRemembered) decisions_.clear();
    found =
        decisions_.emplace(stream.identity.get(), std::pair(stream.identity, decide(*stream.identity, source))).first;
  }
  const Decision decision = found->second.second;
  if (decision == Decision::kNo) return false;
  MutexLock lock(mutex_);
  for (const auto& entry : stream.entries) {
    Pending pending{stream.identity,
                    entry.timestamp,
                    entry.sequence,
                    std::string(entry.line),
                    {},
                    now,
                    decision == Decision::kByField};
    for (const auto& label : entry.metadata)
      pending.metadata.push_back({std::string(label.name), std::string(label.value)});
    if (pending_bytes_ + pending.bytes() > kTailPendingBytesMax) {
      drop(pending);
      continue;
    }
    pending_bytes_ += pending.bytes();
    pending_.push_back(std::move(pending));
  }
  return true;
}

void TailSession::drop(const Pending& pending) {
  ++dropped_count_;
  if (dropped_.size() < kTailDroppedMax) dropped_.push_back({pending.timestamp, pending.identity});
}

void TailSession::begin_live(TailHistory history) {
  MutexLock lock(mutex_);
  for (const auto& entry : history.entries) in_history_.insert(entry.entry.sequence);
  history_ = std::move(history);
  live_ = true;
}

std::vector<TailSession::Pending> TailSession::take_due(Duration now) {
  std::vector<Pending> due;
  MutexLock lock(mutex_);
  while (!pending_.empty() && pending_.front().arrived + options_.delay <= now) {
    pending_bytes_ -= pending_.front().bytes();
    if (in_history_.erase(pending_.front().sequence) == 0) due.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
  return due;
}

std::optional<TailEntry> TailSession::shown(const Pending& pending) {
  const ReadPolicy* policy = options_.policy.get();
  std::vector<LabelView> metadata;
  for (const auto& label : pending.metadata) {
    const bool hidden = policy != nullptr && policy->mask.hides(label.name);
    metadata.push_back({label.name, hidden ? kMasked : std::string_view(label.value)});
  }
  std::string storage;
  const std::string_view line = policy != nullptr ? policy->mask.apply(pending.line, storage) : pending.line;
  if (pending.by_field && !field_selector_->matches(line, metadata)) return std::nullopt;
  if (policy != nullptr) shown_labels_ = visible(pending.identity->labels);
  runner_->bind(policy != nullptr ? shown_labels_ : pending.identity->labels);
  if (!runner_->process(pending.timestamp, line, metadata)) return std::nullopt;
  TailEntry out;
  out.entry.timestamp = pending.timestamp;
  out.entry.sequence = pending.sequence;
  out.entry.line = std::string(runner_->line());
  if (options_.form == TailForm::kCategorized) {
    out.stream = runner_->labels_of(LabelCategory::kStream);
    out.entry.structured_metadata = runner_->labels_of(LabelCategory::kMetadata);
    out.entry.parsed = runner_->labels_of(LabelCategory::kParsed);
  } else {
    out.stream = runner_->final_labels();
  }
  return out;
}

TailSession::Sent TailSession::pump(Duration now) {
  Sent sent;
  if (socket_->stop_token().stop_requested()) {
    sent.ended = true;
    return sent;
  }
  TailHistory history;
  {
    MutexLock lock(mutex_);
    if (!live_) return sent;
    std::swap(history, history_);
  }
  send_history(history, sent);
  if (sent.ended) return sent;
  const std::vector<Pending> due = take_due(now);
  std::vector<TailEntry> entries;
  std::vector<Pending> origin;
  for (const auto& pending : due) {
    if (auto entry = shown(pending)) entries.push_back(*std::move(entry)), origin.push_back(pending);
  }
  send(entries, origin, sent);
  if (now >= options_.deadline) {
    socket_->close(1011, "reached tail max duration limit");
    sent.ended = true;
  }
  return sent;
}

void TailSession::reach(std::span<const TailEntry> entries) {
  for (const auto& shown : entries) {
    reached_ = std::max(reached_, EntryPosition{shown.entry.timestamp, shown.entry.sequence});
  }
}

void TailSession::send_history(const TailHistory& history, Sent& sent) {
  if (history.entries.empty()) return;
  reach(history.entries);
  std::string text = frame(history.entries, {});
  sent.bytes += text.size();
  bytes_sent_ += text.size();
  entries_sent_ += history.entries.size();
  socket_->send_text(std::move(text));
  if (!history.more) return;
  socket_->close(kTryAgainLater, "there are more lines: go on from the last cursor");
  sent.ended = true;
}

void TailSession::report_end(Duration now) const {
  log::info("query", "tail",
            {{"tenant", options_.tenant},
             {"user", options_.caller},
             {"route", "tail"},
             {"query", options_.query.substr(0, kAuditedTextMax)},
             {"duration", format_go_duration(now - options_.begun)},
             {"bytes", std::to_string(bytes_sent_)},
             {"lines", std::to_string(entries_sent_)},
             {"peer", options_.peer}});
}

void TailSession::send(const std::vector<TailEntry>& entries, const std::vector<Pending>& origin, Sent& sent) {
  for (std::size_t at = 0; at < entries.size(); at += kTailFrameEntries) {
    const std::size_t count = std::min(kTailFrameEntries, entries.size() - at);
    std::vector<Dropped> dropped;
    {
      MutexLock lock(mutex_);
      dropped.swap(dropped_);
      sent.dropped += dropped_count_;
      dropped_count_ = 0;
    }
    reach(std::span(entries).subspan(at, count));
    std::string text = frame(std::span(entries).subspan(at, count), dropped);
    const std::uint64_t bytes = text.size();
    if (socket_->send_text(std::move(text)) == net::WebSocketSession::Sent::kQueued) {
      sent.bytes += bytes;
      bytes_sent_ += bytes;
      entries_sent_ += count;
      continue;
    }
    MutexLock lock(mutex_);
    dropped_.insert(dropped_.end(), dropped.begin(), dropped.end());
    for (std::size_t i = at; i < std::min(at + count, origin.size()); ++i) drop(origin[i]);
  }
}

std::string TailSession::frame(std::span<const TailEntry> entries, const std::vector<Dropped>& dropped) const {
  std::string out = "{\"streams\":[";
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) out += ',';
    if (options_.form == TailForm::kLegacy) {
      out += "{\"labels\":";
      append_json_string(out, entries[i].stream.to_string());
      out += ",\"entries\":[{\"ts\":";
      append_json_string(out, format_rfc3339(entries[i].entry.timestamp));
      out += ",\"line\":";
      append_json_string(out, entries[i].entry.line);
      out += "}]}";
      continue;
    }
    out += "{\"stream\":";
    append_labels(out, entries[i].stream);
    out += ",\"values\":[";
    append_entry(out, entries[i].entry, options_.form == TailForm::kCategorized);
    out += "]}";
  }
  out += ']';
  if (!options_.encoding_flags.empty()) {
    out += ",\"encodingFlags\":[";
    for (std::size_t i = 0; i < options_.encoding_flags.size(); ++i) {
      if (i > 0) out += ',';
      append_json_string(out, options_.encoding_flags[i]);
    }
    out += ']';
  }
  if (!dropped.empty()) {
    out += ",\"dropped_entries\":[";
    for (std::size_t i = 0; i < dropped.size(); ++i) {
      out += std::string(i > 0 ? "," : "") + "{\"timestamp\":\"" + std::to_string(dropped[i].timestamp.value) +
             "\",\"labels\":";
      append_labels(out, visible(dropped[i].identity->labels));
      out += '}';
    }
    out += ']';
  } else if (options_.form == TailForm::kLegacy) {
    out += ",\"dropped_entries\":null";
  }
  if (options_.cursors && !entries.empty()) {
    out += ",\"cursor\":\"" + logql::format_cursor(reached_) + '"';
  }
  out += options_.form == TailForm::kLegacy ? "}\n" : "}";
  return out;
}

}  // namespace kvasir::server
