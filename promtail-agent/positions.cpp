#include "promtail-agent/positions.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/crc32c.h"
#include "common/log.h"
#include "common/number.h"
#include "common/yaml.h"

namespace kvasir::agent {

namespace {

inline constexpr std::uint64_t kPositionsBytesMax = 256 << 20;
inline constexpr std::string_view kStateName = "kvasir-agent-state ";  // then the version: one digit and a newline
inline constexpr unsigned kStateVersion = 3;
inline constexpr unsigned kVersionOfMarks = 2;
inline constexpr std::size_t kStateHeaderBytes = kStateName.size() + 2;
inline constexpr const char* kBefore = ".before";
inline constexpr const char* kDamaged = ".damaged";
inline constexpr std::string_view kStateEnd = "end ";
enum RecordStage : unsigned { kRotated = 0, kCurrent = 1, kFinished = 2 };

/// Tab, newline, backslash and NUL as two characters.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') out += "\\\\";
    else if (c == '\t') out += "\\t";
    else if (c == '\n') out += "\\n";
    else out += c;
  }
  return out;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
    } else {
      const char next = text[++i];
      out += next == 't' ? '\t' : next == 'n' ? '\n' : next;
    }
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

/// `<end> <length> <hash>,...`
std::optional<std::vector<Fingerprint1K>> parse_marks(std::string_view text) {
  std::vector<Fingerprint1K> marks;
  if (text.empty()) return marks;
  for (const std::string_view item : split(text, ',')) {
    const auto parts = split(item, ' ');
    if (parts.size() != 3 || marks.size() == kMarksMax) return std::nullopt;
    const auto end = parse_uint64(parts[0]), length = parse_uint64(parts[1]), hash = parse_uint64(parts[2]);
    if (!end || !length || !hash || *length > kFingerprintBytes) return std::nullopt;
    marks.push_back({*end, static_cast<std::uint32_t>(*length), *hash});
  }
  return marks;
}

std::string print_marks(const std::vector<Fingerprint1K>& marks) {
  std::string out;
  for (const Fingerprint1K& mark : marks)
    out += fmt::format("{}{} {} {}", out.empty() ? "" : ",", mark.end, mark.length, mark.hash);
  return out;
}

std::optional<FileRecord> parse_record(std::string_view line, unsigned version) {
  const auto parts = split(line, '\t');
  if (parts.size() != 11 + version) return std::nullopt;
  std::uint64_t numbers[10];
  for (int i = 0; i < 10; ++i) {
    const auto value = parse_uint64(parts[static_cast<std::size_t>(i) + 2]);
    if (!value) return std::nullopt;
    numbers[i] = *value;
  }
  FileRecord record;
  record.job = unescaped(parts[0]);
  record.path = unescaped(parts[1]);
  record.id = numbers[0];
  record.device = numbers[1];
  record.inode = numbers[2];
  record.offset = numbers[3];
  record.head = {numbers[4], static_cast<std::uint32_t>(numbers[4]), numbers[5]};
  record.anchor = {numbers[6], static_cast<std::uint32_t>(numbers[7]), numbers[8]};
  record.current = numbers[9] == kCurrent;
  record.finished = numbers[9] == kFinished;
  if (numbers[4] > kFingerprintBytes || numbers[7] > kFingerprintBytes) return std::nullopt;
  if (version < kVersionOfMarks) return record;
  auto marks = parse_marks(parts[12]);
  if (!marks) return std::nullopt;
  record.marks = std::move(*marks);
  if (version < kStateVersion) return record;
  const auto delivered = parse_uint64(parts[13]);
  if (!delivered) return std::nullopt;
  record.delivered = *delivered;
  return record;
}

}  // namespace

std::string FileRecord::key() const { return fmt::format("file/{:016x}", id); }

