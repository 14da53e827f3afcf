#include "common/filesystem.h"

namespace kvasir {
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
