// A file that is written, rotated, truncated and removed at random while it is read; the agent is restarted in between.
//
// Law: what the model says must come <= what came <= what was written; each line once, in order within a file's life, as long as
// the agent was not killed.
#include "promtail-agent/targets/file_job.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "promtail-agent/stages/pipeline_builder.h"

namespace kvasir::agent {

namespace {

enum class TailAction { kWriteLine, kWritePartial, kRename, kCopyTruncate, kDelete, kRead, kRestart, kRotateWhileDown, kCount };

class SeenLines final : public EntryOutput {
 public:
  bool push(const Entry& entry) override {
    const MutexLock lock(mutex_);
    lines_.emplace_back(entry.line());
    arrived_.notify_all();
    return true;
  }
  /// False if they have not all come within ten seconds.
  bool wait_for(const std::set<std::string>& wanted) {
    MutexLock lock(mutex_);
    return arrived_.wait_for(lock, std::chrono::seconds(10), [&] {
      const std::set<std::string> have(lines_.begin(), lines_.end());
      return std::includes(have.begin(), have.end(), wanted.begin(), wanted.end());
    });
  }
  std::vector<std::string> lines() {
    const MutexLock lock(mutex_);
    return lines_;
  }

 private:
  Mutex mutex_;
  Condition arrived_;
  std::vector<std::string> lines_;
};

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed), metrics_(system_clock()) {
    char folder[] = "/tmp/file_job_test_XXXXXX";
    root_ = ::mkdtemp(folder);
    write("");
    start();
  }
  ~Model() {
    job_.reset();
    std::filesystem::remove_all(root_);
  }

  void act() {
    const auto action = static_cast<TailAction>(random_() % static_cast<std::uint64_t>(TailAction::kCount));
    constexpr const char* kNames[] = {"write", "partial", "rename", "copytruncate", "delete", "read", "restart", "rotate-while-down"};
    history_ += std::string(" ") + kNames[static_cast<int>(action)] + "@" + std::to_string(count_);
    switch (action) {
      case TailAction::kWriteLine: write(next_line() + "\n"); break;
      case TailAction::kWritePartial: write_in_pieces(); break;
      case TailAction::kRename: rename_away(); break;
      case TailAction::kCopyTruncate: copy_truncate(); break;
      case TailAction::kDelete: remove(); break;
      case TailAction::kRead: read(); break;
      case TailAction::kRestart: read(), stop(), start(); break;
      case TailAction::kRotateWhileDown: rotate_while_down(); break;
      case TailAction::kCount: break;
    }
  }

  void check() {
    read();
    const std::vector<std::string> seen = seen_.lines();
    const std::set<std::string> unique(seen.begin(), seen.end());
    CHECK(unique.size() == seen.size());
    CHECK(std::includes(written_.begin(), written_.end(), unique.begin(), unique.end()));
  }

 private:
  std::string path(const std::string& name = "app.log") const { return root_ + "/" + name; }

  void start() {
    auto opened = Positions::open(posix_filesystem(), {root_ + "/positions.yaml"});
    REQUIRE(opened);
    positions_ = std::move(*opened);
    FileJobParts parts;
    parts.config.job_name = "model";
    parts.config.file.rotate_wait = std::chrono::milliseconds(300);
    parts.sync_period = std::chrono::milliseconds(50);
    parts.poll_min = parts.poll_max = std::chrono::milliseconds(20);
    parts.positions = positions_.get();
    parts.progress = &progress_;
    parts.metrics = &metrics_;
    parts.clock = &system_clock();
    Diagnostics diagnostics;
    StageContext context;
    context.clock = &system_clock();
    context.metrics = &metrics_;
    auto pipeline = build_pipeline(YamlNode(), context, diagnostics);
    REQUIRE(pipeline);
    parts.feeder = std::make_unique<Feeder>(std::move(*pipeline), seen_, progress_, system_clock());
    job_ = std::make_unique<FileJob>(std::move(parts));
    REQUIRE(job_->start());
    job_->set_groups("static", {{{}, {{"__path__", path("*.log")}}}});
    if (!std::filesystem::exists(path())) return;
    const Duration limit = system_clock().steady() + std::chrono::seconds(10);
    while (!job_->ready() && system_clock().steady() < limit) std::this_thread::yield();
  }

  void stop() {
    job_->stop();
    REQUIRE(positions_->save());
    job_.reset();
  }

  std::string next_line() {
    std::string line = "line " + std::to_string(++count_) + " " + std::string(random_() % 300, 'x');
    written_.insert(line);
    due_.insert(line);
    return line;
  }

  void write(const std::string& text) { std::ofstream(path(), std::ios::app) << text << std::flush; }

  void write_in_pieces() {
    const std::string line = next_line() + "\n";
    const std::size_t cut = random_() % line.size();
    write(line.substr(0, cut));
    write(line.substr(cut));
  }

  /// The new name does not match the pattern: what was not read yet must still come.
  void rename_away() {
    std::filesystem::rename(path(), path("app.log." + std::to_string(++count_)));
    write("");
  }

  void copy_truncate() {
    read();
    std::filesystem::copy_file(path(), path("app.log." + std::to_string(++count_)));
    std::filesystem::resize_file(path(), 0);
  }

  /// Lines that were not read when the file goes may be lost.
  void remove() {
    if (random_() % 2 == 0) read();
    due_.clear();
    std::filesystem::remove(path());
    write("");
  }

  void read() {
    if (!seen_.wait_for(due_)) {
      const std::vector<std::string> seen = seen_.lines();
      for (const std::string& line : due_) {
        if (std::find(seen.begin(), seen.end(), line) == seen.end()) history_ += " MISSING " + line.substr(0, 12);
      }
      FAIL("lines are missing: ", history_);
    }
    due_.clear();
  }

  /// The agent has to know the file before it goes down: nobody can find what had another name before it was first seen.
  void rotate_while_down() {
    write(next_line() + "\n");
    read();
    stop();
    write(next_line() + "\n");
    rename_away();
    write(next_line() + "\n");
    start();
  }

  std::mt19937_64 random_;
  MetricRegistry metrics_;
  ProgressTable progress_;
  SeenLines seen_;
  std::string root_;
  std::unique_ptr<Positions> positions_;
  std::unique_ptr<FileJob> job_;
  std::uint64_t count_ = 0;
  std::set<std::string> written_;
  std::set<std::string> due_;
  std::string history_;
};

}  // namespace

TEST_CASE("whatever happens to a file, its lines come once and none is missing") {
  const char* given = std::getenv("KVASIR_TAIL_SEED");
  const std::uint64_t first = given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
  for (std::uint64_t seed = first; seed < first + (given == nullptr ? 12 : 1); ++seed) {
    CAPTURE(seed);
    Model model(seed);
    for (int step = 0; step < 40; ++step) model.act();
    model.check();
  }
}

}  // namespace kvasir::agent