Result<std::map<std::string, std::string>> parse_positions(std::string_view yaml) {
  std::map<std::string, std::string> values;
  KVASIR_TRY(const YamlNode root, parse_yaml(yaml));
  if (root.is_null()) return values;
  if (!root.is_map()) return fail(ErrorCode::kParse, "yaml: expected a map");
  for (const auto& entry : root.entries) {
    if (entry.key != "positions") {
      return fail(ErrorCode::kParse,
                  fmt::format("yaml: line {}: field {} not found in type positions.File", entry.line, entry.key));
    }
    if (entry.value.is_null()) continue;
    if (!entry.value.is_map()) return fail(ErrorCode::kParse, "yaml: positions is not a map");
    for (const auto& item : entry.value.entries) {
      const auto text = item.value.as_text();
      if (!text) return fail(ErrorCode::kParse, fmt::format("yaml: line {}: position is not a string", item.line));
      values[item.key] = *text;
    }
  }
  return values;
}

std::string print_positions(const std::map<std::string, std::string>& values) {
  if (values.empty()) return "positions: {}\n";
  std::string out = "positions:\n";
  for (const auto& [key, value] : values) {
    const bool number = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
    out += fmt::format("  {}: {}\n", yaml_scalar(key), number ? "\"" + value + "\"" : yaml_scalar(value));
  }
  return out;
}

Result<FileState> parse_state(std::string_view text) {
  const std::size_t end = text.rfind(kStateEnd);
  const bool named = text.starts_with(kStateName) && text.size() >= kStateHeaderBytes &&
                     text[kStateHeaderBytes - 1] == '\n' && end != std::string_view::npos && end >= kStateHeaderBytes;
  if (!named) return fail(ErrorCode::kCorruption, "agent state has no header or no end");
  if (text.substr(end) != fmt::format("{}{:08x}\n", kStateEnd, crc32c(text.substr(0, end)))) {
    return fail(ErrorCode::kCorruption, "agent state has a wrong checksum");
  }
  const auto version = static_cast<unsigned>(text[kStateHeaderBytes - 2] - '0');
  if (version < 1 || version > kStateVersion)
    return fail(ErrorCode::kUnsupported, "agent state has the form of another version of this program");
  FileState state;
  bool first = true;
  for (const std::string_view line : split(text.substr(kStateHeaderBytes, end - kStateHeaderBytes), '\n')) {
    if (line.empty()) continue;
    if (std::exchange(first, false)) {
      const auto parts = split(line, '\t');
      const auto now = parts.size() == 3 ? parse_uint64(parts[1]) : std::nullopt;
      const auto before = parts.size() == 3 ? parse_uint64(parts[2]) : std::nullopt;
      if (!now || !before || parts[0] != "yaml") return fail(ErrorCode::kCorruption, "agent state has a broken record");
      state.yaml_checksum = static_cast<std::uint32_t>(*now);
      state.yaml_checksum_before = static_cast<std::uint32_t>(*before);
      continue;
    }
    auto record = parse_record(line, version);
    if (!record) return fail(ErrorCode::kCorruption, "agent state has a broken record");
    state.files.push_back(std::move(*record));
  }
  return state;
}

std::string print_state(const FileState& state) {
  std::string out = fmt::format("{}{}\nyaml\t{}\t{}\n", kStateName, kStateVersion, state.yaml_checksum,
                                state.yaml_checksum_before);
  for (const FileRecord& r : state.files) {
    out +=
        fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", escaped(r.job), escaped(r.path), r.id, r.device,
                    r.inode, r.offset, r.head.length, r.head.hash, r.anchor.end, r.anchor.length, r.anchor.hash,
                    static_cast<unsigned>(r.current    ? kCurrent
                                          : r.finished ? kFinished
                                                       : kRotated),
                    print_marks(r.marks), r.delivered);
  }
  return out + fmt::format("{}{:08x}\n", kStateEnd, crc32c(out));
}

Result<std::unique_ptr<Positions>> Positions::open(Filesystem& filesystem, PositionsOptions options) {
  std::unique_ptr<Positions> positions(new Positions(filesystem, std::move(options)));
  KVASIR_CHECK_OK(positions->load_yaml());
  KVASIR_CHECK_OK(positions->load_state());
  return positions;
}

