#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "common/filesystem.h"

namespace kvasir {
namespace {

Unexpected system_failure(std::string_view action, const Path& path, int code = errno) {
  std::string reason = std::generic_category().message(code);
  if (!reason.empty()) reason[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(reason[0])));
  return fail(code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
              std::string(action) + " " + path + ": " + reason);
}

/// Closes on destruction.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

Descriptor open_retrying(const Path& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (fd < 0 && errno == EINTR);
  return Descriptor(fd);
}

class PosixAppendFile final : public AppendFile {
 public:
  PosixAppendFile(Descriptor file, Path path) : file_(std::move(file)), path_(std::move(path)) {}

  Result<void> append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return system_failure("write", path_);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }
  Result<void> sync() override {
    if (::fdatasync(file_.get()) != 0) return system_failure("sync", path_);
    return {};
  }
  Result<void> close() override {
    const int fd = file_.release();
    if (fd >= 0 && ::close(fd) != 0) return system_failure("close", path_);
    return {};
  }

 private:
  Descriptor file_;
  Path path_;
};

class PosixRandomFile final : public RandomFile {
 public:
  PosixRandomFile(const char* data, std::uint64_t size) : data_(data), size_(size) {}
  PosixRandomFile(const PosixRandomFile&) = delete;
  PosixRandomFile& operator=(const PosixRandomFile&) = delete;
  ~PosixRandomFile() override {
    if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
  }
  std::uint64_t size() const override { return size_; }
  Result<std::string_view> view(std::uint64_t offset, std::uint64_t size) const override {
    if (offset > size_ || size > size_ - offset) return fail(ErrorCode::kIo, "read past the end of a file");
    return std::string_view(data_ + offset, size);
  }

 private:
  const char* data_;
  std::uint64_t size_;
};

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

class PosixFilesystem final : public Filesystem {
 public:
  Result<std::unique_ptr<AppendFile>> open_append(const Path& path) override {
    return open_writing(path, O_WRONLY | O_CREAT | O_APPEND);
  }
  Result<std::unique_ptr<AppendFile>> create(const Path& path) override {
    return open_writing(path, O_WRONLY | O_CREAT | O_TRUNC);
  }

  Result<std::unique_ptr<RandomFile>> open_random(const Path& path) override {
    const Descriptor file = open_retrying(path, O_RDONLY);
    if (file.get() < 0) return system_failure("open", path);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) return system_failure("stat", path);
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (size == 0) return std::make_unique<PosixRandomFile>(nullptr, 0);
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
    if (data == MAP_FAILED) return system_failure("map", path);
    return std::make_unique<PosixRandomFile>(static_cast<const char*>(data), size);
  }

  Result<std::string> read_all(const Path& path, std::uint64_t size_max) override {
    const Descriptor file = open_retrying(path, O_RDONLY);
    if (file.get() < 0) return system_failure("open", path);
    std::string bytes;
    for (;;) {
      char piece[16384];
      const ssize_t got = ::read(file.get(), piece, sizeof piece);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return system_failure("read", path);
      if (got == 0) return bytes;
      bytes.append(piece, static_cast<std::size_t>(got));
      if (bytes.size() > size_max) {
        return fail(ErrorCode::kLimitExceeded, "read " + path + ": larger than " + std::to_string(size_max) + " bytes");
      }
    }
  }

  Result<std::optional<FileStatus>> status(const Path& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::optional<FileStatus>();
      return system_failure("stat", path);
    }
    FileStatus status;
    status.size = static_cast<std::uint64_t>(info.st_size);
    status.modified_ns = std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
    status.device = info.st_dev;
    status.inode = info.st_ino;
    status.is_directory = S_ISDIR(info.st_mode);
    return std::optional<FileStatus>(status);
  }

  Result<std::vector<std::string>> list(const Path& directory) override {
    const std::unique_ptr<DIR, DirectoryCloser> handle(::opendir(directory.c_str()));
    if (handle == nullptr) return system_failure("list", directory);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(handle.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return system_failure("list", directory);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<void> make_directories(const Path& directory) override {
    if (directory.empty()) return {};
    if (::mkdir(directory.c_str(), 0755) == 0) return sync_dir(parent_directory(directory));
    if (errno == EEXIST) {
      KVASIR_TRY(const auto found, status(directory));
      if (found && found->is_directory) return {};
      return system_failure("make folder", directory, ENOTDIR);
    }
    if (errno != ENOENT) return system_failure("make folder", directory);
    const Path parent = parent_directory(directory);
    if (parent == directory) return system_failure("make folder", directory, ENOENT);
    KVASIR_CHECK_OK(make_directories(parent));
    if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return system_failure("make folder", directory);
    return sync_dir(parent);
  }

  Result<void> rename(const Path& from, const Path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return system_failure("rename", from + " to " + to);
    return {};
  }
  Result<void> remove(const Path& path) override {
    if (std::remove(path.c_str()) != 0) return system_failure("remove", path);
    return {};
  }
  Result<void> truncate(const Path& path, std::uint64_t size) override {
    if (::truncate(path.c_str(), static_cast<off_t>(size)) != 0) return system_failure("truncate", path);
    return {};
  }
  Result<void> sync_dir(const Path& directory) override {
    const Descriptor handle = open_retrying(directory, O_RDONLY | O_DIRECTORY);
    if (handle.get() < 0) return system_failure("open folder", directory);
    if (::fsync(handle.get()) != 0) return system_failure("sync folder", directory);
    return {};
  }

 private:
  static Result<std::unique_ptr<AppendFile>> open_writing(const Path& path, int flags) {
    Descriptor file = open_retrying(path, flags);
    if (file.get() < 0) return system_failure("open", path);
    return std::make_unique<PosixAppendFile>(std::move(file), path);
  }
};

}  // namespace

Filesystem& posix_filesystem() {
  static PosixFilesystem filesystem;
  return filesystem;
}

}  // namespace kvasir
