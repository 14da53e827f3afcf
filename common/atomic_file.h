// atomic_file.h -- a file that is written piece by piece and appears whole or not at all.
//
// Order:    the bytes go to `path` + ".tmp"; commit() makes them durable, then gives them the name, then makes the name
//           durable. Readers see what was there before, or all of it.
// Lifetime: one that was never committed leaves nothing behind (a crash may leave the temporary file).
// Threads:  one at a time.
// Errors:   io. After one the object can only be destroyed.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "common/filesystem.h"

namespace kvasir {

class AtomicFile {
 public:
  static Result<std::unique_ptr<AtomicFile>> create(Filesystem& filesystem, Path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  Result<void> append(std::string_view bytes) { return file_->append(bytes); }
  /// After an error the file may be there under its name, whole, if only the name is not known to be durable.
  Result<void> commit();

 private:
  AtomicFile(Filesystem& filesystem, Path path) : filesystem_(filesystem), path_(std::move(path)) {}
  Path temporary() const { return path_ + ".tmp"; }

  Filesystem& filesystem_;
  const Path path_;
  std::unique_ptr<AppendFile> file_;
  bool renamed_ = false;
};

}  // namespace kvasir