Result<void> Positions::load_yaml() {
  KVASIR_TRY(const auto status, filesystem_.status(options_.filename));
  if (!status) return {};
  KVASIR_TRY(const std::string text, filesystem_.read_all(options_.filename, kPositionsBytesMax));
  auto values = parse_positions(text);
  if (values) {
    const MutexLock lock(mutex_);
    yaml_checksum_ = crc32c(text);
    values_ = std::move(*values);
    return {};
  }
  const std::string message =
      fmt::format("invalid yaml positions file [{}]: {}", options_.filename, values.error().message());
  if (!options_.ignore_invalid_yaml) return fail(ErrorCode::kInvalidArgument, message);
  log::warn("positions", "ignoring invalid positions file", {{"error", message}});
  return {};
}

/// Nothing: there is none, or a damaged one, which is told and put aside.
Result<std::optional<FileState>> Positions::read_state(const Path& path) {
  KVASIR_TRY(const auto status, filesystem_.status(path));
  if (!status) return std::optional<FileState>();
  auto text = filesystem_.read_all(path, kPositionsBytesMax);
  if (!text) return fail(text.error().with_context("cannot read what is known about files"));
  auto state = parse_state(*text);
  if (state) return std::optional<FileState>(std::move(*state));
  if (state.error().code() == ErrorCode::kUnsupported) return fail(state.error().with_context(path));
  ++damaged_;
  log::error("positions", "what is known about files is damaged and put aside",
             {{"path", path}, {"aside", path + kDamaged}, {"error", state.error().message()}});
  if (!options_.read_only) (void)filesystem_.rename(path, path + kDamaged);  // best effort: it is replaced anyway
  return std::optional<FileState>();
}

Result<void> Positions::load_state() {
  const Path path = options_.filename + ".state";
  KVASIR_TRY(auto state, read_state(path));
  if (!state) {
    KVASIR_TRY(state, read_state(path + kBefore));
    if (state && damaged_ > 0)
      log::error("positions", "going on from the state before: lines since then are read again", {{"path", path}});
  }
  state_lost_ = !state && damaged_ > 0;
  if (state_lost_) {
    log::error("positions", "no state is left that says which files the positions are about: files are read from "
               "the start", {{"path", path}});
  }
  if (!state) return {};
  const MutexLock lock(mutex_);
  // An older state does not know the yaml of now; it wins all the same, as its offsets are not beyond what was read.
  yaml_is_ours_ =
      damaged_ > 0 || yaml_checksum_ == state->yaml_checksum || yaml_checksum_ == state->yaml_checksum_before;
  for (FileRecord& record : state->files) {
    if (yaml_is_ours_ && record.current) values_[record.path] = std::to_string(record.offset);
    last_file_id_ = std::max(last_file_id_, record.id);
    files_[record.key()] = std::move(record);
  }
  return {};
}

bool Positions::trusts(const FileRecord& record) const {
  return yaml_is_ours_ || !record.current || get(record.path) == std::to_string(record.offset);
}

std::optional<std::vector<FileRecord>> Positions::files_at(const std::string& path) const {
  std::vector<FileRecord> records;
  if (state_lost_) return records;
  if (!yaml_is_ours_) return std::nullopt;
  const MutexLock lock(mutex_);
  for (const auto& [key, record] : files_) {
    if (record.current && record.path == path) records.push_back(record);
  }
  return records;
}

