#include "promtail-agent/targets/journal_target.h"

#include <fmt/format.h>
#include <systemd/sd-journal.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "common/log.h"
#include "common/number.h"
#include "promtail-agent/targets/target_list.h"

namespace kvasir::agent {

namespace {
inline constexpr std::size_t kFieldBytesMax = 1 << 20;
inline constexpr std::uint64_t kWaitMicroseconds = 100'000;
inline constexpr Duration kReopenPause = std::chrono::seconds(1);
inline constexpr int kEntriesPerTurn = 256;

Error journal_error(std::string_view what, int code) {
  return Error(ErrorCode::kIo, fmt::format("journal: {}: {}", what, std::strerror(-code)));
}
}  // namespace

std::vector<std::string> JournalTarget::find_problems(const JournalConfig& config) {
  std::vector<std::string> problems;
  if (auto matches = parse_journal_matches(config.matches); !matches) problems.push_back(matches.error().message());
  if (!parse_go_duration(config.max_age)) {
    problems.push_back(fmt::format(
        "parsing journal reader 'max_age' config value: time: invalid duration \"{}\"", config.max_age));
  }
  return problems;
}

Result<std::unique_ptr<JournalTarget>> JournalTarget::create(JobParts parts) {
  const auto problems = find_problems(parts.config.journal);
  if (!problems.empty()) return fail(ErrorCode::kInvalidArgument, problems.front());
  std::unique_ptr<JournalTarget> target(new JournalTarget(std::move(parts)));
  target->max_age_ = *parse_go_duration(target->config_.max_age);
  KVASIR_TRY(target->matches_, parse_journal_matches(target->config_.matches));
  target->lines_ = target->parts_.services.metrics->counter("promtail_journal_target_lines_total",
                                                            "Total number of successful journal lines read");
  return target;
}

JournalTarget::~JournalTarget() {
  stop();
  if (collector_ != 0) parts_.services.positions->remove_collector(collector_);
}

Result<void> JournalTarget::start() {
  last_cursor_ = parts_.services.positions->get(key()).value_or("");
  progress_ = parts_.services.progress->create("journal/" + parts_.config.job_name, 0);
  collector_ = parts_.services.positions->add_collector([this](Positions& positions) { collect(positions); });
  thread_ = std::thread([this] { run(); });
  return {};
}

void JournalTarget::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

std::vector<TargetStatus> JournalTarget::status() const {
  TargetStatus status;
  status.type = "Journal";
  status.ready = true;
  for (const auto& [name, value] : config_.labels) status.labels.set(name, value);
  status.details = {{"path", config_.path}};
  return {status};
}

void JournalTarget::pause(Duration time) {
  const Duration end = parts_.services.clock->steady() + time;
  while (!stopping_ && parts_.services.clock->steady() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

void JournalTarget::run() {
  std::string told;
  while (!stopping_) {
    auto result = open();
    while (result && !stopping_) {
      const auto more = read_some();
      if (!more) {
        result = fail(more.error());
      } else if (!*more && sd_journal_wait(journal_, kWaitMicroseconds) < 0) {
        result = fail(ErrorCode::kIo, "journal: cannot wait");
      }
      parts_.feeder->tick();
    }
    if (journal_ != nullptr) sd_journal_close(std::exchange(journal_, nullptr));
    if (stopping_) break;
    if (!result && result.error().message() != told) {
      told = result.error().message();
      log::error("journal", "cannot read the journal, trying again",
                 {{"job", parts_.config.job_name}, {"error", told}});
    }
    pause(kReopenPause);
  }
  parts_.feeder->close();
}

Result<void> JournalTarget::open() {
  const int opened = config_.path.empty() ? sd_journal_open(&journal_, SD_JOURNAL_LOCAL_ONLY)
                                          : sd_journal_open_directory(&journal_, config_.path.c_str(), 0);
  if (opened < 0) {
    journal_ = nullptr;
    return fail(journal_error("open", opened));
  }
  sd_journal_set_data_threshold(journal_, kFieldBytesMax);
  for (const std::string& term : matches_) {
    const int added =
        term == "+" ? sd_journal_add_disjunction(journal_) : sd_journal_add_match(journal_, term.data(), term.size());
    if (added < 0) return fail(journal_error("match " + term, added));
  }
  return seek();
}

/// Behind the saved cursor if its entry is there and young enough, else to max_age ago.
Result<void> JournalTarget::seek() {
  const TimestampNs oldest = parts_.services.clock->now() - max_age_;
  const auto oldest_us = static_cast<std::uint64_t>(std::max<std::int64_t>(oldest.value, 0) / 1000);
  if (!last_cursor_.empty() && sd_journal_seek_cursor(journal_, last_cursor_.c_str()) >= 0 &&
      sd_journal_next(journal_) > 0) {
    std::uint64_t time_us = 0;
    if (sd_journal_get_realtime_usec(journal_, &time_us) >= 0 && time_us >= oldest_us) {
      // On the entry itself the next step leads behind it; otherwise it is gone and this one is new.
      if (sd_journal_test_cursor(journal_, last_cursor_.c_str()) <= 0) sd_journal_previous(journal_);
      return {};
    }
  }
  const int sought = sd_journal_seek_realtime_usec(journal_, oldest_us);
  if (sought < 0) return fail(journal_error("seek", sought));
  return {};
}

/// True if more may follow at once.
Result<bool> JournalTarget::read_some() {
  for (int i = 0; i < kEntriesPerTurn && !stopping_; ++i) {
    const int next = sd_journal_next(journal_);
    if (next < 0) return fail(journal_error("next", next));
    if (next == 0) return false;
    handle();
  }
  return true;
}

void JournalTarget::count_error(const char* reason) {
  parts_.services.metrics
      ->counter("promtail_journal_target_parsing_errors_total",
                "Total number of parsing errors while reading journal messages", {{"error", reason}})
      ->add(1);
}

void JournalTarget::handle() {
  JournalFields fields;
  const void* data = nullptr;
  std::size_t size = 0;
  SD_JOURNAL_FOREACH_DATA(journal_, data, size) add_journal_field({static_cast<const char*>(data), size}, fields);
  std::uint64_t time_us = 0;
  sd_journal_get_realtime_usec(journal_, &time_us);
  char* cursor = nullptr;
  if (sd_journal_get_cursor(journal_, &cursor) >= 0) {
    last_cursor_ = cursor;
    std::free(cursor);
  }
  const std::uint64_t number = next_number_++;
  {
    const MutexLock lock(mutex_);
    cursors_.emplace_back(number, last_cursor_);
  }
  progress_->open(number);  // until the line is fed, this entry is not done
  const auto message = fields.find("MESSAGE");
  if (message == fields.end() && !config_.json) {
    count_error("no_message");
  } else {
    Labels labels = journal_labels(fields);
    for (const auto& [name, value] : config_.labels) labels.set(name, value);
    const auto relabelled = parts_.relabeler.apply(labels);
    const Labels kept = relabelled ? without_internal(*relabelled) : Labels();
    if (relabelled && kept.empty()) count_error("empty_labels");
    if (!kept.empty()) {
      const std::string line = config_.json ? journal_json(fields) : message->second;
      lines_->add(1);
      const TimestampNs stamp{static_cast<std::int64_t>(time_us) * 1000};
      if (!parts_.feeder->feed(*progress_, label_sets_.intern(kept), stamp, line, number, number + 1)) stopping_ = true;
    }
  }
  progress_->set_read(number + 1);
  progress_->settle(number);
}

void JournalTarget::collect(Positions& positions) {
  const std::uint64_t done = progress_->committable();
  const MutexLock lock(mutex_);
  std::string cursor;
  while (!cursors_.empty() && cursors_.front().first < done) {
    cursor = std::move(cursors_.front().second);
    cursors_.pop_front();
  }
  if (!cursor.empty()) positions.put(key(), cursor);
}

}  // namespace kvasir::agent
