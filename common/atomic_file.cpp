#include "common/atomic_file.h"

namespace kvasir {

Result<std::unique_ptr<AtomicFile>> AtomicFile::create(Filesystem& filesystem, Path path) {
  std::unique_ptr<AtomicFile> made(new AtomicFile(filesystem, std::move(path)));
  KVASIR_TRY(made->file_, filesystem.create(made->temporary()));
  return made;
}

AtomicFile::~AtomicFile() {
  file_.reset();
  if (!renamed_) (void)filesystem_.remove(temporary());  // best effort: the first error is the one worth telling
}

Result<void> AtomicFile::commit() {
  KVASIR_CHECK_OK(file_->sync());
  KVASIR_CHECK_OK(file_->close());
  KVASIR_CHECK_OK(filesystem_.rename(temporary(), path_));
  renamed_ = true;
  return filesystem_.sync_dir(parent_directory(path_));
}

Result<void> write_atomically(Filesystem& filesystem, const Path& path, std::string_view bytes) {
  KVASIR_TRY(const auto file, AtomicFile::create(filesystem, path));
  KVASIR_CHECK_OK(file->append(bytes));
  return file->commit();
}

}  // namespace kvasir