std::optional<std::string> Positions::get(const std::string& key) const {
  const MutexLock lock(mutex_);
  const auto found = values_.find(key);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

void Positions::put(const std::string& key, const std::string& value) {
  const MutexLock lock(mutex_);
  auto& slot = values_[key];
  changed_ = changed_ || slot != value;
  slot = value;
}

void Positions::erase(const std::string& key) {
  const MutexLock lock(mutex_);
  changed_ = values_.erase(key) > 0 || changed_;
}

std::vector<std::string> Positions::keys() const {
  const MutexLock lock(mutex_);
  std::vector<std::string> keys;
  for (const auto& [key, value] : values_) keys.push_back(key);
  return keys;
}

std::vector<FileRecord> Positions::files_of(const std::string& job) const {
  const MutexLock lock(mutex_);
  std::vector<FileRecord> records;
  for (const auto& [key, record] : files_) {
    if (record.job == job) records.push_back(record);
  }
  return records;
}

void Positions::put_file(const FileRecord& record) {
  const MutexLock lock(mutex_);
  FileRecord& slot = files_[record.key()];
  FileRecord kept = record;
  kept.delivered = slot.delivered;
  changed_ = changed_ || slot != kept;
  slot = std::move(kept);
}

void Positions::erase_file(const FileRecord& record) {
  const MutexLock lock(mutex_);
  changed_ = files_.erase(record.key()) > 0 || changed_;
}

std::uint64_t Positions::new_file_id(TimestampNs now) {
  const MutexLock lock(mutex_);
  const auto by_time = static_cast<std::uint64_t>(now.value / 1000);
  last_file_id_ = std::max(by_time, last_file_id_ / kFileIdRoom + 1) * kFileIdRoom;
  return last_file_id_;
}

void Positions::raise(const std::string& key, std::uint64_t offset) {
  const MutexLock lock(mutex_);
  const auto found = files_.find(key);
  if (went_back_ || found == files_.end() || found->second.offset >= offset) return;
  const auto value = values_.find(found->second.path);
  if (value != values_.end() && value->second == std::to_string(found->second.offset))
    value->second = std::to_string(offset);
  found->second.offset = offset;
  changed_ = true;
}

void Positions::go_back_to_delivered() {
  const MutexLock lock(mutex_);
  went_back_ = true;
  for (auto& [key, record] : files_) {
    if (record.delivered >= record.offset) continue;
    record.offset = record.delivered;
    record.finished = false;
    if (record.current) values_[record.path] = std::to_string(record.offset);
    changed_ = true;
  }
}

void Positions::set_delivered_check(std::function<bool()> all_delivered) {
  const MutexLock lock(save_mutex_);
  all_delivered_ = std::move(all_delivered);
}

/// The collectors told what is settled; if nothing waits on disk after that, all of it has arrived.
void Positions::note_delivered() {
  const MutexLock lock(mutex_);
  for (auto& [key, record] : files_) {
    changed_ = changed_ || record.delivered != record.offset;
    record.delivered = record.offset;
  }
}

int Positions::add_collector(std::function<void(Positions&)> collector) {
  const MutexLock lock(save_mutex_);
  collectors_[next_collector_] = std::move(collector);
  return next_collector_++;
}

void Positions::remove_collector(int id) {
  const MutexLock lock(save_mutex_);
  collectors_.erase(id);
}

/// Paths that lead nowhere any more; cursors stay.
void Positions::forget_missing_files() {
  for (const std::string& key : keys()) {
    if (key.empty() || key[0] != '/') continue;
    const auto status = filesystem_.status(key);
    if (status && !*status) erase(key);
  }
}

Result<void> Positions::write_state(const std::string& text) {
  const Path path = options_.filename + ".state";
  (void)filesystem_.rename(path, path + kBefore);  // best effort: there may be none
  return write_atomically(filesystem_, path, text);
}

Result<void> Positions::save() {
  const MutexLock saving(save_mutex_);
  for (const auto& [id, collector] : collectors_) collector(*this);
  if (options_.read_only) return {};
  if (all_delivered_ && all_delivered_()) note_delivered();
  forget_missing_files();
  std::string yaml;
  std::string state;
  {
    const MutexLock lock(mutex_);
    if (!changed_) return {};
    yaml = print_positions(values_);
    FileState written{{}, crc32c(yaml), yaml_checksum_};
    for (const auto& [key, record] : files_) written.files.push_back(record);
    state = print_state(written);
    changed_ = false;
  }
  Result<void> written = write_state(state);
  if (written) written = write_atomically(filesystem_, options_.filename, yaml);
  const MutexLock lock(mutex_);
  if (written) yaml_checksum_ = crc32c(yaml);
  changed_ = changed_ || !written;
  return written;
}

}  // namespace kvasir::agent
