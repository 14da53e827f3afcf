#include "common/filesystem.h"

namespace kvasir {
namespace {

Result<void> write_and_sync(Filesystem& filesystem, const Path& path, std::string_view bytes) {
  KVASIR_TRY(const auto file, filesystem.create(path));
  KVASIR_CHECK_OK(file->append(bytes));
  KVASIR_CHECK_OK(file->sync());
  return file->close();
}

}  // namespace

Result<void> write_atomically(Filesystem& filesystem, const Path& path, std::string_view bytes) {
  const Path temporary = path + ".tmp";
  auto written = write_and_sync(filesystem, temporary, bytes);
  if (written) written = filesystem.rename(temporary, path);
  if (!written) {
    (void)filesystem.remove(temporary);  // best effort: the first error is the one worth telling
    return written;
  }
  return filesystem.sync_dir(parent_directory(path));
}

Path parent_directory(const Path& path) {
  const auto end = path.find_last_not_of('/');
  if (end == Path::npos) return path.empty() ? "." : "/";
  const auto slash = path.find_last_of('/', end);
  if (slash == Path::npos) return ".";
  const auto keep = path.find_last_not_of('/', slash);
  return keep == Path::npos ? "/" : path.substr(0, keep + 1);
}

Path join_path(std::string_view directory, std::string_view name) {
  if (directory.empty()) return Path(name);
  Path path(directory);
  if (path.back() != '/') path += '/';
  path += name;
  return path;
}

}  // namespace kvasir
