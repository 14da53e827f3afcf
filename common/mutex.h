// mutex.h -- std::mutex with annotations that clang's -Wthread-safety can check; they are empty under GCC.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define KVASIR_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define KVASIR_THREAD_ANNOTATION(x)
#endif
#define KVASIR_CAPABILITY(x) KVASIR_THREAD_ANNOTATION(capability(x))
#define KVASIR_SCOPED_CAPABILITY KVASIR_THREAD_ANNOTATION(scoped_lockable)
#define KVASIR_GUARDED_BY(x) KVASIR_THREAD_ANNOTATION(guarded_by(x))
#define KVASIR_REQUIRES(...) KVASIR_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define KVASIR_ACQUIRE(...) KVASIR_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define KVASIR_RELEASE(...) KVASIR_THREAD_ANNOTATION(release_capability(__VA_ARGS__))

namespace kvasir {

class KVASIR_CAPABILITY("mutex") Mutex {
 public:
  void lock() KVASIR_ACQUIRE() { mutex_.lock(); }
  void unlock() KVASIR_RELEASE() { mutex_.unlock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

/// Holds a Mutex for a scope; wait() needs a Condition.
class KVASIR_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) KVASIR_ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  ~MutexLock() KVASIR_RELEASE() {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  void unlock() { lock_.unlock(); }
  void lock() { lock_.lock(); }
  std::unique_lock<std::mutex>& native() { return lock_; }

 private:
  std::unique_lock<std::mutex> lock_;
};

/// A condition variable for MutexLock.
class Condition {
 public:
  template <class Predicate>
  void wait(MutexLock& lock, Predicate predicate) { condition_.wait(lock.native(), predicate); }
  /// False if the time ran out with the predicate still false.
  template <class Rep, class Period, class Predicate>
  bool wait_for(MutexLock& lock, std::chrono::duration<Rep, Period> time, Predicate predicate) {
    return condition_.wait_for(lock.native(), time, predicate);
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace kvasir
