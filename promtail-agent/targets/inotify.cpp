#include "promtail-agent/targets/inotify.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <utility>

namespace kvasir::agent {

namespace {
constexpr std::uint32_t kMask =
    IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB | IN_CLOSE_WRITE | IN_ONLYDIR;
}  // namespace

Inotify::Inotify() : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

Inotify::~Inotify() {
  if (fd_ >= 0) ::close(fd_);
}

bool Inotify::watch(const std::string& directory) {
  if (watches_.contains(directory)) return true;
  if (fd_ < 0) return false;
  const int wd = ::inotify_add_watch(fd_, directory.c_str(), kMask);
  if (wd < 0) return false;
  watches_[directory] = wd;
  directories_[wd] = directory;
  return true;
}

void Inotify::unwatch(const std::string& directory) {
  const auto found = watches_.find(directory);
  if (found == watches_.end()) return;
  ::inotify_rm_watch(fd_, found->second);
  directories_.erase(found->second);
  watches_.erase(found);
}

void Inotify::drain(const Changes& changes) {
  if (fd_ < 0) return;
  alignas(inotify_event) char buffer[32 << 10];
  for (;;) {
    const ssize_t got = ::read(fd_, buffer, sizeof buffer);
    if (got <= 0) return;
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if ((event->mask & IN_Q_OVERFLOW) != 0) {
        changes.overflow();
        continue;
      }
      const auto found = directories_.find(event->wd);
      if (found == directories_.end()) continue;
      if ((event->mask & IN_IGNORED) != 0) {  // the directory is gone
        const std::string directory = found->second;
        directories_.erase(found);
        watches_.erase(directory);
        continue;
      }
      if (event->len > 0) {
        const std::string path = found->second + "/" + event->name;
        if ((event->mask & IN_MOVED_FROM) != 0) {
          move_cookie_ = event->cookie;
          move_from_ = path;
        }
        if ((event->mask & IN_MOVED_TO) != 0 && event->cookie == move_cookie_ && !move_from_.empty()) {
          changes.moved(std::exchange(move_from_, {}), path);
        }
        changes.changed(path, (event->mask & (IN_CREATE | IN_MOVED_TO)) != 0);
      }
    }
  }
}

}  // namespace kvasir::agent
