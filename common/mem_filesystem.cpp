#include "common/mem_filesystem.h"

namespace kvasir {
namespace {

Unexpected not_found(std::string_view action, const Path& path) {
  return fail(ErrorCode::kNotFound, std::string(action) + " " + path + ": no such file or directory");
}

bool is_root(const Path& path) { return path.empty() || path == "." || path == "/"; }

class MemRandomFile final : public RandomFile {
 public:
  explicit MemRandomFile(std::string bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Result<std::string_view> view(std::uint64_t offset, std::uint64_t size) const override {
    if (offset > bytes_.size() || size > bytes_.size() - offset) {
      return fail(ErrorCode::kIo, "read past the end of a file");
    }
    return std::string_view(bytes_).substr(offset, size);
  }

 private:
  std::string bytes_;
};

}  // namespace

class MemFilesystem::MemAppendFile final : public AppendFile {
 public:
  MemAppendFile(std::shared_ptr<State> state, std::shared_ptr<Node> node)
      : state_(std::move(state)), node_(std::move(node)), epoch_(state_->epoch) {}

  Result<void> append(std::string_view bytes) override {
    MutexLock lock(state_->mutex);
    KVASIR_CHECK_OK(check_alive());
    node_->bytes += bytes;
    node_->modified = ++state_->ticks;
    return {};
  }
  Result<void> sync() override {
    MutexLock lock(state_->mutex);
    KVASIR_CHECK_OK(check_alive());
    node_->synced = node_->bytes;
    return {};
  }
  Result<void> close() override {
    closed_ = true;
    return {};
  }

 private:
  Result<void> check_alive() const {
    if (closed_ || epoch_ != state_->epoch) return fail(ErrorCode::kIo, "write to a closed file");
    return {};
  }

  std::shared_ptr<State> state_;
  std::shared_ptr<Node> node_;
  std::uint64_t epoch_;
  bool closed_ = false;
};

MemFilesystem::MemFilesystem() : state_(std::make_shared<State>()) {}
MemFilesystem::~MemFilesystem() = default;

std::shared_ptr<MemFilesystem::Node> MemFilesystem::new_node(bool is_directory) {
  auto node = std::make_shared<Node>();
  node->inode = state_->next_inode++;
  node->modified = ++state_->ticks;
  node->is_directory = is_directory;
  return node;
}

Result<std::shared_ptr<MemFilesystem::Node>> MemFilesystem::find_file(const Path& path) {
  const auto it = state_->live.find(path);
  if (it == state_->live.end()) return not_found("open", path);
  if (it->second->is_directory) return fail(ErrorCode::kIo, "open " + path + ": is a directory");
  return it->second;
}

Result<std::unique_ptr<AppendFile>> MemFilesystem::open_writing(const Path& path, bool empty_it) {
  MutexLock lock(state_->mutex);
  const Path parent = parent_directory(path);
  if (!is_root(parent) && !state_->live.contains(parent)) return not_found("open", path);
  auto& node = state_->live[path];
  if (node == nullptr) node = new_node(false);
  if (node->is_directory) return fail(ErrorCode::kIo, "open " + path + ": is a directory");
  if (empty_it) node->bytes.clear();
  return std::make_unique<MemAppendFile>(state_, node);
}

Result<std::unique_ptr<AppendFile>> MemFilesystem::open_append(const Path& path) { return open_writing(path, false); }
Result<std::unique_ptr<AppendFile>> MemFilesystem::create(const Path& path) { return open_writing(path, true); }

Result<std::unique_ptr<RandomFile>> MemFilesystem::open_random(const Path& path) {
  MutexLock lock(state_->mutex);
  KVASIR_TRY(const auto node, find_file(path));
  return std::make_unique<MemRandomFile>(node->bytes);
}

Result<std::string> MemFilesystem::read_all(const Path& path, std::uint64_t size_max) {
  MutexLock lock(state_->mutex);
  KVASIR_TRY(const auto node, find_file(path));
  if (node->bytes.size() > size_max) {
    return fail(ErrorCode::kLimitExceeded, "read " + path + ": larger than " + std::to_string(size_max) + " bytes");
  }
  return node->bytes;
}

Result<std::optional<FileStatus>> MemFilesystem::status(const Path& path) {
  MutexLock lock(state_->mutex);
  if (is_root(path)) return std::optional<FileStatus>(FileStatus{.is_directory = true});
  const auto it = state_->live.find(path);
  if (it == state_->live.end()) return std::optional<FileStatus>();
  const Node& node = *it->second;
  return std::optional<FileStatus>(FileStatus{.size = node.bytes.size(), .modified_ns = node.modified, .device = 1,
                                              .inode = node.inode, .is_directory = node.is_directory});
}

Result<std::vector<std::string>> MemFilesystem::list(const Path& directory) {
  MutexLock lock(state_->mutex);
  if (!is_root(directory)) {
    const auto it = state_->live.find(directory);
    if (it == state_->live.end() || !it->second->is_directory) return not_found("list", directory);
  }
  std::vector<std::string> names;
  for (const auto& [path, node] : state_->live) {
    if (parent_directory(path) == directory) names.push_back(path.substr(path.find_last_of('/') + 1));
  }
  return names;  // the map is sorted by path, and the parent is the same
}

Result<void> MemFilesystem::make_directories(const Path& directory) {
  if (is_root(directory)) return {};
  KVASIR_CHECK_OK(make_directories(parent_directory(directory)));
  MutexLock lock(state_->mutex);
  auto& node = state_->live[directory];
  if (node == nullptr) node = new_node(true);
  if (!node->is_directory) return fail(ErrorCode::kIo, "make folder " + directory + ": not a directory");
  state_->durable[directory] = node;
  return {};
}

Result<void> MemFilesystem::rename(const Path& from, const Path& to) {
  MutexLock lock(state_->mutex);
  const auto it = state_->live.find(from);
  if (it == state_->live.end()) return not_found("rename", from);
  if (it->second->is_directory) return fail(ErrorCode::kUnsupported, "rename " + from + ": is a directory");
  const auto node = it->second;
  state_->live.erase(it);
  state_->live[to] = node;
  return {};
}

Result<void> MemFilesystem::remove(const Path& path) {
  MutexLock lock(state_->mutex);
  const auto it = state_->live.find(path);
  if (it == state_->live.end()) return not_found("remove", path);
  const auto next = std::next(it);
  const bool has_children = next != state_->live.end() && next->first.starts_with(path + "/");
  if (it->second->is_directory && has_children) return fail(ErrorCode::kIo, "remove " + path + ": not empty");
  state_->live.erase(it);
  return {};
}

Result<void> MemFilesystem::truncate(const Path& path, std::uint64_t size) {
  MutexLock lock(state_->mutex);
  KVASIR_TRY(const auto node, find_file(path));
  node->bytes.resize(size);
  return {};
}

Result<void> MemFilesystem::sync_dir(const Path& directory) {
  MutexLock lock(state_->mutex);
  if (!is_root(directory) && !state_->live.contains(directory)) return not_found("sync folder", directory);
  std::erase_if(state_->durable, [&](const auto& item) { return parent_directory(item.first) == directory; });
  for (const auto& [path, node] : state_->live) {
    if (parent_directory(path) == directory) state_->durable[path] = node;
  }
  return {};
}

}  // namespace kvasir
