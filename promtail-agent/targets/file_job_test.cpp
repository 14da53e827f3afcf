// A file that is written, rotated, truncated and removed at random while it is read; the agent is restarted in between.
//
// Law: what the model says must come <= what came <= what was written; each line once, in order within a file's life,
//      as long as
// the agent was not killed.
#include "promtail-agent/targets/file_job.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <set>

#include "common/crc32c.h"
#include "common/net/content_encoding.h"
#include "common/yaml.h"
#include "promtail-agent/stages/pipeline_builder.h"

namespace kvasir::agent {

namespace {

constexpr Duration kPatience = std::chrono::seconds(60);  // for what comes at once on a machine that is not busy

enum class TailAction {
  kWriteLine,
  kWritePartial,
  kRename,
  kCopyTruncate,
  kDelete,
  kRead,
  kRestart,
  kRotateWhileDown,
  kCount
};

class SeenLines final : public EntryOutput {
 public:
  bool push(const Entry& entry) override {
    const MutexLock lock(mutex_);
    if (before_) before_(entry);
    if (lines_.size() >= limit_) refused_ = true;
    if (refused_) arrived_.notify_all();
    if (refused_) return false;
    lines_.emplace_back(entry.line());
    arrived_.notify_all();
    return true;
  }
  /// Takes so many lines in all and refuses the rest, as clients that are stopped while they wait for room.
  void take_at_most(std::size_t lines) {
    const MutexLock lock(mutex_);
    limit_ = lines;
    refused_ = false;
  }
  /// False if none was refused after a long while.
  bool wait_for_refusal() {
    MutexLock lock(mutex_);
    return arrived_.wait_for(lock, kPatience, [&] { return refused_; });
  }
  /// Called with each entry that comes, by the job's thread.
  void before_each(std::function<void(const Entry&)> action) {
    const MutexLock lock(mutex_);
    before_ = std::move(action);
  }
  /// False if not so many have come after a long while.
  bool wait_for_count(std::size_t count) {
    MutexLock lock(mutex_);
    return arrived_.wait_for(lock, kPatience, [&] { return lines_.size() >= count; });
  }
  /// False if they have not all come after a long while.
  bool wait_for(const std::set<std::string>& wanted) {
    MutexLock lock(mutex_);
    return arrived_.wait_for(lock, kPatience, [&] {
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
  std::size_t limit_ = SIZE_MAX;
  bool refused_ = false;
  std::function<void(const Entry&)> before_;
};

/// What is tested is that nothing happens in that time, or that times of files differ.
void let_pass(Duration time) {
  Mutex mutex;
  Condition never;
  MutexLock lock(mutex);
  never.wait_for(lock, time, [] { return false; });
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + " | ";
  return out;
}

/// A folder with a job that reads its *.log; the job can be stopped, killed and started again.
class Harness {
 public:
  Harness() : metrics_(system_clock()) {
    char folder[] = "/tmp/file_job_test_XXXXXX";
    root_ = ::mkdtemp(folder);
  }
  ~Harness() {
    job_.reset();
    std::filesystem::remove_all(root_);
  }

  std::string path(const std::string& name = "app.log") const { return root_ + "/" + name; }
  void write(const std::string& text, const std::string& name = "app.log") {
    std::ofstream(path(name), std::ios::app) << text << std::flush;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::uint64_t inode(const std::string& name) const {
    struct stat status {};
    REQUIRE(::stat(path(name).c_str(), &status) == 0);
    return status.st_ino;
  }
  void rename(const std::string& from, const std::string& to) { std::filesystem::rename(path(from), path(to)); }

  void start(bool save_before_reading = false) {
    auto opened = Positions::open(posix_filesystem(), {root_ + "/positions.yaml"});
    REQUIRE(opened);
    positions_ = std::move(*opened);
    if (before_start_) before_start_(*positions_);
    begin(save_before_reading, {});
  }

  /// As a new configuration does it.
  void reload(const std::function<void()>& between = {}) {
    job_->stop();
    FileHandover files = job_->release_files();
    if (between) between();
    begin(false, std::move(files));
  }

  void begin(bool save_before_reading, FileHandover handed_over) {
    FileJobParts parts;
    parts.config.job_name = "model";
    parts.config.file.rotate_wait = rotate_wait_;
    parts.sync_period = std::chrono::milliseconds(50);
    parts.poll_min = parts.poll_max = std::chrono::milliseconds(20);
    parts.config.decompression.enabled = pattern_.ends_with(".gz");
    parts.save_before_reading = save_before_reading;
    parts.copy_times = {copy_rest_, 2 * copy_rest_, kPatience, kPatience};
    parts.positions = positions_.get();
    parts.progress = &progress_;
    parts.metrics = &metrics_;
    parts.clock = &system_clock();
    Diagnostics diagnostics;
    StageContext context;
    context.clock = &system_clock();
    context.metrics = &metrics_;
    const auto stages = parse_yaml(stages_);
    REQUIRE(stages);
    auto pipeline = build_pipeline(*stages, context, diagnostics);
    REQUIRE(pipeline);
    parts.feeder = std::make_unique<Feeder>(std::move(*pipeline), seen_, progress_, system_clock());
    job_ = std::make_unique<FileJob>(std::move(parts));
    job_->adopt(std::move(handed_over));
    REQUIRE(job_->start());
    if (late_) return;
    label({});
    if (!std::filesystem::exists(path())) return;
    const Duration limit = system_clock().steady() + kPatience;
    while (!job_->ready() && system_clock().steady() < limit) std::this_thread::yield();
  }

  /// As an edit of a file_sd file does it.
  void label(StringMap labels) {
    TargetGroup group;
    group.labels = std::move(labels);
    group.labels["__path__"] = path(pattern_);
    job_->set_groups("static", {std::move(group)});
  }

  /// With the state as it is now on disk, or as it was at the last save.
  void stop() {
    job_->stop();
    REQUIRE(positions_->save());
    job_.reset();
  }
  void kill() { job_.reset(); }
  bool running() const { return job_ != nullptr; }
  /// What the next job reads instead of *.log; compressed files if it ends like their names.
  void read_as(const std::string& pattern) { pattern_ = pattern; }
  /// The next job gets no targets before label().
  void discover_late() { late_ = true; }
  void request_stop() { job_->request_stop(); }
  /// The stages of the next job, as YAML.
  void pass_through(const std::string& stages) { stages_ = stages; }
  Positions& positions() { return *positions_; }
  ProgressTable& progress() { return progress_; }
  /// Before start().
  void set_rotate_wait(Duration time) { rotate_wait_ = time; }
  /// Before start(): when something that rests is not taken for a copy under way any more.
  void set_copy_rest(Duration time) { copy_rest_ = time; }
  /// What the spool would do at the next start.
  void before_start(std::function<void(Positions&)> action) { before_start_ = std::move(action); }
  SeenLines& seen() { return seen_; }
  double truncated() {
    return metrics_.counter("promtail_files_truncated_total", "Files whose content was replaced in place.")->value();
  }
  /// Waits until exactly these have come, each once.
  void expect(const std::set<std::string>& lines) {
    CHECK(seen_.wait_for(lines));
    std::vector<std::string> have = seen_.lines();
    std::sort(have.begin(), have.end());
    const std::vector<std::string> want(lines.begin(), lines.end());
    std::vector<std::string> more, missing;
    std::set_difference(have.begin(), have.end(), want.begin(), want.end(), std::back_inserter(more));
    std::set_difference(want.begin(), want.end(), have.begin(), have.end(), std::back_inserter(missing));
    CAPTURE(joined(more));
    CAPTURE(joined(missing));
    CHECK(have == want);
  }

 private:
  MetricRegistry metrics_;
  ProgressTable progress_;
  SeenLines seen_;
  Duration rotate_wait_ = std::chrono::milliseconds(300);
  Duration copy_rest_ = std::chrono::seconds(10);  // longer than a busy machine lets a test wait between two steps
  std::string root_;
  std::string pattern_ = "*.log";
  std::string stages_ = "[]";
  bool late_ = false;
  std::function<void(Positions&)> before_start_;
  std::unique_ptr<Positions> positions_;
  std::unique_ptr<FileJob> job_;
};

class Model : private Harness {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {
    write("");
    start();
  }

  void act() {
    const auto action = static_cast<TailAction>(random_() % static_cast<std::uint64_t>(TailAction::kCount));
    constexpr const char* kNames[] = {"write",  "partial", "rename",  "copytruncate",
                                      "delete", "read",    "restart", "rotate-while-down"};
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
    const std::vector<std::string> lines = seen().lines();
    const std::set<std::string> unique(lines.begin(), lines.end());
    for (const std::string& line : unique) {
      if (std::count(lines.begin(), lines.end(), line) > 1) history_ += " TWICE " + line.substr(0, 12);
    }
    CAPTURE(history_);
    CHECK(unique.size() == lines.size());
    CHECK(std::includes(written_.begin(), written_.end(), unique.begin(), unique.end()));
  }

 private:
  std::string next_line() {
    std::string line = "line " + std::to_string(++count_) + " " + std::string(random_() % 300, 'x');
    written_.insert(line);
    due_.insert(line);
    return line;
  }

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
    if (!seen().wait_for(due_)) {
      const std::vector<std::string> lines = seen().lines();
      for (const std::string& line : due_) {
        if (std::find(lines.begin(), lines.end(), line) == lines.end()) history_ += " MISSING " + line.substr(0, 12);
      }
      FAIL("lines are missing: ", history_);
    }
    due_.clear();
  }

  /// The agent has to know the file before it goes down: nobody can find what had another name before it was first
  /// seen.
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

TEST_CASE("a file that was known empty is found after spooled batches raised its offset and it was rotated") {
  Harness files;
  files.write("");
  files.start();
  files.stop();
  files.write("sent\nunsent\n");
  files.rename("app.log", "app.log.1");
  files.write("next\n");
  files.before_start([](Positions& positions) {
    for (const FileRecord& record : positions.files_of("model")) positions.raise(record.key(), 5);
  });
  files.start();
  files.expect({"unsent", "next"});
}

TEST_CASE("a file is identified by its first bytes before its first line is read") {
  Harness files;
  files.write("");
  files.start(true);
  files.write("one\n");
  files.expect({"one"});
  files.kill();
  auto reopened = Positions::open(posix_filesystem(), {files.path("positions.yaml")});
  REQUIRE(reopened);
  const auto records = (*reopened)->files_of("model");
  REQUIRE(records.size() == 1);
  CHECK(records[0].head.length == 4);
}

TEST_CASE("the first bytes are learned although reading started behind them") {
  Harness files;
  files.write("");
  files.start();
  files.stop();
  files.write("sent\nread\n");
  files.before_start([](Positions& positions) {
    for (const FileRecord& record : positions.files_of("model")) positions.raise(record.key(), 5);
  });
  files.start();
  files.expect({"read"});
  files.stop();
  CHECK(files.positions().files_of("model").at(0).head.length == 10);
}

TEST_CASE("files that came and went while the agent was down are read") {
  const auto number = [](int i) { return "app.log." + std::to_string(i); };
  const auto counted_up = [&](Harness& files, int i) { files.rename("app.log", number(i)); };
  const auto shifted = [&](Harness& files, int i) {
    for (int k = i; k > 0; --k) {
      if (std::filesystem::exists(files.path(number(k)))) files.rename(number(k), number(k + 1));
    }
    files.rename("app.log", number(1));
  };
  const auto copied = [&](Harness& files, int i) {
    std::filesystem::copy_file(files.path(), files.path(number(i)));
    std::filesystem::resize_file(files.path(), 0);
  };
  const std::function<void(Harness&, int)> ways[] = {counted_up, shifted, copied};
  for (const auto& rotate : ways) {
    for (const bool all_read : {false, true}) {
      CAPTURE(all_read);
      Harness files;
      files.write("of no log\n", "app.txt.5");
      files.write("read\n");
      files.start();
      files.expect({"read"});
      files.stop();
      std::set<std::string> lines{"read"};
      for (int i = 1; i <= 4; ++i) {
        if (i > 1 || !all_read) files.write("line " + std::to_string(i) + "\n");
        if (i > 1 || !all_read) lines.insert("line " + std::to_string(i));
        rotate(files, i);
        let_pass(std::chrono::milliseconds(10));  // times of files are coarse
      }
      files.write("now\n");
      lines.insert("now");
      const double truncated = files.truncated();
      files.start();
      files.expect(lines);
      files.stop();
      CHECK((files.truncated() == truncated || &rotate == &ways[2]));
      files.start();  // and nothing of it twice
      files.write("later\n");
      lines.insert("later");
      files.expect(lines);
    }
  }
}

TEST_CASE("a file that was found but not read yet when the agent was killed is found again") {
  Harness files;
  files.write("read\n");
  files.start();
  files.expect({"read"});
  files.stop();
  files.write("unread\n");
  files.rename("app.log", "app.log.1");
  files.write("now\n");
  files.before_start([&](Positions& positions) {
    for (FileRecord record : positions.files_of("model")) {  // as a state that was saved before the first line was read
      record.current = false;
      record.offset = 0;
      record.anchor = {};
      positions.put_file(record);
    }
  });
  files.start();
  CHECK(files.seen().wait_for({"read", "unread", "now"}));
}

/// Inodes that a saved state names.
std::set<std::uint64_t> inodes_of(const std::string& state) {
  std::set<std::uint64_t> inodes;
  if (const auto read = parse_state(state)) {
    for (const FileRecord& record : read->files) inodes.insert(record.inode);
  }
  return inodes;
}

TEST_CASE("no saved state has a file without those that were written before it") {
  constexpr int kFiles = 300;
  Harness files;
  files.write("read\n");
  files.start();
  files.expect({"read"});
  files.stop();
  std::set<std::string> lines{"read"};
  for (int i = 1; i <= kFiles; ++i) {
    files.rename("app.log", "app.log." + std::to_string(i));
    files.write("line " + std::to_string(i) + "\n");
    lines.insert("line " + std::to_string(i));
  }
  const std::uint64_t youngest = files.inode("app.log");
  std::set<std::uint64_t> all;
  for (int i = 2; i <= kFiles; ++i) all.insert(files.inode("app.log." + std::to_string(i)));
  std::atomic<bool> done{false};
  std::vector<std::string> states;
  std::thread saver;
  files.before_start([&](Positions& positions) {
    saver = std::thread([&] {
      while (!done) {
        (void)positions.save();
        states.push_back(files.read("positions.yaml.state"));
      }
    });
  });
  files.start();
  files.expect(lines);
  done = true;
  saver.join();
  files.stop();
  bool seen = false;
  for (const std::string& state : states) {
    const auto inodes = inodes_of(state);
    if (!inodes.contains(youngest)) continue;
    seen = true;
    CHECK(std::includes(inodes.begin(), inodes.end(), all.begin(), all.end()));
  }
  CHECK(seen);
}

TEST_CASE("a file that took the name of another while the agent was down is read from its start, however long it is") {
  for (const bool kept : {false, true}) {
    CAPTURE(kept);
    Harness files;
    files.write("first of the old one\n");
    files.start();
    files.expect({"first of the old one"});
    files.stop();
    if (kept) files.rename("app.log", "app.log.1");
    else std::filesystem::remove(files.path());
    files.write("first of the new one\nits second line\nand its third\n");
    files.start();
    files.expect({"and its third", "first of the new one", "first of the old one", "its second line"});
  }
}

TEST_CASE("a position of a path is for the file that the state has there, or for whatever is there without a state") {
  const std::string seen_already = "first of the file\n";
  const struct {
    const char* name;
    bool state;
    const char* owner;  // of the record about the file itself; nullptr: there is none
    bool from_start;
  } cases[] = {{"unknown file, name of one that moved on", true, nullptr, true},
               {"the job was renamed", true, "before", false},
               {"from Promtail", false, nullptr, false}};
  for (const auto& c : cases) {
    CAPTURE(c.name);
    Harness files;
    files.write("of the known one\n");
    files.start();
    files.expect({"of the known one"});
    files.stop();
    files.write(seen_already + "second of the file\n", "1.log");
    auto state = parse_state(files.read("positions.yaml.state"));
    REQUIRE(state);
    const std::string yaml = print_positions(
        {{files.path(), "17"}, {files.path("1.log"), std::to_string(seen_already.size())}});
    if (c.owner != nullptr) {
      FileRecord record = state->files.at(0);
      record.id += kFileIdRoom;
      record.job = c.owner;
      record.path = files.path("1.log");
      record.inode = files.inode("1.log");
      record.offset = seen_already.size();
      record.head = record.anchor = {};
      record.marks.clear();
      state->files.push_back(record);
    }
    state->yaml_checksum = crc32c(yaml);
    std::filesystem::remove(files.path("positions.yaml"));
    std::filesystem::remove(files.path("positions.yaml.state"));
    files.write(yaml, "positions.yaml");
    if (c.state) files.write(print_state(*state), "positions.yaml.state");
    files.start();
    std::set<std::string> lines{"of the known one", "second of the file"};
    if (c.from_start) lines.insert("first of the file");
    files.expect(lines);
  }
}

TEST_CASE("a new configuration goes on with files that were rotated away, also right before it") {
  for (const bool noticed : {false, true}) {
    CAPTURE(noticed);
    Harness files;
    files.write("old\n");
    files.start();
    files.expect({"old"});
    files.rename("app.log", "app.log.1");
    files.write("new\n");
    if (noticed) files.expect({"old", "new"});
    files.write("late\n", "app.log.1");
    files.reload();
    files.expect({"late", "new", "old"});
    files.write("later\n", "app.log.1");
    files.write("newer\n");
    files.expect({"late", "later", "new", "newer", "old"});
    files.reload();
    files.reload();
    files.write("last\n");
    files.expect({"last", "late", "later", "new", "newer", "old"});
    files.reload([&] {
      for (const char* number : {"2", "3", "4"}) {
        files.rename("app.log", std::string("app.log.") + number);
        files.write(std::string("after ") + number + "\n");
      }
    });
    files.expect({"after 2", "after 3", "after 4", "last", "late", "later", "new", "newer", "old"});
  }
}

TEST_CASE("a rotated file is not let go while its writer goes on") {
  Harness files;
  files.set_rotate_wait(std::chrono::seconds(2));
  files.write("first\n");
  files.start();
  files.expect({"first"});
  std::ofstream writer(files.path(), std::ios::app);
  files.rename("app.log", "app.log.1");
  files.write("new\n");
  std::set<std::string> lines{"first", "new"};
  for (int i = 0; i < 5; ++i) {
    let_pass(std::chrono::milliseconds(700));
    writer << "late " << i << "\n" << std::flush;
    lines.insert("late " + std::to_string(i));
  }
  files.expect(lines);
}

TEST_CASE("a rotated file whose new name matches too is read once, also when it was rotated while the agent was down") {
  Harness files;
  files.write("one\n");
  files.start();
  files.expect({"one"});
  files.rename("app.log", "app.1.log");
  files.write("two\n");
  files.expect({"one", "two"});
  files.stop();
  files.rename("app.1.log", "app.2.log");
  files.rename("app.log", "app.1.log");
  files.write("three\n");
  files.write("more of two\n", "app.1.log");
  files.start();
  files.expect({"one", "two", "three", "more of two"});
}

TEST_CASE("what is in a file when the end is asked for is read") {
  Harness files;
  files.write("first\n");
  files.start();
  files.expect({"first"});
  std::set<std::string> lines{"first"};
  std::string text;
  for (int i = 0; i < 2000; ++i) lines.insert("line " + std::to_string(i)), text += "line " + std::to_string(i) + "\n";
  files.write(text);
  files.stop();
  files.expect(lines);
}

/// Numbered lines, `bytes` of them or a little more.
std::string numbered(std::size_t bytes, std::set<std::string>& lines) {
  std::string text;
  while (text.size() < bytes) {
    const std::string line = "line " + std::to_string(lines.size()) + " " + std::string(lines.size() % 40, 'x');
    text += line + "\n";
    lines.insert(line);
  }
  return text;
}

TEST_CASE("a copy that the pattern asks for is not read again, at whatever stage it is found") {
  for (const std::size_t size : {30, 600, 20'000}) {
    for (const double found_at : {0.0, 0.02, 0.5, 0.99, 1.0}) {
      for (const bool unread : {false, true}) {
        CAPTURE(size);
        CAPTURE(found_at);
        CAPTURE(unread);
        Harness files;
        std::set<std::string> lines;
        files.write(numbered(size, lines));
        files.start();
        files.expect(lines);
        const std::string content = files.read("app.log");
        const auto cut = static_cast<std::size_t>(static_cast<double>(content.size()) * found_at);
        files.write(content.substr(0, cut), "app.1.log");
        let_pass(std::chrono::milliseconds(120));  // it is found
        const std::string rest = unread ? numbered(size / 2, lines) : "";
        if (unread) files.write(rest);
        files.write(content.substr(cut) + rest, "app.1.log");
        std::filesystem::resize_file(files.path(), 0);
        files.write("after\n");
        lines.insert("after");
        files.expect(lines);
        let_pass(std::chrono::milliseconds(100));
        files.stop();
        files.start();
        let_pass(std::chrono::milliseconds(100));
        files.write("and later\n");
        lines.insert("and later");
        files.expect(lines);
      }
    }
  }
}

TEST_CASE("a copy of what its original has had only since it was read is not read again") {
  for (const bool save_before_reading : {false, true}) {
    CAPTURE(save_before_reading);
    Harness files;
    std::set<std::string> lines;
    files.write("", "a.tmp");
    files.write("", "b.tmp");
    const bool in_order = files.inode("a.tmp") < files.inode("b.tmp");  // a job looks at files by their numbers
    const std::string copy = in_order ? "a.tmp" : "b.tmp";
    files.rename(in_order ? "b.tmp" : "a.tmp", "app.log");
    files.write(numbered(4'000, lines));
    files.start(save_before_reading);
    files.expect(lines);
    const std::string content = numbered(6'000, lines);
    files.seen().before_each([&](const Entry& entry) {
      if (entry.line() != "now") return;
      std::filesystem::resize_file(files.path(), 0);
      files.write(content);
      files.write(content.substr(0, 700), copy);
      files.rename(copy, "app.2.log");
    });
    files.write("now\n", "other.log");
    lines.insert("now");
    CHECK(files.seen().wait_for(lines));
    files.write(content.substr(700), "app.2.log");
    std::filesystem::resize_file(files.path(), 0);
    files.write("after\n");
    lines.insert("after");
    files.expect(lines);
    let_pass(2 * kCopyLookInterval);
    files.expect(lines);
  }
}

TEST_CASE("a copy under way when the agent is killed is not read again") {
  for (const bool truncated_while_down : {false, true}) {
    for (const double found_at : {0.0, 0.5, 1.0}) {
      CAPTURE(truncated_while_down);
      CAPTURE(found_at);
      Harness files;
      std::set<std::string> lines;
      files.write(numbered(20'000, lines));
      files.start();
      files.expect(lines);
      const std::string content = files.read("app.log");
      const auto cut = static_cast<std::size_t>(static_cast<double>(content.size()) * found_at);
      files.write(content.substr(0, cut), "app.1.log");
      let_pass(std::chrono::milliseconds(120));
      REQUIRE(files.positions().save());
      files.kill();
      const auto finish = [&] {
        const std::string rest = numbered(2000, lines);
        files.write(rest);
        files.write(content.substr(cut) + rest, "app.1.log");
        std::filesystem::resize_file(files.path(), 0);
        files.write("after\n");
        lines.insert("after");
      };
      if (truncated_while_down) finish();
      files.start();
      let_pass(std::chrono::milliseconds(120));
      if (!truncated_while_down) finish();
      files.expect(lines);
    }
  }
}

TEST_CASE("a copy goes on being one under another name, and as a copy of a copy") {
  Harness files;
  files.set_copy_rest(std::chrono::seconds(2));
  std::set<std::string> lines;
  for (int round = 0; round < 4; ++round) {
    files.write(numbered(5'000, lines));
    if (round == 0) files.start();
    files.expect(lines);
    if (round > 1) std::filesystem::copy_file(files.path("app.1.log"), files.path("app.2.log"),
                                              std::filesystem::copy_options::overwrite_existing);
    if (round == 1) files.rename("app.1.log", "app.2.log");
    const std::string content = files.read("app.log");
    std::filesystem::remove(files.path("app.1.log"));
    files.write(content.substr(0, 2000), "app.1.log");
    let_pass(std::chrono::milliseconds(120));
    files.write(content.substr(2000), "app.1.log");
    let_pass(std::chrono::milliseconds(120));
    std::filesystem::resize_file(files.path(), 0);
    files.expect(lines);
  }
  let_pass(std::chrono::seconds(5));
  files.expect(lines);
}

TEST_CASE("a file that the agent read further than its copy goes") {
  Harness files;
  std::set<std::string> lines;
  files.write(numbered(20'000, lines));
  files.start();
  files.expect(lines);
  const std::string content = files.read("app.log");
  files.write(numbered(3'000, lines));  // after the copy was made, before the file was cut
  files.expect(lines);
  SUBCASE("found while the original is there") {
    files.write(content, "app.1.log");
    let_pass(std::chrono::milliseconds(120));
  }
  SUBCASE("found after it") {
    files.write(content, "copy.tmp");
    files.rename("copy.tmp", "app.1.log");
  }
  SUBCASE("made while the agent is down") {
    files.stop();
    files.write(content, "app.1.log");
  }
  std::filesystem::resize_file(files.path(), 0);
  files.write("after\n");
  lines.insert("after");
  if (!files.running()) files.start();
  files.expect(lines);
  files.stop();
  files.start();
  files.write("later\n");
  lines.insert("later");
  files.expect(lines);
}

TEST_CASE("files that only begin alike are read whole") {
  for (const std::size_t banner : {10, 100, 3'000}) {
    for (const bool same_length : {false, true}) {
      CAPTURE(banner);
      CAPTURE(same_length);
      Harness files;
      files.set_copy_rest(std::chrono::milliseconds(700));
      std::string text = std::string(banner - 1, '=') + "\n";
      files.write(text);
      files.start();
      files.expect({text.substr(0, banner - 1)});
      files.write(text, "app-worker.log");
      let_pass(std::chrono::milliseconds(120));
      if (!same_length) files.write("of the worker\n", "app-worker.log");  // otherwise it is read when it rests
      const Duration limit = system_clock().steady() + kPatience;
      const std::size_t wanted = same_length ? 2 : 3;
      while (files.seen().lines().size() < wanted && system_clock().steady() < limit) std::this_thread::yield();
      CHECK(files.seen().lines().size() == wanted);
    }
  }
}

TEST_CASE("a file that is written anew as another one begins is read whole") {
  Harness files;
  const std::string banner(3'000, '=');
  files.write(banner + "\nfirst\n");
  files.write("other\n", "app-worker.log");
  files.start();
  files.expect({banner, "first", "other"});
  std::filesystem::resize_file(files.path("app-worker.log"), 0);
  files.write(banner + "\nsecond\n", "app-worker.log");
  const Duration limit = system_clock().steady() + kPatience;
  while (files.seen().lines().size() < 5 && system_clock().steady() < limit) std::this_thread::yield();
  CHECK(files.seen().lines().size() == 5);
}

TEST_CASE("files of different folders are not taken for copies of each other, whatever numbers the folders have") {
  Harness files;
  files.read_as("*/out.log");
  for (const char* folder : {"app-1", "app-2"}) std::filesystem::create_directory(files.path(folder));
  std::set<std::string> lines;
  const std::string text = numbered(2'000, lines);
  files.write(text, "app-1/out.log");
  files.start();
  files.expect(lines);
  files.write(text, "app-2/out.log");
  let_pass(std::chrono::milliseconds(120));  // it is found
  std::filesystem::resize_file(files.path("app-1/out.log"), 0);
  CHECK(files.seen().wait_for_count(2 * lines.size()));
}

TEST_CASE("a copy of a file that is a copy itself and comes to nothing is read") {
  Harness files;
  std::set<std::string> lines;
  files.write(numbered(2'000, lines));
  files.start();
  files.expect(lines);
  const std::string content = files.read("app.log");
  for (const char* copy : {"app.1.log", "app.2.log"}) {
    files.write(content, copy);
    let_pass(std::chrono::milliseconds(120));  // it is found, and waits
  }
  std::filesystem::resize_file(files.path("app.1.log"), 0);
  files.write("of the second copy\n", "app.2.log");
  CHECK(files.seen().wait_for({"of the second copy"}));
}

TEST_CASE("the state says that a copy goes on with a file before a line of the copy is read") {
  Harness files;
  std::set<std::string> lines;
  files.write(numbered(5'000, lines));
  files.start(true);
  files.expect(lines);
  REQUIRE(files.positions().save());
  const std::uint64_t id = files.positions().files_of("model").at(0).id;
  std::optional<std::uint64_t> inode;  // that the state names when the line comes
  files.seen().before_each([&](const Entry& entry) {
    if (entry.line() != "more") return;
    const auto state = parse_state(files.read("positions.yaml.state"));
    REQUIRE(state);
    for (const FileRecord& record : state->files) {
      if (record.id == id) inode = record.inode;
    }
  });
  files.write(files.read("app.log") + "more\n", "copy.tmp");
  files.rename("copy.tmp", "app.log");
  lines.insert("more");
  files.expect(lines);
  files.kill();
  CHECK(inode == files.inode("app.log"));
}

TEST_CASE("a new configuration goes on in the middle of a compressed file, with the line that was refused") {
  Harness files;
  files.read_as("*.gz");
  std::set<std::string> lines;
  files.write(net::compress(net::ContentEncoding::kGzip, numbered(20'000, lines)), "app.log.1.gz");
  files.seen().take_at_most(lines.size() / 2);
  files.start();
  REQUIRE(files.seen().wait_for_refusal());
  files.reload([&] { files.seen().take_at_most(SIZE_MAX); });
  files.expect(lines);
}

TEST_CASE("a new configuration goes on with the first line of an entry that was refused") {
  Harness files;
  files.pass_through("- multiline: {firstline: '^start', max_wait_time: 50ms}");
  files.write("start 1\nmore of 1\nstart 2\nmore of 2\nstart 3\n");
  files.seen().take_at_most(1);
  files.start();
  REQUIRE(files.seen().wait_for_refusal());
  files.reload([&] { files.seen().take_at_most(SIZE_MAX); });
  files.expect({"start 1\nmore of 1", "start 2\nmore of 2", "start 3"});
}

TEST_CASE("what the copy of a truncated file has is read by a new configuration that discovers its target late") {
  Harness files;
  std::atomic<bool> held{false}, go_on{false};
  files.seen().before_each([&](const Entry& entry) {
    if (entry.line() != "last one read") return;
    held = true;
    while (!go_on) std::this_thread::yield();
  });
  files.write("read\nlast one read\n");
  files.start();
  while (!held) std::this_thread::yield();
  files.write("unread\n");
  std::filesystem::copy_file(files.path(), files.path("app.log.1"));
  std::filesystem::resize_file(files.path(), 0);
  files.write("after\n");
  files.request_stop();
  go_on = true;
  files.discover_late();
  files.reload();
  let_pass(std::chrono::milliseconds(200));
  REQUIRE(files.positions().save());
  files.label({});
  files.expect({"after", "last one read", "read", "unread"});
}

TEST_CASE("a compressed file is known by its bytes when the agent comes back") {
  Harness files;
  files.read_as("*.gz");
  std::set<std::string> lines;
  const auto pack = [&](std::size_t bytes) {
    return net::compress(net::ContentEncoding::kGzip, numbered(bytes, lines));
  };
  files.write(pack(20'000), "app.log.1.gz");
  files.start();
  files.expect(lines);
  files.stop();
  SUBCASE("another one has its inode") {
    std::filesystem::remove(files.path("app.log.1.gz"));
    files.write(pack(30'000), "app.log.2.gz");
    files.before_start([&](Positions& positions) {
      for (FileRecord record : positions.files_of("model")) {
        record.inode = files.inode("app.log.2.gz");
        positions.put_file(record);
      }
    });
  }
  SUBCASE("it has another name that is asked for") { files.rename("app.log.1.gz", "app.log.2.gz"); }
  SUBCASE("it has another name that is not asked for") { files.rename("app.log.1.gz", "app.log.1.gz.old"); }
  files.start();
  files.write(pack(100), "last.gz");
  files.expect(lines);
}

TEST_CASE("a save while a new configuration has not found the files yet knows what was delivered meanwhile") {
  Harness files;
  ProgressPtr source;
  files.seen().before_each([&](const Entry& entry) {
    if (entry.line() != "two") return;
    source = files.progress().find(entry.sources()[0].source);
    source->open(4);  // in a batch that is on its way
  });
  files.write("one\ntwo\n");
  files.start();
  files.expect({"one", "two"});
  files.discover_late();
  files.reload();
  REQUIRE(files.positions().save());
  CHECK(files.positions().files_of("model").at(0).offset == 4);
  source->settle(4);
  REQUIRE(files.positions().save());
  CHECK(files.positions().files_of("model").at(0).offset == 8);
}

TEST_CASE("a file goes on where it was when the labels of its target change, however short it is") {
  for (const std::size_t size : {3, 40, 5'000}) {
    CAPTURE(size);
    Harness files;
    std::set<std::string> lines;
    files.write(numbered(size, lines));
    files.start();
    files.expect(lines);
    files.label({{"env", "new"}});
    let_pass(std::chrono::milliseconds(200));
    files.expect(lines);
    files.write("more\n");
    lines.insert("more");
    files.expect(lines);
    files.label({{"env", "newer"}});
    files.write("most\n");
    lines.insert("most");
    files.expect(lines);
    files.stop();
    files.start();
    let_pass(std::chrono::milliseconds(100));
    files.expect(lines);
  }
}

TEST_CASE("names of rotated files") {
  const struct {
    const char *name, *first, *second;
    bool alike;
  } cases[] = {
      {"app.log", "app.log.1", "app.log.12", true},
      {"app.log", "app.log.1", "app.log.2.gz", true},
      {"app.log", "app.log-20261121", "app.log-20261122", true},
      {"app.log", "app-20261121.log", "app-20261122.log.zst", true},
      {"app.log", "app-20261121.log", "app-2.log", false},
      {"app.log", "app.log.1", "app.log.old", false},
      {"app.log", "app.log.1", "other.log.1", false},
      {"app1.log", "app1.log.1", "app2.log.1", false},
      {"app1.log", "app1.log.1", "app12.log.1", false},
      {"0.log", "0.log.20261121-101112", "0.log.20261121-111213.gz", true},
  };
  for (const auto& c : cases) {
    CAPTURE(c.second);
    CHECK(rotated_alike(c.name, c.first, c.second) == c.alike);
  }
}

}  // namespace kvasir::agent
