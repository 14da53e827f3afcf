#include "index/leveldb_env.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace kvasir::index {
namespace {

constexpr std::size_t kWriteBufferBytes = 64 << 10;

leveldb::Status to_leveldb(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kNotFound: return leveldb::Status::NotFound(error.message());
    case ErrorCode::kCorruption: return leveldb::Status::Corruption(error.message());
    default: return leveldb::Status::IOError(error.message());
  }
}

leveldb::Status to_leveldb(const Result<void>& result) {
  return result ? leveldb::Status::OK() : to_leveldb(result.error());
}

class Sequential final : public leveldb::SequentialFile {
 public:
  explicit Sequential(std::unique_ptr<RandomFile> file) : file_(std::move(file)) {}
  leveldb::Status Read(std::size_t n, leveldb::Slice* result, char* scratch) override {
    const std::uint64_t size = std::min<std::uint64_t>(n, file_->size() - offset_);
    const auto bytes = file_->view(offset_, size);
    if (!bytes) return to_leveldb(bytes.error());
    if (size > 0) std::memcpy(scratch, bytes->data(), size);
    *result = leveldb::Slice(scratch, size);
    offset_ += size;
    return leveldb::Status::OK();
  }
  leveldb::Status Skip(std::uint64_t n) override {
    offset_ += std::min(n, file_->size() - offset_);
    return leveldb::Status::OK();
  }

 private:
  std::unique_ptr<RandomFile> file_;
  std::uint64_t offset_ = 0;
};

class RandomAccess final : public leveldb::RandomAccessFile {
 public:
  explicit RandomAccess(std::unique_ptr<RandomFile> file) : file_(std::move(file)) {}
  leveldb::Status Read(std::uint64_t offset, std::size_t n, leveldb::Slice* result, char*) const override {
    const std::uint64_t left = offset < file_->size() ? file_->size() - offset : 0;
    const auto bytes = file_->view(std::min(offset, file_->size()), std::min<std::uint64_t>(n, left));
    if (!bytes) return to_leveldb(bytes.error());
    *result = leveldb::Slice(bytes->data(), bytes->size());
    return leveldb::Status::OK();
  }

 private:
  std::unique_ptr<RandomFile> file_;
};

class Writable final : public leveldb::WritableFile {
 public:
  explicit Writable(std::unique_ptr<AppendFile> file) : file_(std::move(file)) {}
  leveldb::Status Append(const leveldb::Slice& data) override {
    buffer_.append(data.data(), data.size());
    return buffer_.size() < kWriteBufferBytes ? leveldb::Status::OK() : Flush();
  }
  leveldb::Status Flush() override {
    if (buffer_.empty()) return leveldb::Status::OK();
    const auto written = file_->append(buffer_);
    buffer_.clear();
    return to_leveldb(written);
  }
  leveldb::Status Sync() override {
    const auto flushed = Flush();
    return flushed.ok() ? to_leveldb(file_->sync()) : flushed;
  }
  leveldb::Status Close() override {
    const auto flushed = Flush();
    return flushed.ok() ? to_leveldb(file_->close()) : flushed;
  }

 private:
  std::unique_ptr<AppendFile> file_;
  std::string buffer_;
};

class NoLock final : public leveldb::FileLock {};

class SilentLogger final : public leveldb::Logger {
 public:
  void Logv(const char*, std::va_list) override {}
};

/// Puts an opened file of ours into LevelDB's hands.
template <class Theirs, class Ours, class Base>
leveldb::Status hand_over(Result<std::unique_ptr<Ours>> file, Base** out) {
  *out = nullptr;
  if (!file) return to_leveldb(file.error());
  *out = std::make_unique<Theirs>(std::move(*file)).release();
  return leveldb::Status::OK();
}

class FilesystemEnv final : public leveldb::EnvWrapper {
 public:
  explicit FilesystemEnv(Filesystem& filesystem) : EnvWrapper(leveldb::Env::Default()), filesystem_(filesystem) {}

  leveldb::Status NewSequentialFile(const std::string& path, leveldb::SequentialFile** out) override {
    return hand_over<Sequential>(filesystem_.open_random(path), out);
  }
  leveldb::Status NewRandomAccessFile(const std::string& path, leveldb::RandomAccessFile** out) override {
    return hand_over<RandomAccess>(filesystem_.open_random(path), out);
  }
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** out) override {
    return hand_over<Writable>(filesystem_.create(path), out);
  }
  leveldb::Status NewAppendableFile(const std::string& path, leveldb::WritableFile** out) override {
    return hand_over<Writable>(filesystem_.open_append(path), out);
  }
  bool FileExists(const std::string& path) override {
    const auto status = filesystem_.status(path);
    return status && status->has_value();
  }
  leveldb::Status GetChildren(const std::string& path, std::vector<std::string>* names) override {
    auto listed = filesystem_.list(path);
    if (!listed) return to_leveldb(listed.error());
    *names = std::move(*listed);
    return leveldb::Status::OK();
  }
  leveldb::Status RemoveFile(const std::string& path) override { return to_leveldb(filesystem_.remove(path)); }
  leveldb::Status DeleteFile(const std::string& path) override { return RemoveFile(path); }
  leveldb::Status CreateDir(const std::string& path) override { return to_leveldb(filesystem_.make_directories(path)); }
  leveldb::Status RemoveDir(const std::string& path) override { return to_leveldb(filesystem_.remove(path)); }
  leveldb::Status DeleteDir(const std::string& path) override { return RemoveDir(path); }
  leveldb::Status GetFileSize(const std::string& path, std::uint64_t* size) override {
    const auto status = filesystem_.status(path);
    if (!status) return to_leveldb(status.error());
    if (!status->has_value()) return leveldb::Status::NotFound(path);
    *size = (*status)->size;
    return leveldb::Status::OK();
  }
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override {
    return to_leveldb(filesystem_.rename(from, to));
  }
  leveldb::Status LockFile(const std::string&, leveldb::FileLock** lock) override {
    *lock = std::make_unique<NoLock>().release();
    return leveldb::Status::OK();
  }
  leveldb::Status UnlockFile(leveldb::FileLock* lock) override {
    const std::unique_ptr<leveldb::FileLock> owned(lock);
    return leveldb::Status::OK();
  }
  leveldb::Status NewLogger(const std::string&, leveldb::Logger** logger) override {
    *logger = std::make_unique<SilentLogger>().release();
    return leveldb::Status::OK();
  }

 private:
  Filesystem& filesystem_;
};

}  // namespace

std::unique_ptr<leveldb::Env> make_leveldb_env(Filesystem& filesystem) {
  return std::make_unique<FilesystemEnv>(filesystem);
}

Error from_leveldb(const leveldb::Status& status) {
  const ErrorCode code = status.IsNotFound()     ? ErrorCode::kNotFound
                         : status.IsCorruption() ? ErrorCode::kCorruption
                                                 : ErrorCode::kIo;
  return Error(code, "index: " + status.ToString());
}

}  // namespace kvasir::index
