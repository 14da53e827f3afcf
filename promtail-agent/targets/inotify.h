// inotify.h -- tells which names in watched directories changed. A hint: whoever uses it looks at the files from time
// to time too.
//
// Events:   modify, create, move, delete, attribute. An overflow of the kernel's queue is reported as `overflow`.
// Errors:   watch() is false where the system's limits (fs.inotify.max_user_watches, max_user_instances) are reached.
// Threads:  one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>

namespace kvasir::agent {

class Inotify {
 public:
  Inotify();
  ~Inotify();
  Inotify(const Inotify&) = delete;
  Inotify& operator=(const Inotify&) = delete;

  bool watch(const std::string& directory);
  void unwatch(const std::string& directory);
  bool watching(const std::string& directory) const { return watches_.contains(directory); }
  /// -1 if the system gave none.
  int fd() const { return fd_; }

  struct Changes {
    /// A file of a watched directory; `appeared` for new names.
    std::function<void(const std::string& path, bool appeared)> changed;
    /// A file got another name within the watched directories.
    std::function<void(const std::string& from, const std::string& to)> moved;
    std::function<void()> overflow;
  };
  /// Everything that waits; does not block.
  void drain(const Changes& changes);

 private:
  int fd_;
  std::uint32_t move_cookie_ = 0;   // of the last MOVED_FROM
  std::string move_from_;
  std::map<std::string, int> watches_;
  std::unordered_map<int, std::string> directories_;
};

}  // namespace kvasir::agent
